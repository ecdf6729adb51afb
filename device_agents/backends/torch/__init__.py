"""PyTorch: the exported graph, run node by node with PyTorch's own operators, as a model in plain PyTorch would be.

In: an ONNX file, a device (cpu, cuda:0), a precision, eager calls or a CUDA graph. Out: times by CUDA events on a GPU,
by the host's clock on a processor. Norms are folded into convolutions in the file, so they cost nothing here either.

    graph.py        an ONNX file as a list of steps
    operators.py    one function an operator; what the exporter does not write is refused by name
    hardware.py     the device: what it can do, how it is set up, its clock
    execution.py    eager calls and CUDA graphs

The GPU's part has run on an NVIDIA H100 (PyTorch 2.11, CUDA 13.0).
"""

from typing import Any, Dict, List, Optional

from device_agents.artefacts import Built
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

try:
    import numpy
    import onnx
    import torch
except ImportError as error:
    raise RpcError(BACKEND_FAILED, "The backend torch needs %s: pip install torch onnx numpy." % error.name)

from device_agents import memory as memory_needed
from device_agents import tensors
from device_agents.backends.torch import execution, hardware  # noqa: E402 - they need the packages above
from device_agents.backends.torch.graph import Program
from device_agents.sensors import nvidia, processor
from device_agents.sensors.meter import Meter

FORMAT = "onnx"

# `conditions` and `memory` are called without options: what has to be read is decided once, by `start`.
_GPU: List[Any] = []


class Model:
    """A program with its weights and inputs on the device."""

    def __init__(self, path: str, options: Options) -> None:
        self.device = hardware.device_of(options)
        self.options = options
        self.program = Program(path, hardware.to_device(self.device, options))
        self.inputs = self.program.inputs
        self.outputs = self.program.outputs
        self.bind(tensors.random_arrays(self.inputs))

    def bind(self, arrays: List[Any]) -> None:
        """Puts inputs on the device, in its precision and layout; a captured graph reads them there."""
        move = hardware.to_device(self.device, self.options)
        values = [move(torch.from_numpy(array)) for array in arrays]
        self.executor = execution.executor_of(self.program, values, self.device, self.options.settings.get("mode"))

    def results(self) -> List[Any]:
        """The outputs of the latest run, in the types that the file names."""
        named = zip(self.outputs, self.executor.outputs())  # noqa: B905 - Python 3.7
        return [value.to("cpu", getattr(torch, tensor["dtype"])).numpy() for tensor, value in named]


def start(options: Options) -> None:
    """Sets threads and number formats, once, before anything runs."""
    hardware.set_up(options)
    device = hardware.device_of(options)
    if device.type == "cuda":
        _GPU.append(device)


def describe(options: Options) -> Dict[str, Any]:
    """Versions, the device, and how PyTorch was set up."""
    device = hardware.device_of(options)
    versions = {"torch": str(torch.__version__), "onnx": onnx.__version__, "numpy": numpy.__version__}
    return {
        "runtime": dict(versions, **hardware.versions(device)),
        "accelerator": hardware.full_name(device),
        "gpu": nvidia.hardware(hardware.pci_bus_id(device)) if device.type == "cuda" else {},
        "precisions": hardware.precisions(device),
        "opset": 17,
        "clock": "device" if device.type == "cuda" else "host",
        "typed_onnx": False,
        "origin": "measured",
        "mode": options.settings.get("mode") or "eager",
        "memory_format": options.settings.get("memory_format") or "contiguous",
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
        "tf32": False,
    }


def build(path: str, options: Options, folder: str) -> Built:
    """Returns the ONNX file itself: PyTorch compiles nothing here."""
    del options, folder
    return Built(path)


def load(path: str, options: Options) -> Model:
    """Reads a graph and puts its weights on the device."""
    hardware.check(options)
    with torch.inference_mode():
        return Model(path, options)


def run(model: Model, inputs: Optional[List[bytes]]) -> Any:
    """Runs a model once; see the contract of a backend."""
    with torch.inference_mode():
        if inputs is None:
            return model.executor.timed()
        model.bind(tensors.arrays_of(model.inputs, inputs))
        model.executor.timed()
        return tensors.contents_of(model.outputs, model.results())


def close(model: Model) -> None:
    """Frees a model."""
    del model.executor, model.program


def layers(model: Model, runs: int) -> List[Dict[str, Any]]:
    """Mean time of every node, waiting for each: what a network hides by working ahead is visible here."""
    with torch.inference_mode():
        return execution.layers(model.executor, model.program, model.device, runs)


def memory() -> Any:
    """Used and total memory of the GPU in MiB; empty where the processor computes in its own."""
    for device in _GPU:
        free, total = torch.cuda.mem_get_info(device)
        return (total - free) // 1024**2, total // 1024**2
    return ()


def conditions() -> Dict[str, Any]:
    """What an NVIDIA GPU is doing, where that is what computes."""
    return nvidia.conditions(hardware.pci_bus_id(_GPU[0])) if _GPU else {}


def meters(options: Options) -> List[Meter]:
    """The sensors of what computes."""
    del options
    return nvidia.meters(hardware.pci_bus_id(_GPU[0])) if _GPU else processor.meters()


def memory_of(path: str, options: Options) -> Dict[str, Any]:
    """Memory that a model needs, on the GPU where that computes."""
    return memory_needed.of_fresh_process("torch", path, options, bool(_GPU))
