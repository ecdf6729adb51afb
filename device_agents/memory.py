"""Memory that a model needs, measured in a process of its own: in one that has run others, freed memory is used again.

    processor      peak resident memory of the process while the model is loaded and run, beyond what it held when the
                   runtime was ready: weights, their repacked copies, feature maps, and what loading takes for a moment
    accelerator    memory in use on the device after the model was loaded and run, beyond what was in use before, when
                   the runtime was ready

Both include what a runtime makes ready with its first model, which is the same for all models of one runtime. So values
of one device and runtime can be compared, those of processors and accelerators cannot.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from typing import Any, Dict, List

from device_agents.options import Options
from device_agents.sensors.meter import NotMeasuredError, read_text

_TIMEOUT_S = 600
_RUNS = 3
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from device_agents import memory; memory.main(sys.argv[2:])"
PEAK, DEVICE = "peak resident memory of a fresh process", "memory in use on the accelerator, from a fresh process"


def of_fresh_process(backend: str, path: str, options: Options, on_accelerator: bool) -> Dict[str, Any]:
    """Starts a process that loads and runs one model.

    Args:
        backend: Name of the backend.
        path: A file that its `load` takes.
        options: Of the conversation.
        on_accelerator: Whether the memory that `memory` of the backend tells is what counts.

    Returns:
        `mib`, and `how` it was measured.

    Raises:
        NotMeasuredError: The system does not tell, or the process failed.
    """
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    record = dict(options.record(), on_accelerator=on_accelerator)
    command = [sys.executable, "-c", _PROGRAM, here, backend, path, json.dumps(record)]
    try:
        finished = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasuredError("the process that measures memory failed: %s" % error)
    lines = finished.stdout.decode("utf-8", "replace").splitlines()
    if finished.returncode != 0 or not lines:
        last = finished.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        text = "the process that measures memory ended with %d: %s"
        raise NotMeasuredError(text % (finished.returncode, last[0] if last else "it said nothing"))
    answer = json.loads(lines[-1])
    if "reason" in answer:
        raise NotMeasuredError(answer["reason"])
    return dict(answer)


def main(arguments: List[str]) -> None:
    """The process: prints one line of JSON."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what vendors print goes with the errors
    backend, path, record = arguments
    values = json.loads(record)
    try:
        options = Options(values["threads"], values["precision"], values["settings"])
        measured = _on_accelerator if values["on_accelerator"] else _on_processor
        found = measured(_started(backend, options), path, options)
    except NotMeasuredError as reason:
        found = {"reason": str(reason)}
    answer.write(json.dumps(found) + "\n")
    answer.flush()
    # Some vendors' libraries crash when an interpreter ends with models open.
    os._exit(0)


def _started(backend: str, options: Options) -> Any:
    """The backend with its runtime ready, as far as that goes without a model."""
    vendor: Any = importlib.import_module("device_agents.backends.%s" % backend)
    if hasattr(vendor, "start"):
        vendor.start(options)
    vendor.describe(options)
    return vendor


def _on_accelerator(vendor: Any, path: str, options: Options) -> Dict[str, Any]:
    before = _used_mib(vendor)
    _work(vendor, path, options)
    return {"mib": float(max(0, _used_mib(vendor) - before)), "how": DEVICE}


def _on_processor(vendor: Any, path: str, options: Options) -> Dict[str, Any]:
    before_mib = _status_mib("VmRSS")
    _forget_peak()
    peak_before_mib = _status_mib("VmHWM")
    _work(vendor, path, options)
    peak_mib, after_mib = _status_mib("VmHWM"), _status_mib("VmRSS")
    # A peak that did not rise is that of importing the runtime.
    return {"mib": max(0.0, (peak_mib if peak_mib > peak_before_mib else after_mib) - before_mib), "how": PEAK}


def _work(vendor: Any, path: str, options: Options) -> None:
    model = vendor.load(path, options)
    for _ in range(_RUNS):
        vendor.run(model, None)
    _KEPT.append(model)


_KEPT: List[Any] = []


def _used_mib(vendor: Any) -> int:
    told = vendor.memory()
    if not told:
        raise NotMeasuredError("the runtime and the driver do not tell how much memory of the device is in use")
    return int(told[0])


def _status_mib(field: str) -> float:
    """A number of kB in the kernel's description of this process."""
    for line in read_text("/proc/self/status").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024.0
    raise NotMeasuredError("the system does not tell the resident memory of a process")


def _forget_peak() -> None:
    """Has the kernel count the peak from now on; where it does not, that of importing is left."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as stream:
        stream.write("5")
