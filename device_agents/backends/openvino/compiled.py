"""Compiles for one device and reads back what OpenVINO made of the hints."""

from typing import Any, Dict, List

import openvino

from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

# Names that stand for "whichever device you like", for several at once, or for batches.
_CHOOSING = ("AUTO", "HETERO", "MULTI", "BATCH")
_TYPES = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}
_CAPABILITIES = {"fp32": "FP32", "fp16": "FP16", "bf16": "BF16"}
# The precision of these decides the time; small nodes around them may stay in f32.
_HEAVY = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")


def device_of(core: Any, options: Options) -> str:
    """The device as OpenVINO writes it, or an error that lists those that are there."""
    device = options.settings.get("device") or "CPU"
    if device.split(":")[0].split(".")[0].upper() in _CHOOSING:
        text = "The device %s lets OpenVINO choose where a model runs, in part or as a whole; name one of %s."
        raise RpcError(BACKEND_FAILED, text % (device, ", ".join(core.available_devices)))
    known = list(core.available_devices)
    # GPU is short for GPU.0 where there are several.
    if device not in known and device + ".0" not in known:
        raise RpcError(BACKEND_FAILED, "OpenVINO has no device %s here; it has %s." % (device, ", ".join(known)))
    return device


def capabilities(core: Any, device: str) -> List[str]:
    """What the device says that it is good at."""
    return [str(item) for item in core.get_property(device, "OPTIMIZATION_CAPABILITIES")]


def full_name(core: Any, device: str) -> str:
    """The product's name."""
    return str(core.get_property(device, "FULL_DEVICE_NAME")).strip()


def precisions(found: List[str]) -> List[str]:
    """Those that the device computes in by its own account."""
    return [precision for precision, name in _CAPABILITIES.items() if name in found]


def hints(device: str, options: Options) -> Dict[str, Any]:
    """What OpenVINO is told; only a processor has threads and streams of this kind."""
    found: Dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _TYPES.get(options.precision, options.precision),
    }
    if device == "CPU":
        found["INFERENCE_NUM_THREADS"] = options.threads
        found["NUM_STREAMS"] = 1
        found["ENABLE_CPU_PINNING"] = options.settings.get("pinning") == "on"
    return found


def read(core: Any, path: str) -> Any:
    """The model of a file, as OpenVINO understands it."""
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise RpcError(BAD_MODEL, "OpenVINO cannot read the model: %s" % _short(error))


def compiled(path: str, options: Options, counting: bool) -> Any:
    """A compiled model that was checked.

    Args:
        path: An ONNX file.
        options: Device, precision, threads.
        counting: Whether the time of every primitive is counted, which costs some.
    """
    core = openvino.Core()
    device = device_of(core, options)
    found = capabilities(core, device)
    if options.precision not in precisions(found):
        text = "%s (%s) does not compute in %s: its OPTIMIZATION_CAPABILITIES are %s. It can be timed in %s."
        names = ", ".join(precisions(found))
        raise RpcError(
            BACKEND_FAILED, text % (device, full_name(core, device), options.precision, ", ".join(found), names)
        )
    model = read(core, path)
    if any(not port.get_partial_shape().is_static for port in model.inputs):
        raise RpcError(BAD_MODEL, "The model has inputs without a fixed shape.")
    try:
        program = core.compile_model(model, device, dict(hints(device, options), PERF_COUNT=counting))
    except RuntimeError as error:
        raise RpcError(BAD_MODEL, "OpenVINO cannot compile the model for %s: %s" % (device, _short(error)))
    _check(program, device, options)
    return program


def _check(program: Any, device: str, options: Options) -> None:
    """Compares what will be executed with what was asked for."""
    executed = list(program.get_property("EXECUTION_DEVICES"))
    if executed != [device] and executed != [device + ".0"]:
        raise RpcError(BACKEND_FAILED, "Asked for %s, OpenVINO chose %s." % (device, ", ".join(executed)))
    wanted = _TYPES[options.precision]
    precision = program.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if precision != wanted:
        raise RpcError(BACKEND_FAILED, "Asked for %s, OpenVINO computes in %s." % (wanted, precision))
    if device != "CPU":
        return
    threads = program.get_property("INFERENCE_NUM_THREADS")
    if threads != options.threads:
        text = "Asked for %d threads, OpenVINO uses %d; set threads to what the device has."
        raise RpcError(BACKEND_FAILED, text % (options.threads, threads))
    for node in program.get_runtime_model().get_ordered_ops():
        facts = rt_facts(node)
        if facts.get("layerType") in _HEAVY and facts.get("runtimePrecision") != wanted:
            text = "Asked for %s, OpenVINO computes %s in %s."
            raise RpcError(BACKEND_FAILED, text % (wanted, node.get_friendly_name(), facts.get("runtimePrecision")))


def rt_facts(node: Any) -> Dict[str, str]:
    """What the runtime says about a node of the compiled model."""
    return {name: str(getattr(value, "value", value)) for name, value in node.get_rt_info().items()}


def _short(error: Exception) -> str:
    """OpenVINO's messages begin with places in its own sources."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("Exception from"))[:500]
