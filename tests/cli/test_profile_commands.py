"""The commands around profiles, on this machine with the real runtime and a small plan."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mosegedge.cli.main import main
from mosegedge.profiling.profile_text import profile_schema
from mosegedge.space import SearchSpace

SMALL = ["--space", "nano", "--scales", "0", "--networks", "8", "--passes", "2"]
CODE = "0-00-001100-001100-00111100-001100"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project folder with one real profile, local/nano-fp32/v1."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("project")
        isolate(folder, monkeypatch)
        monkeypatch.setattr(sys, "argv", ["mosegedge", "profile", "--device", "local", *SMALL, "--json"])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code in (0, None)
    return folder


def isolate(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(folder / "lock"))


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Runs a command in the project folder; returns exit code, stdout and stderr."""
    isolate(folder, monkeypatch)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mosegedge", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def test_a_real_profile_holds_everything_and_follows_the_schema(folder):
    content = json.loads((folder / "profiles/local/nano-fp32/v1.json").read_text())
    assert not list(Draft202012Validator(json.loads(profile_schema())).iter_errors(content))
    assert len(content["entries"]) == 159
    assert [network["role"] for network in content["networks"]] == ["fit"] * 4 + ["held-out"] * 4
    assert content["origin"] == "measured"
    assert content["protocol"]["threads"] == content["protocol"]["batch"] == 1
    assert content["protocol"]["io_included"] is False
    assert content["device"]["vendor"]["accelerator"] == "CPUExecutionProvider"
    assert "onnxruntime" in content["device"]["vendor"]["runtime"]
    assert content["command"].startswith("mosegedge profile --device local --space nano")
    assert all(entry["value_ms"] <= entry["p95_ms"] and entry["n"] >= 6 for entry in content["entries"])
    journal = (folder / "profiles/local/nano-fp32/v1.journal.jsonl").read_text()
    assert '"type":"end"' in journal


def test_profiles_are_listed_and_shown(run):
    code, out, _ = run("profiles", "list")
    assert (code, out.count("\n")) == (0, 1)
    assert "local/nano-fp32/v1" in out
    code, out, _ = run("profiles", "show", "local/nano-fp32", "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown["entries"] == 159
    assert shown["certificate"]["networks"] == 4
    code, out, _ = run("profiles", "show", "local/nano-fp32")
    for word in ("Kendall tau", "FLOPs", "repeats to", "grades"):
        assert word in out


def test_a_damaged_profile_is_listed_with_its_problem(run, folder):
    broken = folder / "profiles" / "local" / "nano-fp16" / "v1.json"
    broken.parent.mkdir()
    broken.write_text("{")
    try:
        code, out, _ = run("profiles", "list")
        assert code == 0
        assert "local/nano-fp16/v1: " in out
        assert "local/nano-fp32/v1: " in out
        assert run("profiles", "show", "local/nano-fp16")[0] == 4
    finally:
        broken.unlink()
        broken.parent.rmdir()


def test_a_prediction_has_parts_and_a_standard_deviation(run):
    code, out, _ = run("predict", CODE, "--profile", "local/nano-fp32", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["latency_ms"] == pytest.approx(sum(part["latency_ms"] for part in found["parts"]))
    assert found["sd_ms"] > 0
    assert [part["name"] for part in found["parts"]][:2] == ["stem", "stage1"]
    code, out, _ = run("predict", CODE, "--profile", "profiles/local/nano-fp32/v1.json")
    assert code == 0
    assert "total" in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["predict", "2" + CODE[1:], "--profile", "local/nano-fp32"],
            4,
            ["scale 2", "mosegedge profile --device local"],
        ),
        (["predict", "0-00", "--profile", "local/nano-fp32"], 2, ["29 digits"]),
        (["predict", CODE, "--profile", "local/tiny-fp32"], 4, ["local/nano-fp32/v1"]),
        (["predict", CODE, "--profile", "local/nano-fp32", "--space", "tiny"], 4, ["digest"]),
        (["profiles", "show", "nothing/here"], 4, ["nothing/here"]),
        (["devices", "show", "jetsn"], 3, ["jetsn", "local"]),
        (["profile", "--device", "jetsn"], 3, ["jetsn"]),
        (["profile", "--space", "huge"], 2, ["huge", "tiny"]),
        (["profile", "--scales", "0,x"], 2, ["--scales 0,2"]),
        (["profile", "--scales", "7"], 2, ["0 to 4"]),
        (["profile", "--budget", "soon"], 2, ["90s"]),
        (["profile", "--networks", "3"], 2, ["--networks 20"]),
        (["profile", "--threads", "-1"], 2, ["--threads"]),
    ],
)
def test_a_mistake_is_one_message_with_what_is_known_and_what_to_do(run, arguments, code, words):
    found, out, errors = run(*arguments)
    assert found == code
    assert out == ""
    assert "Traceback" not in errors
    for word in words:
        assert word in errors


def test_a_dry_run_prints_the_plan_and_touches_nothing(run, folder):
    before = sorted(folder.rglob("*"))
    code, out, _ = run("profile", "--space", "tiny", "--dry-run", "--json")
    assert code == 0
    plan = json.loads(out)
    assert (plan["entries"], plan["distinct_layers"]) == (1245, 795)
    assert plan["fit_networks"] + plan["held_out_networks"] == 80
    assert plan["estimated_minutes"] > 0
    code, out, _ = run("profile", "--space", "tiny", "--dry-run", "--scales", "0,2", "--budget", "1m")
    assert "498 entries of the table, 318 distinct layers" in out
    assert "minutes" in out
    assert sorted(folder.rglob("*")) == before


def test_the_crop_and_the_classes_may_come_from_a_data_set(run):
    code, out, _ = run("profile", "--space", "tiny", "--data", "camvid", "--dry-run", "--json")
    assert code == 0
    space = SearchSpace.load(json.loads(out)["space"])
    assert space.classes == 11


@pytest.mark.parametrize("command", [["profile"], ["predict"], ["profiles", "list"], ["profiles", "show"]])
def test_every_command_has_help_with_an_example(run, command):
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Example: mosegedge " + " ".join(command) in out
    assert "--json" in out


def test_a_prediction_is_explained(run, tmp_path):
    code, out, _ = run("predict", CODE, "--profile", "local/nano-fp32", "--explain", "--json")
    assert code == 0
    found = json.loads(out)
    assert sum(layer["latency_ms"] for layer in found["layers"]) + sum(found["outside_ms"].values()) == pytest.approx(
        found["latency_ms"]
    )
    assert found["roofline"]["peak_gmacs_per_s"] > 0
    assert len(found["digits"]) == 29
    picture = tmp_path / "why.svg"
    code, out, errors = run("predict", CODE, "--profile", "local/nano-fp32", "--explain", "--picture", str(picture))
    assert code == 0
    assert "Roof:" in out
    assert "not in profile" in out, "the profile has one scale"
    assert str(picture) in errors
    assert picture.read_text().startswith("<svg")
    code, _, errors = run("predict", CODE, "--profile", "local/nano-fp32", "--picture", "why.gif")
    assert code == 2
    assert "*.svg" in errors


@pytest.mark.parametrize("devices", ["local,local", "local,", ",local"])
def test_devices_are_named_once_each(run, devices):
    code, _, err = run("profile", "--device", devices, "--space", "nano", "--dry-run")
    assert code == 2
    assert f"--device {devices} names a device twice, or leaves one out." in err
