"""Every name of the vendor's that the agent uses is documented; the stand-in holds its users to the process rule."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ascendboard import STANDINS, small_model

from device_agents.backends.ascend import acl_errors, atc, atc_errors, op_summary, profiling, versions
from device_agents.sensors import npu_smi
from mosegedge.devices.backends import get_backend

NAMES = json.loads((STANDINS / "names.json").read_text())
SOURCES = sorted(Path(atc.__file__).parent.glob("*.py"))
DOCUMENTED = {name for style, names in NAMES["acl"].items() if style != "groups" for name in names}
GROUPS = {group.removeprefix("acl.") for group in NAMES["acl"]["groups"]}


def used_names() -> set[str]:
    """Names reached through `acl` or one of its groups, and those that are asked for or shown by name."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found |= {_name(ast.unparse(node))}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr":
                found |= {_name(f"{ast.unparse(node.args[0])}.{ast.literal_eval(node.args[1])}")}
            elif isinstance(node, ast.Constant) and re.fullmatch(r"acl(\.\w+)+", str(node.value)):
                found |= {node.value}
    return found - {""} - {f"acl.{group}" for group in GROUPS}


def _name(chain: str) -> str:
    """`self._session.acl.rt.free` and `rt.free` alike become `acl.rt.free`."""
    group = re.search(r"(?:^|\.)_?acl\.(\w+)\.(\w+)$", chain) or re.match(rf"({'|'.join(GROUPS)})\.(\w+)$", chain)
    if group:
        return f"acl.{group[1]}.{group[2]}"
    single = re.search(r"(?:^|\.)_?acl\.(\w+)$", chain)
    return f"acl.{single[1]}" if single else ""


def test_every_name_of_pyacl_is_documented():
    used = used_names()
    assert {"acl.init", "acl.mdl.get_num_outputs", "acl.util.bytes_to_ptr", "acl.prof.start", "acl.rt.free"} <= used
    assert used <= DOCUMENTED


def test_the_stand_in_has_every_name_and_no_other(tmp_path):
    code = (
        "import acl, json; groups = ('rt', 'mdl', 'util', 'prof'); names = ['acl.%s.%s' % (g, n) for g in groups "
        "for n in vars(getattr(acl, g))]; names += ['acl.' + n for n in ('init', 'finalize', 'create_data_buffer', "
        "'destroy_data_buffer', 'get_soc_name', 'get_recent_err_msg') if hasattr(acl, n)]; "
        "open('names', 'w').write(json.dumps(names))"
    )
    environment = {"PYTHONPATH": str(STANDINS / "module"), "ASCEND_STANDIN_CANN": "6.0"}
    subprocess.run([sys.executable, "-S", "-c", code], env=environment, cwd=tmp_path, check=True, capture_output=True)
    names = set(json.loads((tmp_path / "names").read_text()))
    assert names <= DOCUMENTED
    assert used_names() <= names


def test_a_child_process_after_init_is_caught_by_the_stand_in(tmp_path):
    code = "import acl, subprocess; assert acl.init() == 0; subprocess.run(['true'])"
    environment = {"PYTHONPATH": str(STANDINS / "module"), "ASCEND_STANDIN_LOG": str(tmp_path / "log")}
    finished = subprocess.run([sys.executable, "-S", "-c", code], env=environment, capture_output=True, check=False)
    assert b"forbids child processes" in finished.stderr
    assert (tmp_path / "log").read_text().splitlines() == ["acl.init", "FORBIDDEN subprocess.Popen"]


def test_the_error_numbers_are_the_documented_ones():
    assert set(acl_errors.MEANINGS) == set(NAMES["error numbers"])


def test_the_options_of_atc_are_documented():
    options = atc.arguments("/m.onnx", "/m.om", "Ascend310", "fp16", small_model())[1:]
    given = dict(option.split("=", 1) for option in options)
    assert set(given) <= set(NAMES["atc"]["options"])
    assert set(atc.PRECISION_MODES.values()) <= set(NAMES["atc"]["precision modes"])
    assert given["--log"] in NAMES["atc"]["logs"]
    assert given["--input_format"] in NAMES["atc"]["input formats"]


def test_the_codes_and_chips_are_the_documented_ones():
    assert set(atc_errors.MEANINGS) == set(NAMES["atc"]["codes"])
    chips = next(setting for setting in get_backend("ascend").settings if setting.name == "soc_version").values
    assert set(chips) <= set(NAMES["atc"]["chips"])


def test_the_keys_of_npu_smi_are_documented():
    keys = {key.lower() for key in NAMES["npu-smi"]["keys"]}
    text = Path(npu_smi.__file__).read_text()
    assert set(npu_smi._NUMBERS) <= keys
    assert set(npu_smi._HEALTH.values()) == set(NAMES["npu-smi"]["health"])
    assert {"chip name", "nve level"} <= keys
    asked = set(re.findall(r'fields\("([\w-]+)"\)', text)) | set(re.findall(r'"-t", "([\w-]+)"', text))
    assert asked == {"common", "health", "nve-level"}
    assert asked <= set(NAMES["npu-smi"]["kinds"])


def test_the_columns_of_tables_are_documented():
    documented = {op_summary._split(name)[0] for name in NAMES["tables"]["op_summary"] + NAMES["tables"]["fusion_op"]}
    text = Path(op_summary.__file__).read_text()
    used = set(re.findall(r'fields, "(\w+)"\)', text)) | {"task_duration", "aicore_time"}
    assert len(used) >= 8
    assert used <= documented


def test_the_options_of_msprof_are_documented(tmp_path):
    (tmp_path / "tools/profiler/bin").mkdir(parents=True)
    (tmp_path / "tools/profiler/bin/msprof").write_text("")
    command = profiling.exporters({"ASCEND_TOOLKIT_HOME": str(tmp_path)}, "/x")[0][0]
    assert {option.split("=")[0] for option in command[1:]} <= set(NAMES["msprof"]["options"])


def test_the_variables_are_documented():
    assert set(versions.HOMES) <= set(NAMES["environment"])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_the_helper_starts_programs(path):
    names = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not names & {"subprocess", "multiprocessing", "pty"}
