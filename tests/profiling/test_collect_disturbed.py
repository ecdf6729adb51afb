"""Measuring survives what can happen to it: the journal and the profile equal those of an undisturbed run."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import fakeboard
import pytest
from comparing import COMMAND, JOURNAL, SETTINGS, SPACE, assert_complete, assert_equal, bursts

from mosegedge.devices import AgentClient, agent_client, connect
from mosegedge.errors import AgentError, ProfileError
from mosegedge.files import Journal
from mosegedge.profiling import (
    load_profile,
    make_plan,
    profile_device,
)
from mosegedge.profiling.journal import ProfileJournal


def start_host(*more: str) -> subprocess.Popen[str]:
    command = [sys.executable, fakeboard.__file__, *COMMAND, *more]
    # A shell's background jobs ignore SIGINT and hand that on to their children: start from the default.
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_lines(count: int, host: subprocess.Popen[str]) -> None:
    while host.poll() is None and not (JOURNAL.exists() and JOURNAL.read_bytes().count(b"\n") >= count):
        time.sleep(0.002)


def test_an_agent_that_dies_is_started_again_and_nothing_is_lost(board, undisturbed):
    Path("deaths").write_text("900 3 1500 1000")
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert_complete(make_plan(SPACE, board, SETTINGS))
    assert_equal(profile, undisturbed)
    assert profile.protocol.restarts == 4
    assert "status -9" in JOURNAL.read_text()


def test_an_agent_that_only_dies_ends_the_run_and_the_next_one_goes_on(board, undisturbed):
    Path("deaths").write_text("900 0 0 0 0 0")
    with pytest.raises(AgentError, match="the board is on fire"):
        profile_device(board, SPACE, settings=SETTINGS)
    kept = bursts()
    assert kept
    Path("deaths").unlink()
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert_complete(make_plan(SPACE, board, SETTINGS))
    assert_equal(profile, undisturbed)
    assert not kept - bursts()


@pytest.mark.parametrize("seed", range(2))
def test_a_host_killed_at_any_moment_goes_on_where_it_was(board, undisturbed, seed):
    plan = make_plan(SPACE, board, SETTINGS)
    random_state = random.Random(seed)
    lines = 0
    for _ in range(3):
        lines += random_state.randint(1, 200)
        host = start_host()
        wait_for_lines(lines, host)
        host.kill()
        host.communicate()
    host = start_host("--json")
    output, errors = host.communicate(timeout=120)
    assert host.returncode == 0, errors
    assert json.loads(output)["path"] == "profiles/board/nano-fp32/v1.json"
    assert_complete(plan)
    assert_equal(load_profile("board/nano-fp32"), undisturbed)


def test_ctrl_c_keeps_everything_says_so_and_ends_with_130(board, undisturbed):
    host = start_host()
    wait_for_lines(200, host)  # right after the models are known, long before the end
    host.send_signal(signal.SIGINT)
    _, errors = host.communicate(timeout=60)
    assert host.returncode == 130
    assert "the same command goes on" in errors
    assert f"kept in {JOURNAL}" in errors
    assert "Traceback" not in errors
    kept = bursts()
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
    assert not kept - bursts()


def test_a_torn_last_line_costs_one_burst_and_no_more(board, undisturbed):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    JOURNAL.write_bytes(JOURNAL.read_bytes()[:-25])
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert_complete(make_plan(SPACE, board, SETTINGS))
    assert_equal(profile, undisturbed)


def test_the_journal_tells_what_was_lost_when_and_that_it_came_back(board):
    Path("deaths").write_text("900 1000")
    profile_device(board, SPACE, settings=SETTINGS)
    records = [json.loads(line) for line in JOURNAL.read_text().splitlines()]
    told = [record for record in records if record["type"] in ("event", "resumed")]
    assert [record["type"] for record in told] == ["event", "resumed"] * 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told[0]["time"])
    assert "ended during time with status -9" in told[0]["text"]
    assert re.fullmatch(r"after [\d.]+ s and 1 tries", told[1]["text"])


def test_an_agent_that_hangs_is_stopped_and_another_one_goes_on(board, undisturbed, monkeypatch):
    monkeypatch.setattr(agent_client, "_RUN_S", 0.5)
    monkeypatch.setenv("FAKE_HANGS", "1")
    Path("deaths").write_text("700 900")
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
    assert JOURNAL.read_text().count("silent") == 2


def test_a_run_goes_on_with_its_token_and_another_run_has_another(board):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    kept = ProfileJournal(JOURNAL)
    assert kept.run == ProfileJournal(JOURNAL).run != ProfileJournal(Path("other")).run
    profile_device(board, SPACE, settings=SETTINGS)
    assert json.loads(JOURNAL.read_text().splitlines()[0])["run"] == kept.run


def test_a_left_over_agent_of_the_same_run_gives_way(board, undisturbed):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    with connect(board) as connection, AgentClient(connection, board, run=ProfileJournal(JOURNAL).run) as left_over:
        left_over.lock()
        os.kill(left_over.pid, signal.SIGSTOP)  # it hangs, and only SIGKILL ends it
        assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
        assert not left_over.alive


@pytest.mark.parametrize(
    "damage", [b"{", b"[]\n", b'{"type": "bursts"}\n', b'{"type": "burst", "key": []}\n', b"\xff\n"]
)
def test_a_damaged_line_is_an_error_of_the_profile(board, damage):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    lines = JOURNAL.read_bytes().splitlines(keepends=True)
    JOURNAL.write_bytes(b"".join([*lines[:5], damage if damage.endswith(b"\n") else damage + b"\n", *lines[5:]]))
    with pytest.raises(ProfileError) as error:
        profile_device(board, SPACE, settings=SETTINGS)
    assert str(JOURNAL) in error.value.what
    assert "--restart" in error.value.fix
    assert error.value.exit_code == 4


def test_a_full_disk_on_the_host_is_named_and_the_run_goes_on_later(board, undisturbed, monkeypatch):
    written = []

    def append_until_full(self, record, **how):
        written.append(record)
        if len(written) == 400:
            with self.path.open("ab") as stream:
                stream.write(b'{"type": "bur')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, record, **how)

    append = Journal.append
    with monkeypatch.context() as full:
        full.setattr(Journal, "append", append_until_full)
        with pytest.raises(ProfileError, match="cannot be written: No space left on device"):
            profile_device(board, SPACE, settings=SETTINGS)
    assert len(written) == 400
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
    assert_complete(make_plan(SPACE, board, SETTINGS))


def test_a_model_that_the_agent_dies_of_again_and_again_is_left_out(board, monkeypatch, undisturbed):
    deadly = undisturbed.entries[3].key
    monkeypatch.setenv(fakeboard.DEADLY_LAYER, deadly)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert [entry.key for entry in profile.failed] == [deadly]
    assert "died 3 times in a row" in profile.failed[0].error
    assert len(profile.entries) == len(undisturbed.entries) - 1


def test_an_agent_that_ends_within_every_window_is_still_done_some_day(board, monkeypatch, undisturbed):
    monkeypatch.setattr(AgentClient, "conditions", lambda agent: {"throttled": []})
    Path("deaths").write_text("300 " * 8)  # a window takes some 400 runs
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
