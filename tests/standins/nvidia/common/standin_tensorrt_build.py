"""Stand-in for the half of TensorRT that builds: network, parser, configuration, timing cache."""

from pathlib import Path

import standin_gpu
import standin_plan
from standin_gpu import fails, noise


def classes(v):
    """The classes of one version.

    Args:
        v: What both halves use, see `standin_tensorrt`.
    """

    class ITimingCache(v.Documented):
        def __init__(self, content):
            self._content = content

        def serialize(self):
            return v.IHostMemory(self._content)

        def combine(self, other, ignore_mismatch):
            return True

        def reset(self):
            return True

    class IBuilderConfig(v.Documented):
        builder_optimization_level = 3
        max_aux_streams = -1
        profiling_verbosity = v.ProfilingVerbosity.LAYER_NAMES_ONLY
        avg_timing_iterations = 8
        max_workspace_size = 0

        def __init__(self):
            self._flags = {v.BuilderFlag.TF32}
            self._workspace = None
            self._cache = None

        def set_memory_pool_limit(self, pool, size):
            self._workspace = size

        def set_flag(self, flag):
            self._flags.add(v.BuilderFlag(flag))

        def clear_flag(self, flag):
            self._flags.discard(v.BuilderFlag(flag))

        def create_timing_cache(self, content):
            return ITimingCache(bytes(content))

        def set_timing_cache(self, cache, ignore_mismatch):
            stamp = f"timing {v.version} {standin_gpu.NAME}".encode()
            if cache._content and (not cache._content.startswith(stamp) or fails("cache")):
                return False
            self._cache = cache
            cache._content = cache._content or stamp
            return True

        def get_timing_cache(self):
            return self._cache

    class INetworkDefinition(v.Documented):
        def __init__(self):
            self._content = None

    class Builder(v.Documented):
        platform_has_fast_fp16 = True
        platform_has_fast_int8 = False

        def __init__(self, logger):
            noise("[MemUsageChange] Init CUDA: CPU +1, GPU +0")
            self._logger = logger

        def create_network(self, flags=0):
            explicit = getattr(v.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
            if standin_gpu.number(v.version) < (10, 0) and not flags & (1 << int(explicit)):
                raise RuntimeError("the stand-in has no implicit batch")
            return INetworkDefinition()

        def create_builder_config(self):
            return IBuilderConfig()

        def build_serialized_network(self, network, config):
            noise("[TRT] building")
            if fails("build"):
                node = standin_plan.node_names(network._content)[0]
                v.say(self._logger, v.Severity.WARNING, "TensorRT was linked against cuDNN 8.9 but loaded cuDNN 8.7")
                v.say(
                    self._logger,
                    v.Severity.ERROR,
                    "10: [optimizer.cpp::computeCosts::4040] Error Code 10: Internal Error (Could not find any "
                    f"implementation for node {node}.)",
                )
                return None
            config._cache._content += b"+"
            detailed = config.profiling_verbosity == v.ProfilingVerbosity.DETAILED
            facts = {
                "version": v.version,
                "gpu": standin_gpu.NAME,
                "flags": sorted(flag.name for flag in config._flags),
                "detailed": detailed,
                "level": getattr(config, "builder_optimization_level", None),
                "workspace": config._workspace,
                "aux": 2 if fails("aux") else max(getattr(config, "max_aux_streams", 0), 0),
            }
            return v.IHostMemory(standin_plan.pack(facts, network._content))

    class ParserError(v.Documented):
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

    class OnnxParser(v.Documented):
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
                self._errors.append(ParserError(text, index, name, operator))
            return not self._errors

        def get_error(self, index):
            return self._errors[index]

    return {name: value for name, value in locals().items() if isinstance(value, type)}
