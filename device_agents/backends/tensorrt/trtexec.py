"""The command `trtexec`: its arguments by version, its markers, and the files that it writes.

Follows the documented command of TensorRT 8.5 to 11. A command has no feature tests, so here the version decides; it is
read from the first line that the command prints.
"""

import json
import math
import os
import re
import shutil
from typing import Any, Dict, List, Optional, Sequence, Tuple

from device_agents.backends.tensorrt.failures import code_of
from device_agents.protocol import BACKEND_FAILED, RpcError
from device_agents.runner import Runner

_BANNER = re.compile(r"&&&& RUNNING TensorRT\.trtexec \[TensorRT v(\d+)\]")
_PASSED = re.compile(r"^&&&& PASSED TensorRT\.trtexec", re.MULTILINE)
_PROBLEM = re.compile(r"\[E\]")
_PLACES = ("/usr/src/tensorrt/bin/trtexec", "/usr/local/tensorrt/bin/trtexec")
_VERSION_S = 60
RUN_S = 840.0
_SHOWN_LINES = 4
_WARM_UP_MS = 200

Version = Tuple[int, int, int]


class Trtexec:
    """A found command, started by a helper process that ends it when the agent or its host is gone.

    Attributes:
        path: Where it is.
        version: Major, minor and patch.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._runner = Runner()
        try:
            # It names its version before it does anything, help included.
            self.version = version_of(self._output(["--help"], _VERSION_S)[1], path)
        except BaseException:
            self.close()
            raise

    @property
    def version_text(self) -> str:
        """As "10.3.0"."""
        return ".".join(str(part) for part in self.version)

    @property
    def has_precision_flags(self) -> bool:
        """Whether the command chooses the precision; else the types in the ONNX file do."""
        return self.version < (11, 0, 0)

    def run(self, arguments: Sequence[str], timeout_s: float = RUN_S) -> None:
        """Runs it; success is exit status 0 and the PASSED marker, nothing less."""
        status, text = self._output(arguments, timeout_s)
        if status == 0 and _PASSED.search(text):
            return
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        problems = [line for line in lines if _PROBLEM.search(line)] or lines[-_SHOWN_LINES:]
        known = (self.version_text, status, " | ".join(problems[:_SHOWN_LINES]) or "it said nothing")
        raise RpcError(code_of(" ".join(problems)), "trtexec %s failed with status %d: %s" % known)

    def close(self) -> None:
        """Ends the helper process."""
        self._runner.stop()

    def _output(self, arguments: Sequence[str], timeout_s: float) -> Tuple[int, str]:
        finished = self._runner.run([self.path] + list(arguments), timeout_s=timeout_s)
        if finished.missing:
            raise RpcError(BACKEND_FAILED, finished.output)
        if finished.timed_out:
            raise RpcError(BACKEND_FAILED, "%s did not end within %.0f s." % (self.path, timeout_s))
        return finished.status, finished.output


def find_trtexec() -> Optional[str]:
    """Path of the command, from the search path or where NVIDIA's packages put it."""
    found = shutil.which("trtexec")
    return found or next((place for place in _PLACES if os.access(place, os.X_OK)), None)


def version_of(text: str, path: str) -> Version:
    """Reads the banner: v8601 is 8.6.1, v100300 is 10.3.0."""
    banner = _BANNER.search(text)
    if not banner:
        said = " | ".join(text.split("\n")[:2])
        raise RpcError(BACKEND_FAILED, "%s does not say which version it is: %s" % (path, said))
    number = int(banner.group(1))
    major = 1000 if number < 10000 else 10000
    return number // major, number % major // 100, number % 100


def build_arguments(
    version: Version, onnx: str, engine: str, precision: str, level: int, workspace_mib: Optional[int], cache: str
) -> List[str]:
    """Arguments that build an engine and do nothing else."""
    arguments = ["--onnx=%s" % onnx, "--saveEngine=%s" % engine, "--profilingVerbosity=detailed"]
    arguments.append("--timingCacheFile=%s" % cache)
    arguments.append("--skipInference" if version >= (8, 6, 0) else "--buildOnly")
    if version >= (8, 6, 0):
        arguments.append("--builderOptimizationLevel=%d" % level)
    if workspace_mib is not None:
        arguments.append("--memPoolSize=workspace:%d" % workspace_mib)
    if precision == "fp32":
        arguments.append("--noTF32")
    elif version < (11, 0, 0):
        arguments.append("--%s" % precision)
    return arguments


def time_arguments(version: Version, engine: str, times: str, runs: int) -> List[str]:
    """Arguments that time an engine by the same rules in every version: graph, spinning, no copies."""
    arguments = ["--loadEngine=%s" % engine, "--exportTimes=%s" % times]
    return arguments + _window(runs) + _same_rules(version)


def layer_arguments(version: Version, engine: str, profile: str, information: str, runs: int) -> List[str]:
    """Arguments that time the layers of an engine."""
    arguments = ["--loadEngine=%s" % engine, "--exportProfile=%s" % profile, "--exportLayerInfo=%s" % information]
    return arguments + ["--profilingVerbosity=detailed"] + _window(runs) + _same_rules(version)


def read_times(path: str) -> List[Dict[str, float]]:
    """The runs in an exportTimes file."""
    runs = _json(path)
    if not isinstance(runs, list) or not runs or not all("computeMs" in run for run in runs):
        raise RpcError(BACKEND_FAILED, "trtexec wrote no times to %s." % path)
    return [{name: float(value) for name, value in run.items()} for run in runs]


def read_profile(path: str) -> List[Tuple[str, int]]:
    """Name and nanoseconds of each layer in an exportProfile file; its first element only counts the runs."""
    layers = _json(path)[1:]
    # Files of old versions have no median.
    return [(layer["name"], round(float(layer.get("medianMs", layer["averageMs"])) * 1e6)) for layer in layers]


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile as trtexec computes it."""
    ordered = sorted(values)
    dropped = math.floor((100 - percent) * len(ordered) / 100.0)
    return ordered[max(len(ordered) - 1 - dropped, 0)]


def read_text(path: str) -> str:
    """Content of a file that trtexec should have written."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise RpcError(BACKEND_FAILED, "trtexec passed and wrote no %s: %s." % (os.path.basename(path), error.strerror))


def _window(runs: int) -> List[str]:
    return ["--iterations=%d" % runs, "--duration=0", "--warmUp=%d" % _WARM_UP_MS]


def _same_rules(version: Version) -> List[str]:
    if version >= (11, 0, 0):
        return []  # They are the defaults there.
    return ["--useCudaGraph", "--useSpinWait", "--noDataTransfers", "--separateProfileRun"]


def _json(path: str) -> Any:
    try:
        return json.loads(read_text(path), strict=False)
    except ValueError as error:
        raise RpcError(BACKEND_FAILED, "trtexec wrote a file that is no JSON: %s." % error)
