"""Whether a profile's device is still what it was: asked of the real agent on a fake board."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import fakeboard
import pytest
from test_profile_file import PROFILE, SPACE, make_profile

from mosegedge.cli.main import main
from mosegedge.devices import load_device, open_agent
from mosegedge.profiling import save_profile
from mosegedge.profiling.stale import freshness
from mosegedge.profiling.store import series_of


@pytest.fixture
def board(tmp_path, monkeypatch):
    for name, value in fakeboard.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for path in os.environ["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(path)
    monkeypatch.chdir(tmp_path)
    return load_device("board")


def profile_of(device, **changes):
    with open_agent(device) as agent:
        found = agent.describe()
    section = {
        **PROFILE.device.model_dump(), "name": device.name, "backend": found.backend, "hardware": found.hardware,
        "system": found.system, "vendor": found.vendor,
    }  # fmt: skip
    return make_profile(device={**section, **changes})


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["mosegedge", "profiles", "stale", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0), capsys.readouterr().out


def save(profile) -> None:
    save_profile(
        profile, series_of(Path("profiles"), device=profile.device.name, space=SPACE, precision="fp32", threads=1)
    )


def test_a_device_as_it_was_is_ok_and_another_runtime_is_stale(board, monkeypatch, capsys):
    save(profile_of(board))
    assert run(monkeypatch, capsys) == (0, "board/nano-fp32/v1: ok\n")
    monkeypatch.setenv("FAKE_VERSION", "2.0")
    code, out = run(monkeypatch, capsys, "board/nano-fp32", "--json")
    assert code == 4
    (row,) = json.loads(out)["profiles"]
    assert (row["state"], row["problem"]) == ("stale", "")
    assert row["facts"] == [{"place": "vendor.runtime.fake", "before": "1.0", "after": "2.0"}]
    assert run(monkeypatch, capsys)[1] == "board/nano-fp32/v1: stale: vendor.runtime.fake: 1.0 then, 2.0 now\n"


def test_every_fact_that_changed_is_told(board):
    (found,) = freshness([profile_of(board, hardware={"cpu": "other", "cores": 1}, backend="torch")])
    assert found.state == "stale"
    assert {"backend", "hardware.cpu", "hardware.cores", "hardware.memory_mib"} <= {fact.place for fact in found.facts}


def test_a_device_that_is_not_there_is_unreachable_and_another_can_be_asked(board, monkeypatch, capsys):
    profile = profile_of(board)
    save(profile)
    save(profile.model_copy(update={"device": profile.device.model_copy(update={"name": "gone"})}))
    code, out = run(monkeypatch, capsys)
    assert code == 3
    assert out.splitlines()[1] == "gone/nano-fp32/v1: unreachable: There is no device 'gone'."
    assert [line.split(": ")[:2] for line in out.splitlines()] == [
        ["board/nano-fp32/v1", "ok"], ["gone/nano-fp32/v1", "unreachable"]
    ]  # fmt: skip
    assert run(monkeypatch, capsys, "gone/nano-fp32", "--device", "board") == (0, "gone/nano-fp32/v1: ok\n")
    assert run(monkeypatch, capsys, "--device", "board") == (0, "board/nano-fp32/v1: ok\n")
