"""TensorRT by its Python module."""

from typing import Any, Dict, List, Tuple

from device_agents.artefacts import Built, cached_build, sha256_of
from device_agents.backends.tensorrt.builder import compile_engine, optimization_level, workspace_bytes
from device_agents.backends.tensorrt.cuda import open_cuda
from device_agents.backends.tensorrt.engine import Engine
from device_agents.backends.tensorrt.launches import Launches
from device_agents.backends.tensorrt.precision import PRECISIONS
from device_agents.backends.tensorrt.profile import profile
from device_agents.backends.tensorrt.timing_cache import TimingCacheFile
from device_agents.backends.tensorrt.vendor import Vendor
from device_agents.onnx_file import read_onnx
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

_OPSET = 17
_RECIPE = 1  # Counts up when engines are built in another way, so that old ones are not taken from the cache.


class PythonRoute:
    """The vendor's module and the device, opened after a child process has tried both.

    Args:
        options: Of this conversation.
        gpu: What the child process found.
    """

    name = "python"

    def __init__(self, options: Options, gpu: Dict[str, Any]) -> None:
        self.gpu = gpu
        self._options = options
        self._cuda = open_cuda(gpu["route"])
        self._vendor = Vendor(options.settings.get("module") or "tensorrt")
        self._launches = Launches()

    def describe(self) -> Dict[str, Any]:
        """What decides about results and times."""
        runtime = {
            self._vendor.module_name: self._vendor.version,
            "cuda": self.gpu["cuda"],
            "cuda_driver": self.gpu["cuda_driver"],
            "cuda_access": self.gpu["route"],
        }
        return {
            "runtime": runtime,
            "precisions": list(PRECISIONS),
            "opset": _OPSET,
            "clock": "device",
            "typed_onnx": not self._vendor.has_precision_flags,
            "origin": "measured",
            "launch": "CUDA graph" if self._uses_graph() else "execute_async_v3",
        }

    def build(self, path: str, options: Options, folder: str) -> Built:
        """Compiles an ONNX file unless that was done before."""
        facts = read_onnx(path)
        gpu, vendor = self.gpu, self._vendor
        identity = [gpu["name"], gpu["cuda_driver"], gpu["cuda"], vendor.module_name, vendor.version]
        cache = TimingCacheFile(folder, identity)

        def compile_to(unfinished: str) -> List[str]:
            content, notes = compile_engine(vendor, path, facts, options, cache)
            try:
                with open(unfinished, "wb") as stream:
                    stream.write(content)
            except OSError as error:
                raise RpcError(BACKEND_FAILED, "The engine cannot be written: %s. Free some space." % error)
            return list(notes)

        return cached_build(folder, self._parts(path, options), "engine", compile_to)

    def load(self, path: str) -> Engine:
        """Loads an engine; a run is one launch of a captured graph unless that is switched off."""
        with open(path, "rb") as stream:
            content = stream.read()
        return Engine(self._vendor, self._cuda, content, self._uses_graph(), self._launches)

    def layers(self, model: Engine, runs: int) -> List[Dict[str, Any]]:
        """Time of each layer."""
        return profile(model, runs)

    def conditions(self) -> Dict[str, Any]:
        """Whether the runs since the last question were bound by their launches."""
        return self._launches.conditions()

    def memory_mib(self) -> Tuple[int, ...]:
        """Used and total memory of the device."""
        return self._cuda.memory_mib()

    def close(self) -> None:
        """Nothing is held but what models hold."""

    def _parts(self, path: str, options: Options) -> Dict[str, Any]:
        return {
            "recipe": _RECIPE,
            "route": self.name,
            "model": sha256_of(path),
            "precision": options.precision,
            "optimization_level": optimization_level(options),
            "workspace_bytes": workspace_bytes(options),
            "module": self._vendor.module_name,
            "version": self._vendor.version,
            "gpu": self.gpu["name"],
            "compute_capability": self.gpu["compute_capability"],
        }

    def _uses_graph(self) -> bool:
        return self._options.settings.get("cuda_graph", "on") != "off"
