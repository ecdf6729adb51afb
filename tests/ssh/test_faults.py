"""Connections that break at any byte, servers and hosts that are killed: nothing is lost, nothing counts twice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fakeboard
import pytest
from comparing import (
    COMMAND,
    JOURNAL,
    SETTINGS,
    SPACE,
    assert_complete,
    assert_equal,
    quick_folder,
    samples,
    undisturbed_run,
)
from faultserver import FaultServer, random_fault
from opensshd import new_sshd, sessions

from mosegedge.devices import load_device
from mosegedge.devices.ssh import login as ssh_login
from mosegedge.errors import ConnectionLostError, DeviceError
from mosegedge.profiling import make_plan, profile_device, run
from mosegedge.progress import Silent

FAULTS_A_SEED = 40


@pytest.fixture(scope="module")
def quick_disk():
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def folder(quick_disk, home, monkeypatch):
    """Where the host works: the fake backend is installed, pauses are short."""
    folder = quick_disk / home.folder.parent.name
    fakeboard.install(folder, monkeypatch)
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
def undisturbed():
    """The profile and the samples that every disturbed run has to equal."""
    run = undisturbed_run()
    return run.profile, run.samples


@pytest.mark.parametrize("seed", range(2))
def test_connections_that_break_at_any_byte_change_nothing(seed, folder, home, keys, undisturbed):
    state = random.Random(seed)
    faults = [random_fault(state) for _ in range(FAULTS_A_SEED)]
    finished = 0
    with FaultServer(folder, keys, remote_environment(folder), faults) as server:
        home.known_hosts.write_text(f"[127.0.0.1]:{server.port} {(keys / 'host.pub').read_text()}")
        behind(server.port, folder)
        while not finished or server.faults_left():
            shutil.rmtree("profiles", ignore_errors=True)
            profile = None
            while profile is None:
                with contextlib.suppress(ConnectionLostError):  # the first contact of a command is not waited for
                    profile = profile_device(load_device("board"), SPACE, settings=SETTINGS)
            assert_equal(profile, undisturbed[0])
            assert_complete(make_plan(SPACE, load_device("board"), SETTINGS))
            assert samples() == undisturbed[1]
            finished += 1


@pytest.fixture
def device(folder, home, keys):
    """A board behind a real sshd, with simulated time."""
    server = new_sshd(folder / "sshd", keys, **remote_environment(folder), FAKE_DEATHS=str(folder / "deaths"))
    server.start()
    home.known_hosts.write_text(server.key_line)
    behind(server.port, folder)
    yield server
    server.stop()


class AfterBursts(Silent):
    """Does something once, when so many bursts are there; counts what is said."""

    def __init__(self, count, action):
        self.count, self.action, self.said = count, action, []

    def start(self, what, total, done=0):
        self.left = self.count if what == "Measuring" else -1

    def advance(self, steps=1, note=""):
        self.left -= steps
        if self.left == 0:
            self.count = -1
            self.action()

    def say(self, text):
        self.said.append(text)


def measured(progress=None):
    return profile_device(load_device("board"), SPACE, settings=SETTINGS, progress=progress)


def test_a_board_that_restarts_is_waited_for(device, undisturbed):
    def restart():
        for pid in agents(device.folder.parent):
            os.kill(pid, signal.SIGKILL)
        device.stop()
        threading.Timer(0.3, device.start).start()

    progress = AfterBursts(200, restart)
    assert_equal(measured(progress), undisturbed[0])
    assert samples() == undisturbed[1]
    assert any("Trying again in" in text for text in progress.said)
    assert '"type":"resumed"' in JOURNAL.read_text()


def test_an_agent_that_its_broken_connection_left_behind_gives_way(device, folder, undisturbed):
    left_behind = []

    def cut():
        """sshd ends, and with it the connection; the agent is stopped and so cannot notice."""
        left_behind.extend(agents(folder))
        for pid in left_behind:
            os.kill(pid, signal.SIGSTOP)
        for pid in sessions(device.process.pid):
            os.kill(pid, signal.SIGKILL)

    assert_equal(measured(AfterBursts(150, cut)), undisturbed[0])
    assert samples() == undisturbed[1]
    assert len(left_behind) == 1
    assert not agents(folder)


def test_a_host_killed_at_any_moment_goes_on_over_ssh(device, folder, undisturbed):
    state = random.Random(0)
    for _ in range(3):
        host = subprocess.Popen(
            [sys.executable, fakeboard.__file__, *COMMAND], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        lines = JOURNAL.read_bytes().count(b"\n") if JOURNAL.exists() else 0
        wanted = lines + state.randint(0, 150)
        while host.poll() is None and not (JOURNAL.exists() and JOURNAL.read_bytes().count(b"\n") >= wanted):
            time.sleep(0.005)
        host.kill()
        host.wait()
    assert_equal(measured(), undisturbed[0])
    assert_complete(make_plan(SPACE, load_device("board"), SETTINGS))
    assert samples() == undisturbed[1]


def test_a_board_that_does_not_come_back_ends_the_run_and_keeps_everything(device, undisturbed, monkeypatch):
    monkeypatch.setattr(run.collect, "__kwdefaults__", {**run.collect.__kwdefaults__, "patience_s": 0.2})
    with pytest.raises(ConnectionLostError, match="does not answer"):
        measured(AfterBursts(100, device.stop))
    kept = samples()
    assert len(kept) >= 100
    device.start()
    assert_equal(measured(), undisturbed[0])
    assert all(samples()[visit] == kept[visit] for visit in kept)


def test_a_silent_connection_is_given_up(device, undisturbed, monkeypatch):
    """A cable that was pulled: nobody says goodbye."""
    monkeypatch.setattr(ssh_login, "_ALIVE_INTERVAL_S", 0.05)
    monkeypatch.setattr(ssh_login, "_ALIVE_PATIENCE_S", 1.0)

    def pull():
        for pid in sessions(device.process.pid):
            os.kill(pid, signal.SIGSTOP)

    progress = AfterBursts(100, pull)
    assert_equal(measured(progress), undisturbed[0])
    assert any("no answer for 1 s" in text for text in progress.said)


def test_a_key_that_changed_meanwhile_ends_the_run_at_once(device, keys, undisturbed):
    def exchange():
        device.stop()
        device.host_key = keys / "other_host"
        device.start()

    with pytest.raises(DeviceError, match="host key of board has changed"):
        measured(AfterBursts(100, exchange))
    assert len(samples()) >= 100


def agents(folder) -> list[int]:
    """Agents that work in a folder and are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"{folder}/device cache/agents".encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
