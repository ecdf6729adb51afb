"""The commands around devices: what they print, what they write, how they end."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

from mosegedge.cli.completion import device_names
from mosegedge.cli.main import main

COMMANDS = ["list", "show", "add", "remove", "doctor", "conformance"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `mosegedge devices ...`; returns exit code, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mosegedge", "devices", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def test_devices_are_listed_with_the_file_that_defines_them(run, folder):
    (folder / "devices.toml").write_text('[fast]\ntemplate = "local"\nthreads = 2\ndescription = "mine"\n')
    code, out, _ = run("list")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert next(iter(rows)) == "local"
    assert rows["atlas200dk"].endswith("[built in]")
    assert rows["fast"].endswith(f"mine  [{folder / 'devices.toml'}]")
    devices = json.loads(run("list", "--json")[1])["devices"]
    assert {device["name"]: device["threads"] for device in devices}["fast"] == 2


def test_a_mistake_in_another_device_is_said_and_does_no_harm(run, folder):
    (folder / "devices.toml").write_text('[wrong]\ntemplate = "local"\nthread = 2\n[fast]\ntemplate = "local"\n')
    said = f"The device wrong is left out. {folder / 'devices.toml'}, line 3: [wrong] thread: a device has no field"
    code, out, errors = run("show", "fast")
    assert (code, said in errors, "threads" in out) == (0, True, True)
    code, out, errors = run("list", "--json")
    assert (code, said in errors) == (0, True)
    assert [(one["name"], "Did you mean threads?" in one["problem"]) for one in json.loads(out)["mistakes"]] == [
        ("wrong", True)
    ]
    code, out, errors = run("show", "wrong")
    assert (code, out) == (3, "")
    assert "Did you mean threads?" in errors


def test_a_definition_is_shown_with_its_origins_and_the_device_is_not_touched(run, folder):
    code, out, errors = run("show", "atlas200dk")
    assert (code, errors) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "192.168.1.2,192.168.0.2  [template atlas200dk]" in lines["address"]
    assert lines["threads"].endswith("1  [default]")
    assert lines["settings.soc_version"].endswith("Ascend310  [template atlas200dk]")
    assert lines["settings.atc"].endswith("board  [default]")
    found = json.loads(run("show", "atlas200dk", "--json")[1])
    assert found["device"]["opset"] == 11
    assert found["origins"]["opset"] == "template atlas200dk"
    assert not (folder / "cache").exists()


def test_what_is_missing_in_a_definition_is_told_beside_it(run):
    code, out, errors = run("show", "rtx", "--json")
    assert code == 0
    assert "no address" in json.loads(out)["problem"]
    assert "[rtx]" in errors
    assert run("show", "rtx", "--probe")[0] == 3


def test_a_probe_starts_the_agent_and_shows_what_it_finds(run):
    code, out, _ = run("show", "local", "--probe", "--json")
    assert code == 0
    found = json.loads(out)["found"]
    assert found["hardware"]["cores"] >= 1
    assert "onnxruntime" in found["vendor"]["runtime"]
    code, out, _ = run("show", "local", "--probe")
    assert code == 0
    assert "hardware: " in out
    assert "backend  " in out


def test_a_device_is_added_used_replaced_and_removed(run, folder):
    arguments = ["--template", "rtx", "--address", "box.lan", "--user", "me", "--port", "2222", "--identity", "~/key"]
    code, out, errors = run("add", "box", *arguments, "--set", "precision=fp32", "--set", "cuda_graph = off")
    assert code == 0
    assert "precision" in out
    assert "Next: mosegedge devices doctor box" in errors
    assert (folder / "devices.toml").read_text() == (
        '[box]\ntemplate = "rtx"\naddress = "box.lan"\nport = 2222\nuser = "me"\nidentity = "~/key"\n'
        'precision = "fp32"\n\n[box.settings]\ncuda_graph = "off"\n'
    )
    assert run("add", "box", *arguments)[0] == 3
    code, out, _ = run("add", "box", "--template", "local", "--set", "threads=2", "--replace", "--json")
    assert json.loads(out)["device"]["threads"] == 2
    code, out, _ = run("remove", "box", "--json")
    assert json.loads(out) == {"removed": "box", "file": str(folder / "devices.toml")}
    assert (folder / "devices.toml").read_text() == ""
    assert run("add", "mine", "--template", "local", "--user-config")[0] == 0
    assert (folder / "config/mosegedge/devices.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "jetsn"], 3, ["'jetson'", "[jetsn]"]),
        (["doctor", "jetsn"], 3, ["'jetson'"]),
        (["add", "box", "--template", "rtx"], 3, ["--address"]),
        (["add", "box", "--template", "local", "--set", "threads"], 2, ["--set NAME=VALUE"]),
        (["add", "box", "--template", "local", "--set", "=1"], 2, ["--set NAME=VALUE"]),
        (["add", "box", "--template", "local", "--set", "template=rtx"], 2, ["template is given twice"]),
        (["add", "box", "--template", "local", "--set", "colour=red"], 3, ["colour", "provider"]),
        (["add", "box", "--address", "h"], 3, ["--template"]),
        (["add", "a b", "--template", "local"], 3, ["'a b'"]),
        (["remove", "local"], 3, ["built-in", "mosegedge devices add local"]),
        (["remove", "nobody"], 3, ["[nobody]", "devices list"]),
        (["conformance", "rtx"], 3, ["[rtx]", "address"]),
    ],
)
def test_a_mistake_is_one_message_with_what_to_do_and_nothing_is_written(run, folder, arguments, code, words):
    found, out, errors = run(*arguments)
    assert (found, out) == (code, "")
    assert "Traceback" not in errors
    for word in words:
        assert word in errors
    assert not (folder / "devices.toml").exists()


def test_the_doctor_ends_with_0_when_all_is_well_and_says_so_as_json(run):
    code, out, errors = run("doctor", "local", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["status"] in ("ok", "warning")
    assert found["device"] == "local"
    assert {check["status"] for check in found["checks"]} <= {"ok", "warning", "skipped"}
    assert "Examining local" in errors


def test_the_doctor_ends_with_3_and_names_every_fix(run, folder):
    (folder / "devices.toml").write_text('[old]\ntemplate = "local"\nprecision = "int8"\ninterpreter = "/no/python"\n')
    code, out, _ = run("doctor", "old")
    assert code == 3
    lines = out.splitlines()
    assert lines[0].startswith("ok       definition")
    assert lines[1].startswith("failed   interpreter  /no/python")
    assert lines[2].strip().startswith("fix: ")
    assert lines[3] == (
        "skipped  disk, memory, agent, runtime, precision, opset, clock, speed, load, energy, users: "
        "needs what failed: interpreter"
    )
    assert lines[-1] == "old: 1 ok, 1 failed, 11 skipped"
    code, out, _ = run("doctor", "jetson")
    assert code == 3
    assert [line.strip() for line in out.splitlines()[2:4]] == ["[jetson]", 'address = "192.168.1.20"']


@dataclass
class Finding:
    name: str
    passed: bool
    detail: str


@dataclass
class Report:
    checks: list[Finding]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


@pytest.mark.parametrize("passed", [True, False])
def test_conformance_is_a_table_with_an_exit_code(run, monkeypatch, passed):
    asked = []

    def check_conformance(device, *, progress, accept_new_host_key=False):
        asked.append((device.name, accept_new_host_key))
        progress.start("Checking", 1)
        return Report([Finding("hello", True, ""), Finding("build", passed, "twice the same file")])

    module = ModuleType("mosegedge.devices.conformance")
    module.check_conformance = check_conformance
    monkeypatch.setitem(sys.modules, "mosegedge.devices.conformance", module)
    code, out, _ = run("conformance", "local", "--accept-new-host-key")
    assert code == (0 if passed else 3)
    assert out.splitlines()[0] == "passed  hello"
    assert out.splitlines()[1] == f"{'passed' if passed else 'FAILED'}  build  twice the same file"
    code, out, _ = run("conformance", "local", "--json")
    assert json.loads(out)["passed"] is passed
    assert asked == [("local", True), ("local", False)]


def test_names_complete_also_after_a_comma(folder):
    assert device_names("atlas") == ["atlas200dk", "atlas200i-dk-a2"]
    assert device_names("rtx,jet") == ["rtx,jetson"]
    assert set(device_names("local,")) >= {"local,rtx"}
    (folder / "devices.toml").write_text("[broken\n")
    assert device_names("atlas") == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"Example: mosegedge devices {name}" in out
    assert "--json" in out
