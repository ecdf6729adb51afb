"""OpenVINO on one device of its own naming, in exactly the precision that was asked for.

In: an ONNX file, a device such as CPU, a precision. Out: a compiled model whose executed precision, device and number
of threads were read back and compared. OpenVINO takes all three as hints: it computes in bf16 where f16 is asked of a
processor that only has bf16, and in bf16 where nothing is asked.

    compiled.py    compiles and reads back what was made of the hints
    layers.py      time of the primitives, by the ONNX nodes that they were made of
"""

from typing import Any, Dict, List, Optional

from device_agents.artefacts import Built
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

try:
    import numpy
    import openvino
except ImportError as error:
    raise RpcError(BACKEND_FAILED, "The backend openvino needs %s: pip install openvino." % error.name)

from device_agents import memory as memory_needed
from device_agents import tensors  # noqa: E402 - they need the packages above
from device_agents.backends.openvino import compiled  # noqa: E402 - it needs the packages above
from device_agents.backends.openvino import layers as layer_times  # noqa: E402
from device_agents.sensors import processor  # noqa: E402
from device_agents.sensors.meter import Absent, Meter, NotMeasuredError  # noqa: E402

FORMAT = "onnx"


class Model:
    """A compiled model with one request, whose inputs and outputs stay where they are."""

    def __init__(self, path: str, options: Options) -> None:
        self.path = path
        self.options = options
        program = compiled.compiled(path, options, False)
        self.inputs = [_described(port) for port in program.inputs]
        self.outputs = [_described(port) for port in program.outputs]
        self.request = program.create_infer_request()
        self.bind(tensors.random_arrays(self.inputs))

    def bind(self, arrays: List[Any]) -> None:
        """Makes arrays the inputs of the runs to come, without a copy."""
        self.arrays = arrays
        for index, array in enumerate(arrays):
            self.request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))

    def execute(self) -> None:
        """Runs once; outputs are shared with the runtime, so that no copy is timed."""
        self.request.infer(share_outputs=True)

    def results(self) -> List[Any]:
        """The outputs of the latest run."""
        return [self.request.get_output_tensor(index).data for index in range(len(self.outputs))]


def describe(options: Options) -> Dict[str, Any]:
    """The runtime, the device, and how its precisions were found out."""
    core = openvino.Core()
    device = compiled.device_of(core, options)
    capabilities = compiled.capabilities(core, device)
    return {
        "runtime": {"openvino": openvino.__version__, "numpy": numpy.__version__},
        "accelerator": "%s: %s" % (device, compiled.full_name(core, device)),
        "devices": list(core.available_devices),
        "precisions": compiled.precisions(capabilities),
        "precisions_from": "%s reports OPTIMIZATION_CAPABILITIES %s" % (device, ", ".join(capabilities)),
        "opset": 17,
        "clock": "host",
        "typed_onnx": False,
        "origin": "measured",
        "hints": {name: str(value) for name, value in compiled.hints(device, options).items()},
    }


def build(path: str, options: Options, folder: str) -> Built:
    """Returns the ONNX file itself: OpenVINO compiles in less time than a cache would take to be trusted."""
    del options, folder
    return Built(path)


def load(path: str, options: Options) -> Model:
    """Compiles a model and makes sure that the hints were followed."""
    return Model(path, options)


def run(model: Model, inputs: Optional[List[bytes]]) -> Optional[List[Dict[str, Any]]]:
    """Runs a model once; see the contract of a backend."""
    if inputs is None:
        model.execute()
        return None
    model.bind(tensors.arrays_of(model.inputs, inputs))
    model.execute()
    return tensors.contents_of(model.outputs, model.results())


def close(model: Model) -> None:
    """Frees a model."""
    del model.request
    model.arrays = []


def layers(model: Model, runs: int) -> List[Dict[str, Any]]:
    """Mean time of every primitive, in a second compilation that counts time."""
    program = compiled.compiled(model.path, model.options, True)
    request = program.create_infer_request()
    for index, array in enumerate(tensors.random_arrays(model.inputs)):
        request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))
    return layer_times.measured(program, request, compiled.read(openvino.Core(), model.path), runs)


def meters(options: Options) -> List[Meter]:
    """The processor's sensors; what OpenVINO's other devices have is not known."""
    if _is_processor(options):
        return processor.meters()
    return [Absent("no sensor is known for OpenVINO's device %s" % options.settings.get("device"))]


def memory_of(path: str, options: Options) -> Dict[str, Any]:
    """Memory that a model needs on the processor."""
    if not _is_processor(options):
        raise NotMeasuredError("OpenVINO does not tell the memory of %s" % options.settings.get("device"))
    return memory_needed.of_fresh_process("openvino", path, options, False)


def _is_processor(options: Options) -> bool:
    return (options.settings.get("device") or "CPU").upper().startswith("CPU")


def _described(port: Any) -> Dict[str, Any]:
    partial = port.get_partial_shape()
    shape = list(port.get_shape()) if partial.is_static else [str(partial)]
    return tensors.described(port.get_any_name(), str(port.get_element_type().to_dtype()), shape)
