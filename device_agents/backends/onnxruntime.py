"""ONNX Runtime on the CPU.

The provider is named, and a session that would run on another one is refused: a number is worth nothing when it is
not known what was timed.
"""

from typing import Any, Dict, List, Optional

from device_agents.artefacts import Built
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

try:
    import numpy
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise RpcError(BACKEND_FAILED, "The backend onnxruntime needs %s: pip install onnxruntime." % error.name)

FORMAT = "onnx"
_PROVIDER = "CPUExecutionProvider"
_TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}


class Model:
    """A session with its inputs bound."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.binding = session.io_binding()
        self.inputs = [_tensor(port) for port in session.get_inputs()]
        self.outputs = [_tensor(port) for port in session.get_outputs()]
        generator = numpy.random.RandomState(0)
        self.bind([_random(generator, tensor) for tensor in self.inputs])
        for tensor in self.outputs:
            self.binding.bind_output(tensor["name"], "cpu")

    def bind(self, arrays: List[Any]) -> None:
        """Makes arrays the inputs of the runs to come; the binding does not keep them alive, so the model does."""
        self.arrays = arrays
        for tensor, array in zip(self.inputs, arrays):  # noqa: B905 - Python 3.7
            self.binding.bind_cpu_input(tensor["name"], array)


def describe(options: Options) -> Dict[str, Any]:
    """Versions of the runtime, its providers, and the precisions that it can time."""
    del options
    return {
        "runtime": {"onnxruntime": onnxruntime.__version__, "numpy": numpy.__version__},
        "accelerator": _PROVIDER,
        "providers": onnxruntime.get_available_providers(),
        "precisions": ["fp32"],
        "opset": 17,
        "clock": "host",
        "typed_onnx": False,
        "origin": "measured",
    }


def build(model_path: str, options: Options, built_folder: str) -> Built:
    """Returns what `load` takes: the ONNX file itself, since this runtime compiles while it loads."""
    del options, built_folder
    return Built(model_path)


def load(built_path: str, options: Options) -> Model:
    """Opens a session.

    Args:
        built_path: An ONNX file.
        options: The number of threads inside one operator; operators run one after the other.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(built_path, settings, providers=[_PROVIDER])
        session.disable_fallback()
    except Exception as error:
        # Its error classes have no common base and are not public.
        raise RpcError(BAD_MODEL, "ONNX Runtime cannot load the model: %s" % error)
    if session.get_providers() != [_PROVIDER]:
        raise RpcError(BACKEND_FAILED, "Asked for %s, ONNX Runtime chose %s." % (_PROVIDER, session.get_providers()))
    return Model(session)


def run(model: Model, inputs: Optional[List[bytes]]) -> Optional[List[Dict[str, Any]]]:
    """Runs a model once.

    Args:
        model: What `load` returned.
        inputs: Raw little-endian content of each input, in the order of the model; None runs on the inputs of the
            last call (random ones at first) and leaves the outputs where they are, which is what is timed.

    Returns:
        For given inputs, each output as name, dtype, shape and content.
    """
    if inputs is None:
        model.session.run_with_iobinding(model.binding)
        return None
    if len(inputs) != len(model.inputs):
        raise RpcError(BAD_MODEL, "The model has %d inputs, %d were sent." % (len(model.inputs), len(inputs)))
    arrays = []
    for tensor, content in zip(model.inputs, inputs):  # noqa: B905 - Python 3.7
        expected = int(numpy.prod(tensor["shape"])) * numpy.dtype(tensor["dtype"]).itemsize
        if len(content) != expected:
            text = "The input %s has %d bytes, %d were sent." % (tensor["name"], expected, len(content))
            raise RpcError(BAD_MODEL, text)
        arrays.append(numpy.frombuffer(content, tensor["dtype"]).reshape(tensor["shape"]).copy())
    model.bind(arrays)
    model.session.run_with_iobinding(model.binding)
    outputs = [numpy.ascontiguousarray(value) for value in model.binding.copy_outputs_to_cpu()]
    return [
        {"name": tensor["name"], "dtype": str(value.dtype), "shape": list(value.shape), "content": value.tobytes()}
        for tensor, value in zip(model.outputs, outputs)  # noqa: B905 - Python 3.7
    ]


def close(model: Model) -> None:
    """Frees a model."""
    model.binding.clear_binding_inputs()
    model.binding.clear_binding_outputs()
    del model.binding, model.session


def _tensor(port: Any) -> Dict[str, Any]:
    shape = list(port.shape)
    if port.type not in _TYPES or not all(isinstance(side, int) and side > 0 for side in shape):
        text = "The tensor %s is %s with shape %s; fixed shapes of %s are supported."
        raise RpcError(BAD_MODEL, text % (port.name, port.type, shape, ", ".join(sorted(_TYPES))))
    return {"name": port.name, "dtype": _TYPES[port.type], "shape": shape}


def _random(generator: Any, tensor: Dict[str, Any]) -> Any:
    if tensor["dtype"] == "float32":
        return generator.standard_normal(tensor["shape"]).astype("float32")
    return generator.randint(0, 2, tensor["shape"]).astype(tensor["dtype"])
