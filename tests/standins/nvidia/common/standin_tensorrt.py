"""Stand-in for TensorRT 8.5, 8.6, 10 and 11: builds and runs with ONNX Runtime, fails and chatters as documented.

A class has an attribute exactly when names.json says that the version has it; as in pybind11 nothing can be set that is
not there. Knows STANDIN_FAIL = build, crash, cache, enqueue, capture, report, aux, profiler, context.
"""

import ctypes
import enum
import sys
from pathlib import Path

import standin_gpu
import standin_plan
from standin_gpu import GPU, fails, noise


def namespace(version):
    """What `import tensorrt` has in one version."""

    def has(name):
        return standin_gpu.documented("tensorrt", name, version)

    def members(name, first=0):
        found = [full.split(".")[1] for full in standin_gpu.NAMES["tensorrt"] if full.startswith(name + ".")]
        return enum.IntEnum(name, [member for member in found if has(f"{name}.{member}")], start=first)

    BuilderFlag = members("BuilderFlag")
    NetworkDefinitionCreationFlag = members("NetworkDefinitionCreationFlag")
    MemoryPoolType = members("MemoryPoolType")
    ProfilingVerbosity = members("ProfilingVerbosity")
    LayerInformationFormat = members("LayerInformationFormat")
    TensorIOMode = members("TensorIOMode")
    DataType = members("DataType")
    Severity = enum.IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], start=0)

    class Documented:
        def __init_subclass__(cls):
            for name in [name for name in vars(cls) if not name.startswith("_")]:
                if not has(f"{cls.__name__}.{name}"):
                    delattr(cls, name)

        def __setattr__(self, name, value):
            if not name.startswith("_") and not hasattr(type(self), name):
                raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
            object.__setattr__(self, name, value)

    class ILogger:
        def __init__(self):
            self._ready = True

        def log(self, severity, msg):
            raise NotImplementedError

    for severity in Severity:
        setattr(ILogger, severity.name, severity)
    ILogger.Severity = Severity

    class Logger(ILogger):
        def __init__(self, severity=Severity.WARNING):
            super().__init__()

        def log(self, severity, msg):
            noise(f"[TRT] {msg}")

    def say(logger, severity, text):
        if not getattr(logger, "_ready", False):
            raise TypeError("ILogger.__init__() must be called when overriding __init__")
        logger.log(severity, text)

    class IHostMemory(bytes):
        @property
        def nbytes(self):
            return len(self)

    class ITimingCache(Documented):
        def __init__(self, content):
            self._content = content

        def serialize(self):
            return IHostMemory(self._content)

        def combine(self, other, ignore_mismatch):
            return True

        def reset(self):
            return True

    class IBuilderConfig(Documented):
        builder_optimization_level = 3
        max_aux_streams = -1
        profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        avg_timing_iterations = 8
        max_workspace_size = 0

        def __init__(self):
            self._flags = {BuilderFlag.TF32}
            self._workspace = None
            self._cache = None

        def set_memory_pool_limit(self, pool, size):
            self._workspace = size

        def set_flag(self, flag):
            self._flags.add(BuilderFlag(flag))

        def clear_flag(self, flag):
            self._flags.discard(BuilderFlag(flag))

        def create_timing_cache(self, content):
            return ITimingCache(bytes(content))

        def set_timing_cache(self, cache, ignore_mismatch):
            stamp = f"timing {version} {standin_gpu.NAME}".encode()
            if cache._content and (not cache._content.startswith(stamp) or fails("cache")):
                return False
            self._cache = cache
            cache._content = cache._content or stamp
            return True

        def get_timing_cache(self):
            return self._cache

    class INetworkDefinition(Documented):
        def __init__(self):
            self._content = None

    class Builder(Documented):
        platform_has_fast_fp16 = True
        platform_has_fast_int8 = False

        def __init__(self, logger):
            noise("[MemUsageChange] Init CUDA: CPU +1, GPU +0")
            self._logger = logger

        def create_network(self, flags=0):
            explicit = getattr(NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
            if number(version) < (10, 0) and not flags & (1 << int(explicit)):
                raise RuntimeError("the stand-in has no implicit batch")
            return INetworkDefinition()

        def create_builder_config(self):
            return IBuilderConfig()

        def build_serialized_network(self, network, config):
            noise("[TRT] building")
            if fails("build"):
                node = standin_plan.node_names(network._content)[0]
                say(self._logger, Severity.WARNING, "TensorRT was linked against cuDNN 8.9 but loaded cuDNN 8.7")
                say(
                    self._logger,
                    Severity.ERROR,
                    "10: [optimizer.cpp::computeCosts::4040] Error Code 10: Internal Error (Could not find any "
                    f"implementation for node {node}.)",
                )
                return None
            config._cache._content += b"+"
            detailed = config.profiling_verbosity == ProfilingVerbosity.DETAILED
            facts = {
                "version": version,
                "gpu": standin_gpu.NAME,
                "flags": sorted(flag.name for flag in config._flags),
                "detailed": detailed,
                "level": getattr(config, "builder_optimization_level", None),
                "workspace": config._workspace,
                "aux": 2 if fails("aux") else max(getattr(config, "max_aux_streams", 0), 0),
            }
            return IHostMemory(standin_plan.pack(facts, network._content))

    class IParserError(Documented):
        def __init__(self, text, index, name, operator):
            self._values = (text, index, name, operator)

        def desc(self):
            return self._values[0]

        def code(self):
            return 8

        def node(self):
            return self._values[1]

        def node_name(self):
            return self._values[2]

        def node_operator(self):
            return self._values[3]

    class OnnxParser(Documented):
        def __init__(self, network, logger):
            self._network = network
            self._logger = logger
            self._errors = []

        num_errors = property(lambda self: len(self._errors))

        def parse_from_file(self, path):
            noise("[TRT] parsing")
            self._network._content = Path(path).read_bytes()
            for index, (name, operator) in enumerate(standin_plan.unsupported(self._network._content)):
                text = (
                    f"In node {index} with name: {name} and operator: {operator}: UNSUPPORTED_NODE: Assertion failed."
                )
                self._errors.append(IParserError(text, index, name, operator))
            return not self._errors

        def get_error(self, index):
            return self._errors[index]

    class Runtime(Documented):
        def __init__(self, logger):
            noise("[TRT] runtime")
            if fails("crash"):
                say(logger, Severity.ERROR, "createInferRuntime: Error Code 6: API Usage Error")
                standin_gpu.crash()
            self._logger = logger

        def deserialize_cuda_engine(self, buffer):
            facts, model = standin_plan.unpack(bytes(buffer))
            if facts.get("version") != version or facts.get("gpu") != standin_gpu.NAME:
                text = "1: [stdArchiveReader.cpp::StdArchiveReader::40] Error Code 1: Serialization (Serialization "
                text += "assertion stdVersionRead == serializationVersion failed.Version tag does not match)"
                say(self._logger, Severity.ERROR, text)
                return None
            return ICudaEngine(facts, model, self._logger)

    class ICudaEngine(Documented):
        def __init__(self, facts, model, logger):
            self._facts = facts
            self._model = standin_plan.Model(facts, model)
            self._logger = logger

        num_io_tensors = property(lambda self: len(self._model.ports))
        num_aux_streams = property(lambda self: self._facts["aux"])
        num_layers = property(lambda self: len(self._model.layers))

        def get_tensor_name(self, index):
            return list(self._model.ports)[index]

        def get_tensor_mode(self, name):
            return TensorIOMode.INPUT if self._model.ports[name].is_input else TensorIOMode.OUTPUT

        def get_tensor_shape(self, name):
            return tuple(self._model.ports[name].shape)

        def get_tensor_dtype(self, name):
            return getattr(DataType, self._model.ports[name].kind)

        def create_execution_context(self):
            noise("[TRT] context")
            return None if fails("context") else IExecutionContext(self, self._logger)

        def create_engine_inspector(self):
            return EngineInspector(self)

    class EngineInspector(Documented):
        execution_context = None

        def __init__(self, engine):
            self._engine = engine

        def get_engine_information(self, form):
            return standin_plan.information(self._engine._model, self._engine._facts)

    class IExecutionContext(Documented):
        profiler = None
        enqueue_emits_profile = True

        def __init__(self, engine, logger):
            self._engine = engine
            self._logger = logger
            self._addresses = {}
            self._pending = False
            self._reports = 0

        def set_tensor_address(self, name, pointer):
            self._addresses[name] = int(pointer)
            return name in self._engine._model.ports

        def execute_async_v3(self, stream_handle):
            model = self._engine._model
            captured = fails("capture") and stream_handle in GPU.capturing
            if fails("enqueue") or captured or set(self._addresses) != set(model.ports):
                text = "3: [executionContext.cpp::enqueueV3::2666] Error Code 3: API Usage Error (cannot enqueue)"
                say(self._logger, Severity.ERROR, text)
                return False
            GPU.submit(stream_handle, self._execute, model.duration_ns)
            self._pending = True
            if self.profiler is not None and getattr(self, "enqueue_emits_profile", True):
                self.report_to_profiler()
            return True

        def _execute(self):
            model = self._engine._model
            inputs = {
                name: ctypes.string_at(self._addresses[name], port.size)
                for name, port in model.ports.items()
                if port.is_input
            }
            for name, content in model.run(inputs).items():
                ctypes.memmove(self._addresses[name], content, len(content))

        def report_to_profiler(self):
            if fails("report") or not self._pending:
                return False
            self._pending = False
            self._reports += 1
            for index, layer in enumerate(self._engine._model.layers):
                if fails("profiler") and index == 1 and self._reports % 2:
                    continue
                try:
                    self.profiler.report_layer_time(layer.name, layer.duration_ns / 1e6)
                except Exception as error:  # As the binding does.
                    sys.stderr.write(f"[ERROR] Exception caught in report_layer_time(): {error}\n")
            GPU.now_ns += 1000
            return True

    class IProfiler:
        def __init__(self):
            self._ready = True

        def report_layer_time(self, layer_name, ms):
            raise NotImplementedError

    class Profiler(IProfiler):
        def report_layer_time(self, layer_name, ms):
            noise(f"{layer_name}: {ms}ms")

    number = standin_gpu.number
    found = {name: value for name, value in locals().items() if name in standin_gpu.NAMES["tensorrt"] and has(name)}
    return {**found, "__version__": version}
