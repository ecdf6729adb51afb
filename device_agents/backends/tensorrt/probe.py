"""Looks for a GPU in a child process first: without one, vendor libraries end the process that asks.

The child reports step by step, so that a crash is known by the step it happened in.
"""

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any, Dict, List

import device_agents

_TIMEOUT_S = 120
_TAIL_LINES = 3
_PROGRAM = (
    "import sys; sys.path[0] = sys.argv[1];from device_agents.backends.tensorrt import probe; probe.report(sys.argv[2])"
)
_STEPS = {"cuda": "CUDA was asked for its devices", "import": "%s was imported", "runtime": "%s was started"}


class Probe:
    """What a child process found.

    Attributes:
        gpu: What `Cuda.facts` says, and `route`; empty where no device can be used.
        version: That of the vendor's module; empty where it cannot be used.
        problem: A sentence, where one of them cannot be used.
        importable: Whether the vendor's module is there at all.
    """

    def __init__(self, gpu: Dict[str, Any], version: str, problem: str, importable: bool) -> None:
        self.gpu = gpu
        self.version = version
        self.problem = problem
        self.importable = importable


def probe(module_name: str) -> Probe:
    """Asks a child process about CUDA and, where a name is given, starts the vendor's module in it.

    Args:
        module_name: `tensorrt`, `tensorrt_rtx`, or empty to ask about CUDA only.
    """
    # Where this agent is: a folder, or its zip file.
    package = os.path.dirname(os.path.dirname(os.path.abspath(device_agents.__file__)))
    command = [sys.executable, "-c", _PROGRAM, package, module_name]
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return _judged(error.stdout or b"", "did not answer within %d s" % _TIMEOUT_S, module_name)
    ending = ""
    if finished.returncode < 0:
        ending = "ended by signal %d" % -finished.returncode
    elif finished.returncode:
        tail = finished.stderr.decode("utf-8", "replace").strip().splitlines()[-_TAIL_LINES:]
        ending = "ended with status %d: %s" % (finished.returncode, " | ".join(tail))
    return _judged(finished.stdout, ending, module_name)


def report(module_name: str) -> None:
    """What the child does: one JSON line before and after each step, away from what libraries print."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(step: str, **content: Any) -> None:
        channel.write(json.dumps(dict(content, step=step)) + "\n")
        channel.flush()

    from device_agents.backends.tensorrt.cuda import open_cuda
    from device_agents.backends.tensorrt.vendor import Vendor
    from device_agents.protocol import RpcError

    step = "cuda"
    try:
        say(step)
        cuda = open_cuda()
        say("gpu", gpu=dict(cuda.facts(), route=cuda.route))
        if module_name:
            step = "import"
            say(step)
            vendor = Vendor(module_name)
            step = "runtime"
            say(step)
            runtime = vendor.trt.Runtime(vendor.log)
            builder = vendor.trt.Builder(vendor.log)
            say("version", version=vendor.version)
            del builder, runtime
        say("end")
    except RpcError as error:
        say("failed", during=step, message=error.message)
    # Some of these libraries crash when the interpreter ends; everything has been said.
    channel.close()
    os._exit(0)


def _judged(output: bytes, ending: str, module_name: str) -> Probe:
    said = [json.loads(line.decode("utf-8")) for line in output.splitlines() if line.startswith(b"{")]
    gpu: Dict[str, Any] = next((item["gpu"] for item in said if item["step"] == "gpu"), {})
    version = next((item["version"] for item in said if item["step"] == "version"), "")
    failed = next((item for item in said if item["step"] == "failed"), None)
    # One that is there but does not load is no reason to take another way: its own words say what to mend.
    importable = _is_there(module_name)
    if failed is not None:
        return Probe(gpu, "", failed["message"], importable)
    if said and said[-1]["step"] == "end" and not ending:
        return Probe(gpu, version, "", importable)
    return Probe(gpu, "", _crash(said, ending or "ended early", module_name), importable)


def _is_there(module_name: str) -> bool:
    """Whether there is such a module, without running any of it."""
    spec = importlib.util.find_spec(module_name) if module_name else None
    # A folder of that name without any code has no origin.
    return spec is not None and spec.origin is not None


def _crash(said: List[Dict[str, Any]], ending: str, module_name: str) -> str:
    reached = [item["step"] for item in said if item["step"] in _STEPS]
    happened = _STEPS[reached[-1]] if reached else "it started"
    happened = happened % module_name if "%s" in happened else happened
    advice = "Check the driver with nvidia-smi, and that TensorRT, CUDA and the driver belong together."
    return "A trial process %s when %s. %s" % (ending, happened, advice)
