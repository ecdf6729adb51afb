"""ONNX to engine with the vendor's builder; follows the documented interface of TensorRT 8.5 to 11.

What differs between versions is asked for by name (`hasattr`), never by version number.
"""

from typing import Any, List, Optional

from device_agents.backends.tensorrt.failures import code_of
from device_agents.backends.tensorrt.precision import check_precision
from device_agents.backends.tensorrt.timing_cache import TimingCacheFile
from device_agents.backends.tensorrt.vendor import Vendor
from device_agents.onnx_file import OnnxFacts
from device_agents.options import Options
from device_agents.protocol import BAD_MODEL, INVALID_PARAMS, RpcError


def compile_engine(vendor: Vendor, onnx_path: str, facts: OnnxFacts, options: Options, cache: TimingCacheFile) -> Any:
    """Builds an engine.

    Args:
        vendor: The vendor's module.
        onnx_path: The model.
        facts: What its file says.
        options: Precision and settings.
        cache: The timing cache of this GPU.

    Returns:
        The engine's bytes, and notes: which paths were taken.

    Raises:
        RpcError: With what the parser or the builder said.
    """
    notes = [check_precision(options.precision, facts, vendor.has_precision_flags, vendor.version)]
    vendor.forget_failures()
    builder = vendor.trt.Builder(vendor.log)
    network = _network(vendor, builder)
    _parse(vendor, network, onnx_path)
    config = builder.create_builder_config()
    notes += _configure(vendor, config, options)
    notes += _set_precision(vendor, builder, config, options.precision)
    notes.append(cache.attach(config))
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        said = vendor.failures().rstrip(".")
        raise RpcError(code_of(said), "TensorRT %s built no engine: %s." % (vendor.version, said))
    cache.keep(config)
    return bytes(serialized), notes


def workspace_bytes(options: Options) -> Optional[int]:
    """The workspace that was set, or None for all memory."""
    text = options.settings.get("workspace_mib", "")
    if not text:
        return None
    if not text.isdigit() or int(text) == 0:
        raise RpcError(INVALID_PARAMS, "workspace_mib = %r is no number of MiB; leave it empty for all memory." % text)
    return int(text) * 2**20


def optimization_level(options: Options) -> int:
    """The builder's effort that was set."""
    return int(options.settings.get("optimization_level") or 3)


def _network(vendor: Vendor, builder: Any) -> Any:
    """A network; before version 11 the kind with explicit batch has to be asked for."""
    explicit = getattr(vendor.trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    return builder.create_network(0 if explicit is None else 1 << int(explicit))


def _parse(vendor: Vendor, network: Any, onnx_path: str) -> None:
    parser = vendor.trt.OnnxParser(network, vendor.log)
    if parser.parse_from_file(onnx_path):
        return
    problems = [_problem(parser.get_error(index)) for index in range(parser.num_errors)]
    said = "; ".join(problems) or vendor.failures()
    raise RpcError(BAD_MODEL, "TensorRT %s cannot read the model: %s." % (vendor.version, said.rstrip(".")))


def _problem(parser_error: Any) -> str:
    """One error of the parser, with the node where it is known."""
    # Newer parsers name the node; older ones count it.
    place = parser_error.node_name() if hasattr(parser_error, "node_name") else "number %d" % parser_error.node()
    return "node %s: %s" % (place, parser_error.desc())


def _configure(vendor: Vendor, config: Any, options: Options) -> List[str]:
    trt, notes = vendor.trt, []
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    workspace = workspace_bytes(options)
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
        notes.append("workspace %d MiB" % (workspace // 2**20))
    level = optimization_level(options)
    if hasattr(config, "builder_optimization_level"):
        config.builder_optimization_level = level
        if level == 0:
            notes.append("optimization level 0 does not use the timing cache")
    else:
        notes.append("TensorRT %s has no optimization level; %d was not applied" % (vendor.version, level))
    if hasattr(config, "max_aux_streams"):
        config.max_aux_streams = 0  # Layers that overlap could not be timed one by one.
    return notes


def _set_precision(vendor: Vendor, builder: Any, config: Any, precision: str) -> List[str]:
    trt, notes = vendor.trt, []
    if precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)
        notes.append("TF32 off")
    if not vendor.has_precision_flags:
        return notes
    if precision == "fp16":
        config.set_flag(trt.BuilderFlag.FP16)
        if getattr(builder, "platform_has_fast_fp16", True) is False:
            notes.append("the builder says that this GPU has no fast fp16")
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
        if getattr(builder, "platform_has_fast_int8", True) is False:
            notes.append("the builder says that this GPU has no fast int8")
    return notes
