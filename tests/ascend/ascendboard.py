"""A board made of stand-ins: programs on the path, the module `acl`, the files of an installation; and small models."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

AGENTS = Path(__file__).parents[1] / "agents"
if str(AGENTS) not in sys.path:
    sys.path.insert(0, str(AGENTS))

from agentprocess import HELLO, AgentProcess  # noqa: E402

from mosegedge.devices.backends import get_backend  # noqa: E402
from mosegedge.files import sha256_of_bytes  # noqa: E402

STANDINS = Path(__file__).parents[1] / "standins" / "ascend"


def install(folder: Path, **programs: str) -> Path:
    """Puts programs on a path: a name and its file in `tests/standins/ascend/programs`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {STANDINS / "programs" / source} "$@"\n')
        program.chmod(0o755)
    return folder


@dataclass
class Board:
    """One board; its environment and the agent that runs there."""

    folder: Path
    chip: str = "Ascend310"
    cann: str = "6.0"
    run_mode: int = 0
    programs: dict[str, str] = field(default_factory=lambda: {"atc": "atc.py"})
    toolkit: bool = True
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Variables of the agent."""
        home = self.folder / "home"
        toolkit = home / "Ascend" / "ascend-toolkit" / "latest"
        toolkit.mkdir(parents=True, exist_ok=True)
        version = {"5.1": "5.1.RC1.alpha005", "6.0": "6.0.1"}[self.cann]
        (toolkit / "version.info").write_text(f"Version={version}\n")
        (toolkit.parent / "set_env.sh").write_text("# stand-in\n")
        if self.toolkit:
            install(toolkit / "tools" / "profiler" / "bin", msprof="msprof.py")
        programs = install(self.folder / "bin", **self.programs)
        return {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(STANDINS / "module"),
            "HOME": str(home),
            "ASCEND_TOOLKIT_HOME" if self.toolkit else "ASCEND_NNRT_HOME": str(toolkit),
            "ASCEND_STANDIN_CANN": self.cann,
            "ASCEND_STANDIN_SOC": self.chip,
            "ASCEND_STANDIN_RUN_MODE": str(self.run_mode),
            "ASCEND_STANDIN_LOG": str(self.folder / "acl.log"),
            "ASCEND_STANDIN_ATC_LOG": str(self.folder / "atc.log"),
            **self.extra,
        }

    def agent(self) -> AgentProcess:
        """A started agent on it."""
        return AgentProcess(self.folder / "agent", backend=get_backend("ascend"), environment=self.environment())

    def hello(self, agent: AgentProcess, *, precision: str = "fp16", **settings: str) -> dict[str, Any]:
        """Greets the agent with settings of this board."""
        settings = {"soc_version": self.chip, "atc": "board", "atc_environment": "", "device_id": "0", **settings}
        reply = agent.call("hello", **{**HELLO, "precision": precision, "settings": settings})
        return reply["result"]

    def log(self) -> list[str]:
        """Calls of the stand-in for pyACL, and what was done wrong."""
        path = self.folder / "acl.log"
        return path.read_text().splitlines() if path.exists() else []

    def atc_log(self) -> list[dict[str, Any]]:
        """Runs of ATC."""
        path = self.folder / "atc.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add(hello: dict[str, Any], content: bytes, suffix: str = "onnx") -> str:
    """Puts a model where the host would have sent it."""
    digest = sha256_of_bytes(content)
    Path(hello["models"], f"{digest}.{suffix}").write_bytes(content)
    return digest


def small_model(*, side: int | str = 4, kind: int = TensorProto.FLOAT, opset: int = 11) -> bytes:
    """Conv, Relu, nearest x2 Resize, with names as the exporter gives them."""
    weights = np.arange(18, dtype=np.float32).reshape(2, 1, 3, 3) / 10 - 0.8
    # At opset 11 a Resize must have a region of interest, even one of no numbers.
    constants = {"w": weights, "roi": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)}
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["c"], "encoder.stem.conv1.conv.Conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "encoder.stem.conv1.Relu"),
        helper.make_node(
            "Resize",
            ["r", "roi", "s"],
            ["output"],
            "decoder.Resize",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", kind, [1, 1, side, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2, 8, 8])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    # The stand-in for the profiler has no other way to know the nodes.
    model.doc_string = "|".join(node.name for node in nodes)
    content: bytes = model.SerializeToString()
    return content


def reference(content: bytes, picture: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: picture})[0]


def loaded(content: bytes) -> onnx.ModelProto:
    """The model in an ONNX file."""
    return onnx.load_model_from_string(content)
