"""Connections that break at any byte, servers and hosts that are killed: nothing is lost, nothing counts twice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import fakeboard
import pytest
from comparing import SETTINGS, SPACE, assert_complete, assert_equal, samples
from faultserver import FaultServer, random_fault

from mosegedge.devices import load_device
from mosegedge.errors import ConnectionLostError
from mosegedge.profiling import collect, collector, make_plan, profile_device

FAULTS_A_SEED = 25


@pytest.fixture(scope="module")
def quick_disk():
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def folder(quick_disk, home, monkeypatch):
    """Where the host works: the fake backend is installed, pauses are short."""
    folder = quick_disk / home.folder.parent.name
    folder.mkdir()
    for name, value in fakeboard.environment(folder).items():
        monkeypatch.setenv(name, value)
    for path in os.environ["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(path)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(collector, "model_file", fakeboard.model_file)
    monkeypatch.setattr(collect, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(collect, "_LONGEST_PAUSE_S", 0.02)
    return folder


def behind(port: int, folder: Path) -> None:
    """Has `board` be the machine behind a port of this one."""
    Path("devices.toml").write_text(
        f'[board]\ntemplate = "local"\nbackend = "fake"\nconnection = "ssh"\naddress = "127.0.0.1"\nport = {port}\n'
        f'interpreter = "{sys._base_executable}"\ncache = "{folder}/device cache"\n'
    )


def remote_environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "MOSEGEDGE_LOCK": str(folder / "lock")}


@pytest.fixture(scope="module")
def undisturbed(quick_disk):
    """The profile and the samples that every disturbed run has to equal."""
    folder = quick_disk / "undisturbed"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in fakeboard.environment(folder).items():
            monkeypatch.setenv(name, value)
        for path in os.environ["PYTHONPATH"].split(os.pathsep):
            monkeypatch.syspath_prepend(path)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(collector, "model_file", fakeboard.model_file)
        profile = profile_device(load_device("board"), SPACE, settings=SETTINGS)
        return profile, samples()


@pytest.mark.parametrize("seed", range(8))
def test_connections_that_break_at_any_byte_change_nothing(seed, folder, home, keys, undisturbed):
    state = random.Random(seed)
    faults = [random_fault(state) for _ in range(FAULTS_A_SEED)]
    finished = 0
    with FaultServer(folder, keys, remote_environment(folder), faults) as server:
        home.known_hosts.write_text(f"[127.0.0.1]:{server.port} {(keys / 'host.pub').read_text()}")
        behind(server.port, folder)
        while not finished or server.faults_left():
            shutil.rmtree("profiles", ignore_errors=True)
            shutil.rmtree(folder / "device cache", ignore_errors=True)
            profile = None
            while profile is None:
                with contextlib.suppress(ConnectionLostError):  # the first contact of a command is not waited for
                    profile = profile_device(load_device("board"), SPACE, settings=SETTINGS)
            assert_equal(profile, undisturbed[0])
            assert_complete(make_plan(SPACE, load_device("board"), SETTINGS))
            assert samples() == undisturbed[1]
            finished += 1
