"""Every name of NVIDIA's that the agent uses is in the table of documented names."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from nvidiabox import NAMES, STANDINS

import device_agents

PARTS = json.loads((STANDINS / "names.json").read_text())
SPELLED_OUT = set((STANDINS / "spelled_out.txt").read_text().split())
ROOT = Path(device_agents.__file__).parent
BACKEND = sorted((ROOT / "backends" / "tensorrt").glob("*.py"))
# What an object of the vendor is called in the agent, and its class.
RECEIVERS = {
    "trt": "",
    "builder": "Builder",
    "parser": "OnnxParser",
    "parser_error": "ParserError",
    "config": "IBuilderConfig",
    "timing_cache": "ITimingCache",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "inspector": "EngineInspector",
    "BuilderFlag": "BuilderFlag",
    "NetworkDefinitionCreationFlag": "NetworkDefinitionCreationFlag",
    "MemoryPoolType": "MemoryPoolType",
    "ProfilingVerbosity": "ProfilingVerbosity",
    "LayerInformationFormat": "LayerInformationFormat",
    "TensorIOMode": "TensorIOMode",
    "IProfiler": "IProfiler",
    "ILogger": "ILogger",
}


def leaf(node: ast.expr) -> str:
    """The last word of `self.vendor.trt`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def used_in(path: Path) -> set[str]:
    """Names as in the table, from attributes and from the text given to getattr and hasattr."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        receiver, name = "", None
        if isinstance(node, ast.Attribute):
            receiver, name = leaf(node.value), node.attr
        elif isinstance(node, ast.Call) and leaf(node.func) in ("getattr", "hasattr"):
            text = node.args[1]
            receiver, name = leaf(node.args[0]), text.value if isinstance(text, ast.Constant) else None
        if name is not None and receiver in RECEIVERS and not name.startswith("__init__"):
            kind = RECEIVERS[receiver]
            found.add(f"{kind}.{name}" if kind else name)
    return found


@pytest.mark.parametrize("path", BACKEND, ids=lambda path: path.name)
def test_names_of_tensorrt(path):
    assert used_in(path) <= set(NAMES["tensorrt"])


def test_the_walk_finds_what_is_used():
    found = set().union(*(used_in(path) for path in BACKEND))
    assert {
        "IBuilderConfig.max_aux_streams",
        "BuilderFlag.FP16",
        "NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
        "IExecutionContext.execute_async_v3",
        "IExecutionContext.enqueue_emits_profile",
        "ICudaEngine.get_tensor_name",
        "ParserError.desc",
        "EngineInspector.get_engine_information",
        "Runtime.deserialize_cuda_engine",
        "Builder.build_serialized_network",
        "ITimingCache.serialize",
    } <= found


@pytest.mark.parametrize(
    ("pattern", "table"),
    [(r"\bcuda[A-Z]\w+", "cuda"), (r"\b(?:nvml[A-Z]|NVML_[A-Z])\w+", "nvml")],
    ids=["cuda", "nvml"],
)
def test_names_of_cuda_and_nvml(pattern, table):
    sources = [*BACKEND, ROOT / "sensors" / "nvml.py"]
    found = {name for path in sources for name in re.findall(pattern, path.read_text())}
    assert len(found) > 10
    assert found <= set(NAMES[table])


def test_members_of_data_types():
    from device_agents.backends.tensorrt.engine import _MEMBERS

    assert {f"DataType.{member}" for member in _MEMBERS} <= set(NAMES["tensorrt"])


def test_fields_of_nvidia_smi_and_arguments_of_trtexec():
    from device_agents.sensors import nvidia_smi

    reasons = {f"{group}.{name}" for group in nvidia_smi._REASON_GROUPS for name in nvidia_smi._REASONS}
    assert {*nvidia_smi._STATE, *nvidia_smi._FACTS, "compute_cap", *reasons} <= set(NAMES["nvidia-smi"])
    text = (ROOT / "backends" / "tensorrt" / "trtexec.py").read_text()
    assert set(re.findall(r'"(--[A-Za-z][A-Za-z0-9]+)', text)) <= set(NAMES["trtexec"])


def test_ranges_are_well_formed():
    for table in ("tensorrt", "trtexec"):
        assert all(re.fullmatch(r"\d+\.\d+(<\d+\.\d+)?", text) for text in NAMES[table].values())


@pytest.mark.parametrize("table", PARTS["reference"])
def test_a_name_is_spelled_out_in_the_notes_or_has_another_source(table):
    reference = PARTS["reference"][table]
    other = PARTS["elsewhere"].get(table, {"source": "none", "names": []})
    assert other["source"]
    assert not set(reference) & set(other["names"])
    assert set(NAMES[table]) == {*reference, *other["names"]}

    def words(name: str) -> set[str]:
        """A command and its option, a class and its member; the names of other tables are one word."""
        return set(name.split({"tensorrt": ".", "jetson": " "}.get(table)))

    assert [name for name in reference if not words(name) <= SPELLED_OUT] == []
    assert [name for name in other["names"] if words(name) <= SPELLED_OUT] == []


def test_every_table_with_another_source_is_a_table():
    assert set(PARTS["elsewhere"]) <= set(PARTS["reference"])
