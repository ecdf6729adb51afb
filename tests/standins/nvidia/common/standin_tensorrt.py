"""Stand-in for TensorRT 8.5, 8.6, 10 and 11: builds and runs with ONNX Runtime, fails and chatters as documented.

A class has an attribute exactly when names.json says that the version has it; as in pybind11 nothing can be set that is
not there. Knows STANDIN_FAIL = build, crash, cache, enqueue, capture, report, aux, profiler, context.
"""

import enum
from types import SimpleNamespace

import standin_gpu
import standin_tensorrt_build
import standin_tensorrt_run
from standin_gpu import noise


def namespace(version):
    """What `import tensorrt` has in one version."""
    shared = _shared(version)
    classes = {**vars(shared), **standin_tensorrt_build.classes(shared), **standin_tensorrt_run.classes(shared)}
    table = standin_gpu.NAMES["tensorrt"]
    found = {name: value for name, value in classes.items() if name in table and shared.has(name)}
    return {**found, "__version__": version}


def _shared(version):
    """Enumerations and bases that both halves use."""

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

    class IProfiler:
        def __init__(self):
            self._ready = True

        def report_layer_time(self, layer_name, ms):
            raise NotImplementedError

    class Profiler(IProfiler):
        def report_layer_time(self, layer_name, ms):
            noise(f"{layer_name}: {ms}ms")

    return SimpleNamespace(**locals())
