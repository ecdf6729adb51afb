"""ONNX Runtime with any execution provider that the device has.

In: an ONNX file, the name of a provider, a precision. Out: a session in which that provider runs every node, or a
sentence that says why there is none: a number is worth nothing when it is not known what was timed.

    providers.py    what each provider is called, can do and is told
    session.py      opens a session and proves that nothing fell back
    profile.py      ONNX Runtime's own profile: who ran which node, and how long it took

CPUExecutionProvider runs wherever the package is installed. The others follow the documented interface of their
provider.
"""

from typing import Any, Dict, List, Optional, Tuple

from device_agents.artefacts import Built
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

try:
    import numpy
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise RpcError(BACKEND_FAILED, "The backend onnxruntime needs %s: pip install onnxruntime." % error.name)

from device_agents import memory as memory_needed
from device_agents import tensors
from device_agents.backends.onnxruntime import profile, providers, session  # noqa: E402 - they need the packages above
from device_agents.sensors import nvidia, nvml, processor
from device_agents.sensors.meter import Absent, Meter

FORMAT = "onnx"

# `conditions` is called without options: what has to be read is decided once, when the conversation starts.
_SENSORS: List[Any] = []


class Model:
    """A session with its inputs and outputs bound where the provider computes, so that no copy is timed."""

    def __init__(self, path: str, options: Options) -> None:
        self.path = path
        self.options = options
        self.place = providers.place_of(options)
        self.session = session.opened(path, options)
        self.binding = self.session.io_binding()
        self.inputs = [session.described(port) for port in self.session.get_inputs()]
        self.outputs = [session.described(port) for port in self.session.get_outputs()]
        self.kept: Dict[str, Any] = {}
        self.bind(tensors.random_arrays(self.inputs))
        for tensor in self.outputs:
            self._bind_output(tensor)

    def bind(self, arrays: List[Any]) -> None:
        """Makes arrays the inputs of the runs to come; the binding does not keep them alive, so the model does."""
        for tensor, array in zip(self.inputs, arrays):  # noqa: B905 - Python 3.7
            name = tensor["name"]
            if self.place is None:
                self.kept[name] = array
                self.binding.bind_cpu_input(name, array)
            else:
                self.kept[name] = onnxruntime.OrtValue.ortvalue_from_numpy(array, *self.place)
                self.binding.bind_ortvalue_input(name, self.kept[name])

    def execute(self) -> None:
        """Runs once; the outputs are there when this returns."""
        self.session.run_with_iobinding(self.binding)
        if self.place is not None:
            self.binding.synchronize_outputs()

    def _bind_output(self, tensor: Dict[str, Any]) -> None:
        name = tensor["name"]
        if self.place is None:
            self.binding.bind_output(name, "cpu")
            return
        kind = numpy.dtype(tensor["dtype"]).type
        self.kept[name] = onnxruntime.OrtValue.ortvalue_from_shape_and_type(tensor["shape"], kind, *self.place)
        self.binding.bind_ortvalue_output(name, self.kept[name])


def on_processor(options: Options) -> bool:
    """Whether the chosen provider computes on the processor."""
    return providers.is_on_processor(options)


def start(options: Options) -> None:
    """Registers the provider's library where one is set; nothing else may be loaded before that."""
    providers.prepare(options)
    if providers.on_first_nvidia(options):
        _SENSORS.append(nvidia)


def describe(options: Options) -> Dict[str, Any]:
    """Versions of the runtime, its providers, and the precisions that the chosen one can time."""
    provider = providers.chosen(options)
    place = providers.place_of(options)
    return {
        "runtime": dict({"onnxruntime": onnxruntime.__version__, "numpy": numpy.__version__}, **providers.versions()),
        "accelerator": providers.accelerator(options),
        "tensors": "on %s:%d" % place if place else "in the processor's memory",
        "provider_options": providers.options_for(options),
        "providers": providers.available(),
        "precisions": providers.precisions(provider),
        "opset": 17,
        "clock": "host",
        "typed_onnx": options.precision == "fp16" and providers.is_typed(provider),
        "origin": "measured",
    }


def build(path: str, options: Options, folder: str) -> Built:
    """Returns the ONNX file itself: this runtime compiles while it loads."""
    del folder
    providers.check_precision(options)
    return Built(path)


def load(path: str, options: Options) -> Model:
    """Opens a session.

    Args:
        path: An ONNX file.
        options: The number of threads inside one operator; operators run one after the other.
    """
    providers.check_precision(options)
    return Model(path, options)


def run(model: Model, inputs: Optional[List[bytes]]) -> Optional[List[Dict[str, Any]]]:
    """Runs a model once; see the contract of a backend."""
    if inputs is None:
        model.execute()
        return None
    model.bind(tensors.arrays_of(model.inputs, inputs))
    model.execute()
    return tensors.contents_of(model.outputs, model.binding.copy_outputs_to_cpu())


def close(model: Model) -> None:
    """Frees a model."""
    model.binding.clear_binding_inputs()
    model.binding.clear_binding_outputs()
    model.kept.clear()
    del model.binding, model.session


def layers(model: Model, runs: int) -> List[Dict[str, Any]]:
    """Mean time of every kernel by the runtime's own profile, which counts in microseconds."""
    return profile.layers(session.profiled(model.path, model.options, runs))


def conditions() -> Dict[str, Any]:
    """What an NVIDIA GPU is doing, where that is what computes."""
    found: Dict[str, Any] = {}
    for sensor in _SENSORS:
        found.update(sensor.conditions())
    return found


def memory() -> Tuple[int, ...]:
    """Used and total MiB of an NVIDIA GPU that computes; empty elsewhere."""
    return nvml.memory_mib() if _SENSORS else ()


def meters(options: Options) -> List[Meter]:
    """The sensors of what computes, where it is known which device that is."""
    if providers.is_on_processor(options):
        return processor.meters()
    if _SENSORS:
        return nvidia.meters()
    return [Absent("ONNX Runtime does not tell which device %s computes on" % providers.chosen(options))]


def memory_of(path: str, options: Options) -> Dict[str, Any]:
    """Memory that a model needs, where its provider computes."""
    return memory_needed.of_fresh_process("onnxruntime", path, options, not providers.is_on_processor(options))
