"""Several devices side by side give what each gives alone, whatever happens to one of them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import farboards
import pytest
import rich.console
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.cli import bars
from mosegedge.cli.main import main
from mosegedge.devices import Device, load_device, open_agent
from mosegedge.devices.connection import TRANSPORTS
from mosegedge.errors import DeviceBusyError, UsageError
from mosegedge.profiling import ProfileSettings, building, collector, load_profile, losses, profile_device, several
from mosegedge.profiling.several import profile_devices
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano")
SETTINGS = ProfileSettings(scales=(0,), networks=8, passes=2)
PLAN = ["--space", "nano", "--scales", "0", "--networks", "8", "--passes", "2"]
BOARDS = {"a": "board-a", "b": "board-b", "c": "board-c", "again": "board-a"}


@pytest.fixture(scope="module")
def quick_disk():
    """A folder in memory where there is one: a journal waits for the disk thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def install(folder: Path, monkeypatch) -> Path:
    folder.mkdir()
    for name, value in farboards.install(folder, BOARDS).items():
        monkeypatch.setenv(name, value)
    for path in os.environ["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(path)
    monkeypatch.chdir(folder)
    monkeypatch.setitem(TRANSPORTS, "ssh", "farboards:FarConnection")
    monkeypatch.setattr(building, "model_file", farboards.fakeboard.model_file)
    monkeypatch.setattr(collector, "_WAIT_FOR_LOCK_S", 0)
    monkeypatch.setattr(losses, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(losses, "_LONGEST_PAUSE_S", 0.02)
    return folder


@pytest.fixture
def folder(quick_disk, tmp_path, monkeypatch):
    return install(quick_disk / tmp_path.name, monkeypatch)


@pytest.fixture(scope="module")
def alone(quick_disk):
    """The profile that a board has to get, whoever is measured beside it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        install(quick_disk / "alone", monkeypatch)
        return profile_device(load_device("a"), SPACE, settings=SETTINGS)


@pytest.fixture
def run(folder, monkeypatch, capsys):
    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mosegedge", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def assert_equal(profile, expected) -> None:
    for field in ("space", "entries", "networks", "failed", "model", "certificate", "repeatability"):
        assert getattr(profile, field) == getattr(expected, field)


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_boards_are_measured_at_the_same_time_and_like_alone(folder, alone):
    together = threading.Barrier(3)

    class Meeting(Silent):
        """Goes on only when every board has come this far."""

        def start(self, what, total, done=0):
            if what == "Measuring":
                together.wait(60)

    devices = [load_device(name) for name in ("b", "a", "c")]
    outcomes = profile_devices(devices, SPACE, settings=SETTINGS, progress_of=lambda name: Meeting(), command="x")
    assert [outcome.device for outcome in outcomes] == devices
    for outcome in outcomes:
        assert outcome.error is None
        assert_equal(outcome.profile, alone)
        assert outcome.profile == load_profile(f"{outcome.device.name}/nano-fp32")


def test_one_that_fails_does_not_stop_the_others_and_goes_on_later(run, folder, alone):
    (folder / "cache/board-b.deaths").write_text("300" + 40 * " 0")  # some while models are still made
    code, out, errors = run("profile", "--device", "a,b,c", *PLAN, "--json")
    assert code == 3
    rows = json.loads(out)["profiles"]
    assert [row["target"] for row in rows] == ["a", "b", "c"]
    assert ["path" in row for row in rows] == [True, False, True]
    assert rows[1]["exit_code"] == 3
    last = [line for line in errors.splitlines() if line.startswith("mosegedge: ")]
    assert len(last) == 1
    assert last[0].startswith("mosegedge: b: ")
    assert "the board is on fire" in last[0]
    assert "1 of 3 devices failed" in errors
    assert errors.splitlines()[-1].endswith(f"Go on with: mosegedge profile --device b {' '.join(PLAN)} --json")
    assert re.search(r"^b: ended: The agent on b ended during time", errors, re.MULTILINE)
    assert re.search(r"^a: Measuring: \d+/\d+", errors, re.MULTILINE)
    kept = Path("profiles/b/nano-fp32/v1.journal.jsonl").read_bytes()
    (folder / "cache/board-b.deaths").unlink()
    assert run("profile", "--device", "b", *PLAN)[0] == 0
    assert Path("profiles/b/nano-fp32/v1.journal.jsonl").read_bytes().startswith(kept)
    for name in ("a", "b", "c"):
        assert_equal(load_profile(f"{name}/nano-fp32"), alone)


def test_names_of_one_machine_take_turns(folder, alone):
    notes = {name: Notes() for name in BOARDS}
    devices = [load_device(name) for name in ("a", "again")]
    outcomes = profile_devices(devices, SPACE, settings=SETTINGS, progress_of=notes.__getitem__)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert notes["again"].lines == ["waits for a: they share one machine"]
    assert_equal(outcomes[1].profile, alone)


def test_names_that_only_the_lock_knows_to_be_one_machine_take_turns_too(folder, monkeypatch):
    devices = [replace(load_device(name), cache=str(folder / "cache" / "shared")) for name in ("a", "b")]
    refused = threading.Event()

    def watched(*arguments, **options):
        try:
            return profile_device(*arguments, **options)
        except DeviceBusyError:
            refused.set()
            raise

    class Slow(Notes):
        """The first one keeps the board until the second one has found it busy."""

        def start(self, what, total, done=0):
            assert refused.wait(60)

    monkeypatch.setattr(several, "profile_device", watched)
    notes = {"a": Slow(), "b": Slow()}
    outcomes = profile_devices(devices, SPACE, settings=SETTINGS, progress_of=notes.__getitem__)
    assert [outcome.error for outcome in outcomes] == [None, None]
    ended, again = notes["a"].lines + notes["b"].lines
    assert "is busy" in ended
    assert again == "was busy; once more, now that the others are done"


def test_this_machine_comes_after_the_others(folder):
    order = []

    class Seen(Notes):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def start(self, what, total, done=0):
            order.append((self.name, what))

    shown = {name: Seen(name) for name in ("here", "a")}
    here = replace(load_device("a"), name="here", connection="local", address="")
    outcomes = profile_devices([here, load_device("a")], SPACE, settings=SETTINGS, progress_of=shown.__getitem__)
    assert [(outcome.device.name, outcome.error) for outcome in outcomes] == [("here", None), ("a", None)]
    assert [name for name, _ in order] == ["a", "a", "here", "here"]
    assert "models of the others" in shown["here"].lines[0]


def test_a_board_that_another_run_holds_is_told_with_the_holder(folder, alone):
    with open_agent(load_device("b")) as holder:
        holder.lock()
        outcomes = profile_devices([load_device("a"), load_device("b")], SPACE, settings=SETTINGS)
    assert_equal(outcomes[0].profile, alone)
    assert isinstance(outcomes[1].error, DeviceBusyError)
    assert f"process {holder.pid}" in str(outcomes[1].error)


def test_a_mistake_in_the_program_is_not_swallowed(folder, monkeypatch):
    def broken(item, plan, description):
        raise ZeroDivisionError("in a thread")

    monkeypatch.setattr(building, "model_file", broken)
    with pytest.raises(ZeroDivisionError, match="in a thread"):
        profile_devices([load_device("a"), load_device("b")], SPACE, settings=SETTINGS)


@given(st.lists(st.sets(st.integers(0, 5), max_size=3), max_size=6))
def test_every_device_is_in_one_group_and_shares_no_address_with_another(addresses):
    devices = [
        Device(name=f"d{number}", backend="fake", connection="ssh", address=",".join(map(str, places)))
        for number, places in enumerate(addresses)
    ]
    groups = [group for phase in several._phases(devices) for group in phase]
    assert sorted(device.name for group in groups for device in group) == [device.name for device in devices]
    places = [set().union(*(several._places(device) for device in group)) for group in groups]
    assert sum(map(len, places)) == len(set().union(*places))


def test_a_name_twice_is_refused(folder):
    with pytest.raises(UsageError, match="twice"):
        profile_devices([load_device("a")] * 2, SPACE)


def test_ctrl_c_stops_all_of_them_and_keeps_everything(folder, alone):
    journals = [Path(f"profiles/{name}/nano-fp32/v1.journal.jsonl") for name in ("a", "b")]
    command = [sys.executable, farboards.__file__, "profile", "--device", "a,b", *PLAN]
    host = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore SIGINT and hand that on to their children: start from the default.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while host.poll() is None and not all(path.exists() and path.read_bytes().count(b"\n") > 20 for path in journals):
        time.sleep(0.002)
    host.send_signal(signal.SIGINT)
    _, errors = host.communicate(timeout=60)
    assert host.returncode == 130, errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    done = [name for name in ("a", "b") if Path(f"profiles/{name}/nano-fp32/v1.json").exists()]
    for name, path in zip(("a", "b"), journals, strict=True):
        wanted = "was finished before" if name in done else "Stopped; "
        assert f"{name}: {wanted}" in errors
        assert (f"kept in {path}" in errors) == (name not in done)
    kept = [path.read_bytes() for path in journals]
    command[command.index("a,b")] = ",".join(name for name in ("a", "b") if name not in done)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    for name, path, before in zip(("a", "b"), journals, kept, strict=True):
        assert path.read_bytes().startswith(before)
        assert_equal(load_profile(f"{name}/nano-fp32"), alone)


def test_text_of_several_and_a_dry_run_of_several(run, folder):
    code, out, _ = run("profile", "--device", "a, b", *PLAN)
    assert code == 0
    assert "a/nano-fp32/v1" in out
    assert "b/nano-fp32/v1" in out
    code, out, _ = run("profile", "--device", "a,b", *PLAN, "--dry-run", "--json")
    assert [plan["device"] for plan in json.loads(out)["plans"]] == ["a", "b"]
    code, out, errors = run("profile", "--device", "a,nobody", *PLAN)
    assert (code, out) == (3, "")
    assert "'nobody'" in errors


def test_new_host_keys_are_accepted_only_on_demand(run, folder):
    met = [folder / "cache" / f"board-{name}.met" for name in ("a", "b")]
    assert run("profile", "--device", "a", *PLAN)[0] == 0
    assert not any(path.exists() for path in met)
    assert run("profile", "--device", "a,b", *PLAN, "--accept-new-host-key")[0] == 0
    assert all(path.exists() for path in met)


def test_on_a_terminal_every_device_has_a_line_of_its_own(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        bars, "Console", lambda stderr: rich.console.Console(file=screen, force_terminal=True, width=80)
    )
    with bars.DeviceBars() as shown:
        lines = {name: shown.of(name) for name in ("a", "b")}
        for number, line in enumerate(lines.values()):
            line.start("Building models", 4)
            line.advance(4)
            line.start("Measuring", 10, 2)
            line.advance(1 + number, note="bottleneck id c32-16-32 s1 @16x32 0.062 ms " * 2)
        lines["b"].say("waits [for] a")
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).splitlines()[-2:]
    assert [(line.split()[:2], "3/10" in line, "4/10" in line) for line in last] == [
        (["a:", "Measuring"], True, False),
        (["b:", "Measuring"], False, True),
    ]
    assert "b: waits [for] a" in screen.getvalue()
