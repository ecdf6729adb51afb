"""TensorRT by the command `trtexec`, where no Python module is: it builds and times, and gives no outputs.

One call of the command times a batch of runs, whose times are handed out one by one. What is left is thrown away when
another model comes, or when conditions are read: a burst has to be measured when it is asked for.
"""

import json
import os
import shutil
import tempfile
from typing import Any, Dict, List, Optional, Tuple

from device_agents.artefacts import Built, cached_build, sha256_of
from device_agents.backends.tensorrt import trtexec
from device_agents.backends.tensorrt.builder import optimization_level, workspace_bytes
from device_agents.backends.tensorrt.fused import layer_times, read_layers
from device_agents.backends.tensorrt.launches import Launches
from device_agents.backends.tensorrt.precision import PRECISIONS, check_precision
from device_agents.backends.tensorrt.timing_cache import TimingCacheFile
from device_agents.onnx_file import OnnxFacts, read_onnx
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

_OPSET = 17
_RECIPE = 1
_BATCH_RUNS = 32


class TimedEngine:
    """An engine that can be timed.

    Attributes:
        inputs: Name, dtype and shape; empty for an engine that was not built here, the command does not tell them.
        outputs: The same for outputs.
    """

    def __init__(self, route: "TrtexecRoute", path: str) -> None:
        self.path = path
        self._route = route
        ports = _ports(path)
        self.inputs: List[Dict[str, Any]] = ports["inputs"]
        self.outputs: List[Dict[str, Any]] = ports["outputs"]

    def run(self, inputs: Optional[List[bytes]]) -> int:
        """The device's nanoseconds of one run."""
        if inputs is not None:
            text = "trtexec times a model but gives no outputs, so results cannot be verified here. Install the "
            raise RpcError(BACKEND_FAILED, text + "Python module tensorrt for the interpreter of this device.")
        return self._route.next_ns(self)

    def close(self) -> None:
        """Nothing stays loaded between two commands."""


class TrtexecRoute:
    """A found command.

    Args:
        command: The command.
        gpu: Name, compute capability and whatever else is known of the device.
    """

    name = "trtexec"

    def __init__(self, command: trtexec.Trtexec, gpu: Dict[str, Any]) -> None:
        self.gpu = gpu
        self._command = command
        self._launches = Launches()
        self._measured: Optional[TimedEngine] = None
        self._left: List[Dict[str, float]] = []
        self._batch: List[float] = []

    def describe(self) -> Dict[str, Any]:
        """What decides about results and times."""
        versions: Dict[str, Any] = {
            name: self.gpu[name] for name in ("cuda", "cuda_driver", "driver") if name in self.gpu
        }
        return {
            "runtime": dict(versions, trtexec=self._command.version_text),
            "precisions": list(PRECISIONS),
            "opset": _OPSET,
            "clock": "device",
            # One command times many runs: what the host's clock sees is the start of a process.
            "host_clock": False,
            "typed_onnx": not self._command.has_precision_flags,
            "origin": "measured",
            "launch": "CUDA graph of trtexec",
        }

    def build(self, path: str, options: Options, folder: str) -> Built:
        """Compiles an ONNX file unless that was done before."""
        facts = read_onnx(path)
        version = self._command.version_text
        note = check_precision(options.precision, facts, self._command.has_precision_flags, version)
        workspace = workspace_bytes(options)
        parts = {
            "recipe": _RECIPE,
            "route": self.name,
            "model": sha256_of(path),
            "precision": options.precision,
            "optimization_level": optimization_level(options),
            "workspace_bytes": workspace,
            "version": version,
            "gpu": self.gpu["name"],
            "compute_capability": self.gpu.get("compute_capability", ""),
        }
        identity = [self.gpu["name"], self.gpu.get("cuda_driver", self.gpu.get("driver", "")), self.name, version]
        timing = TimingCacheFile(folder, identity)

        def compile_to(unfinished: str) -> List[str]:
            # The command rewrites its cache in place, so it works on a copy that replaces the file when it is whole.
            scratch = unfinished + ".timing"
            if os.path.isfile(timing.path):
                shutil.copyfile(timing.path, scratch)
            workspace_mib = None if workspace is None else workspace // 2**20
            level = optimization_level(options)
            arguments = (self._command.version, path, unfinished, options.precision, level, workspace_mib, scratch)
            self._command.run(trtexec.build_arguments(*arguments), _build_timeout_s(options))
            if os.path.isfile(scratch):
                os.replace(scratch, timing.path)
            return [note, "built by trtexec %s" % version]

        built = cached_build(folder, parts, "engine", compile_to)
        _keep_ports(built.path, facts)
        return built

    def load(self, path: str) -> TimedEngine:
        """An engine as a file; the command loads it for each batch."""
        return TimedEngine(self, path)

    def layers(self, model: TimedEngine, runs: int) -> List[Dict[str, Any]]:
        """Time of each layer."""
        with tempfile.TemporaryDirectory(prefix="mosegedge-trtexec-") as folder:
            profile, information = os.path.join(folder, "profile.json"), os.path.join(folder, "layers.json")
            version = self._command.version
            self._command.run(trtexec.layer_arguments(version, model.path, profile, information, runs))
            return layer_times(trtexec.read_profile(profile), read_layers(trtexec.read_text(information)))

    def next_ns(self, model: TimedEngine) -> int:
        """Hands out one run's time, measuring a new batch when none is left for this model."""
        if self._measured is not model or not self._left:
            with tempfile.TemporaryDirectory(prefix="mosegedge-trtexec-") as folder:
                path = os.path.join(folder, "times.json")
                self._command.run(trtexec.time_arguments(self._command.version, model.path, path, _BATCH_RUNS))
                self._left = trtexec.read_times(path)
            self._measured = model
            self._batch = [run["computeMs"] for run in self._left]
        run = self._left.pop(0)
        device_ns = round(run["computeMs"] * 1e6)
        self._launches.add(round((run.get("endEnqMs", 0.0) - run.get("startEnqMs", 0.0)) * 1e6), device_ns)
        return device_ns

    def conditions(self) -> Dict[str, Any]:
        """The last batch in trtexec's own terms; what is left of it belongs to the past."""
        found = self._launches.conditions()
        if self._batch:
            found["trtexec_p99_ms"] = trtexec.percentile(self._batch, 99)
        self._measured, self._left, self._batch = None, [], []
        return found

    def memory_mib(self) -> Tuple[int, ...]:
        """Not known by this route, and nothing stays loaded."""
        return ()

    def close(self) -> None:
        """Ends the helper process of the command."""
        self._command.close()


def _ports_path(engine: str) -> str:
    return engine + ".ports.json"


def _keep_ports(engine: str, facts: OnnxFacts) -> None:
    """The command does not tell an engine's inputs, so they are kept beside it."""
    unfinished = "%s.%d" % (_ports_path(engine), os.getpid())
    with open(unfinished, "w") as stream:
        json.dump({"inputs": facts.inputs, "outputs": facts.outputs}, stream)
    os.replace(unfinished, _ports_path(engine))


def _ports(engine: str) -> Dict[str, Any]:
    try:
        with open(_ports_path(engine)) as stream:
            return dict(json.load(stream))
    except (OSError, ValueError):  # Built elsewhere.
        return {"inputs": [], "outputs": []}


def _build_timeout_s(options: Options) -> float:
    """How long one build may take; the host has checked the number, and waits a little longer."""
    return float(options.settings.get("build_timeout_s") or trtexec.RUN_S)
