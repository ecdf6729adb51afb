"""A GPU box made of stand-ins: which modules and commands it has, and a real agent process on it."""

from __future__ import annotations

import importlib.util
import os
import runpy
import stat
import sys
from pathlib import Path

from mosegedge.devices.backends import get_backend
from mosegedge.files import sha256_of_bytes

STANDINS = Path(__file__).parents[1] / "standins" / "nvidia"
NAMES = runpy.run_path(str(STANDINS / "common" / "standin_names.py"))["NAMES"]
# Found by its path, since folders of tests are no packages.
_SPEC = importlib.util.spec_from_file_location("agentprocess", STANDINS.parents[1] / "agents" / "agentprocess.py")
agentprocess = sys.modules.get("agentprocess") or importlib.util.module_from_spec(_SPEC)
if "agentprocess" not in sys.modules:
    sys.modules["agentprocess"] = agentprocess
    _SPEC.loader.exec_module(agentprocess)

TENSORRT = get_backend("tensorrt")
BURST = {"min_samples": 3, "max_samples": 3, "min_ns": 0, "max_warmup": 4}


def program(folder: Path, name: str) -> None:
    """Puts one stand-in command into a folder of the search path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    source = STANDINS / "programs" / f"{name.replace('-', '_')}.py"
    path.write_text(f"#!{sys.executable}\nimport runpy\nrunpy.run_path({str(source)!r}, run_name='__main__')\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def environment(
    folder: Path, *, modules: str = "trt cuda_new nvml", programs: str = "", version: str = "10.3.0", **state: str
) -> dict[str, str]:
    """Variables of a box.

    Args:
        folder: Of the test.
        modules: Folders of the stand-ins that its Python finds.
        programs: Commands that it has.
        version: Of TensorRT.
        state: STANDIN_* variables, by the end of their names.
    """
    for name in programs.split():
        program(folder / "bin", name)
    paths = [str(STANDINS / name) for name in ["common", *modules.split()]]
    variables = {"PYTHONPATH": os.pathsep.join(paths), "PATH": str(folder / "bin"), "STANDIN_TENSORRT": version}
    return {**variables, **{f"STANDIN_{name.upper()}": value for name, value in state.items()}}


class Box(agentprocess.AgentProcess):
    """An agent with the backend tensorrt on such a box."""

    def __init__(self, folder: Path, *, precision: str = "fp32", settings: dict[str, str] | None = None, **box: str):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, backend=TENSORRT, environment=environment(folder, **box))
        given = TENSORRT.checked_settings(settings or {}, "test")
        hello = {**agentprocess.HELLO, "precision": precision, "settings": given}
        self.folders = self.call("hello", **hello)["result"]

    def load(self, content: bytes, model_format: str = "onnx") -> dict:
        """Puts a model where the host would put it, and loads it; the whole reply."""
        digest = sha256_of_bytes(content)
        Path(self.folders["models"], f"{digest}.{model_format}").write_bytes(content)
        return self.call("load", model=digest, format=model_format)

    def vendor(self) -> dict:
        return self.call("describe")["result"]["vendor"]

    def time(self, models: list[str]) -> tuple[list[dict], dict]:
        """All bursts, and the end of the series."""
        messages = [self.call("time", models=models, **BURST)]
        while "params" in messages[-1]:
            messages.append(self.receive())
        return [message["params"] for message in messages[:-1]], messages[-1]

    def run(self, model: str, *inputs: bytes) -> dict:
        digests = [sha256_of_bytes(content) for content in inputs]
        for digest, content in zip(digests, inputs, strict=True):
            Path(self.folders["tensors"], f"{digest}.bin").write_bytes(content)
        return self.call("run", model=model, inputs=digests)

    def tensor(self, output: dict) -> bytes:
        return Path(self.folders["tensors"], f"{output['sha256']}.bin").read_bytes()
