"""TensorRT 8.5 to 11 and TensorRT-RTX, by their Python module, or by `trtexec` where there is none.

Follows the documented interface; one code path for all versions, which asks for names instead of version numbers:

    opened.py          which way is taken           probe.py    a child process tries the GPU first
    route.py           the Python module            vendor.py   the module and its logger
    builder.py         ONNX to engine               precision.py, timing_cache.py, failures.py
    engine.py          load and run                 cuda.py, cudart_ctypes.py, launches.py
    profile.py         time of each layer           fused.py    fused layers back to ONNX nodes
    trtexec_route.py   the command                  trtexec.py  its arguments and files
    checks.py          for the doctor
"""

import contextlib
from typing import Any, Dict, List, Optional, Tuple

from device_agents import memory as memory_needed
from device_agents.artefacts import Built
from device_agents.backends.tensorrt.checks import findings
from device_agents.backends.tensorrt.opened import Opened, try_out
from device_agents.options import Options
from device_agents.protocol import RpcError
from device_agents.sensors import jetson, nvidia
from device_agents.sensors.meter import Absent, Meter, NotMeasuredError

FORMAT = "engine"

# One conversation, one device: opened when it is first needed, so that the doctor can speak where nothing works.
_opened: Dict[str, Opened] = {}


def describe(options: Options) -> Dict[str, Any]:
    """Versions, the GPU, which way was taken, and whether the precision has to be in the ONNX file."""
    return _open(options).describe()


def build(path: str, options: Options, folder: str) -> Built:
    """Compiles an ONNX file to an engine for this GPU, once."""
    return _open(options).route.build(path, options, folder)


def load(path: str, options: Options) -> Any:
    """Loads an engine."""
    return _open(options).route.load(path)


def run(model: Any, inputs: Optional[List[bytes]]) -> Any:
    """One run: nanoseconds by CUDA events, or for given inputs the outputs."""
    return model.run(inputs)


def close(model: Any) -> None:
    """Frees a model."""
    model.close()


def layers(model: Any, runs: int) -> List[Dict[str, Any]]:
    """Time of each layer, with the ONNX nodes that it was made of."""
    route = _opened["device"].route
    return list(route.layers(model, runs))


def conditions() -> Dict[str, Any]:
    """Clocks, temperature, power and throttling of the GPU, and whether runs were bound by their launches."""
    return _opened["device"].conditions() if _opened else nvidia.conditions()


def memory() -> Tuple[int, ...]:
    """Used and total MiB of the GPU; empty where it has none of its own, or where that is not known."""
    return () if jetson.is_jetson() else _opened["device"].route.memory_mib()


def meters(options: Options) -> List[Meter]:
    """The GPU's sensors, or a Jetson's; with `trtexec` every run starts a program, whose energy is no model's."""
    opened = _open(options)
    if not opened.describe().get("host_clock", True):
        return [Absent("trtexec starts a program for every run; energy needs TensorRT's Python module")]
    return nvidia.meters(str(opened.tried.gpu.get("pci_bus_id", "")))


def memory_of(path: str, options: Options) -> Dict[str, Any]:
    """Memory of the GPU that an engine needs with its execution context."""
    if jetson.is_jetson():
        raise NotMeasuredError(
            "a Jetson's GPU uses the memory of the whole board, of which nothing tells a model's share"
        )
    return memory_needed.of_fresh_process("tensorrt", path, options, True)


def checks(options: Options) -> List[Dict[str, str]]:
    """Findings for the doctor; they come also where nothing can be opened."""
    if not _opened:
        tried = try_out(options)
        # What keeps it from opening is among the findings.
        with contextlib.suppress(RpcError):
            _opened["device"] = Opened(options, tried)
    else:
        tried = _opened["device"].tried
    return findings(options, tried, _opened["device"].route.memory_mib() if _opened else ())


def stop() -> None:
    """The conversation is over."""
    for opened in _opened.values():
        opened.route.close()
    _opened.clear()


def _open(options: Options) -> Opened:
    if not _opened:
        _opened["device"] = Opened(options, try_out(options))
    return _opened["device"]
