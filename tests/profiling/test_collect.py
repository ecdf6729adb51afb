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
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import fakeboard
import numpy as np
import pytest
from comparing import COMMAND, JOURNAL, SETTINGS, SPACE, assert_complete, assert_equal, bursts

from mosegedge.devices import AgentClient, agent_client, connect, load_device, open_agent
from mosegedge.errors import AgentError, DeviceBusyError, ExportError, ModelRefusedError, ProfileError
from mosegedge.files import Journal
from mosegedge.profiling import (
    ProfileSettings,
    building,
    collect,
    collector,
    load_profile,
    loading,
    make_plan,
    profile_device,
)
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.models import ModelFile
from mosegedge.progress import Silent
from mosegedge.space import Architecture


@pytest.fixture(scope="module")
def quick_disk():
    """A folder in memory where there is one: a journal waits for the disk thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def install_board(folder: Path, monkeypatch):
    folder.mkdir()
    for name, value in fakeboard.environment(folder).items():
        monkeypatch.setenv(name, value)
    for path in os.environ["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(path)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(building, "model_file", fakeboard.model_file)
    monkeypatch.setattr(collector, "_WAIT_FOR_LOCK_S", 0)
    monkeypatch.setattr(collect, "_FIRST_PAUSE_S", 0.01)
    return load_device("board")


@pytest.fixture
def board(quick_disk, tmp_path, monkeypatch):
    return install_board(quick_disk / tmp_path.name, monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(quick_disk):
    """The profile that every disturbed run has to equal."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        board = install_board(quick_disk / "undisturbed", monkeypatch)
        return profile_device(board, SPACE, settings=SETTINGS)


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


def test_an_undisturbed_run_finds_the_boards_law(undisturbed):
    plan = make_plan(SPACE, load_device("local"), SETTINGS)
    assert len(undisturbed.entries) == len(plan.layers) == 159
    assert [entry.key for entry in undisturbed.entries] == sorted(entry.key for entry in undisturbed.entries)
    values = {entry.key: entry.value_ms for entry in undisturbed.entries}
    for item in plan.layers:
        assert values[item.key] == pytest.approx(fakeboard.layer_us(item.source) / 1e3, abs=2e-6)
    assert undisturbed.certificate.kendall_tau == pytest.approx(1)
    assert undisturbed.certificate.mape < 1e-3
    assert undisturbed.certificate.networks == 12
    assert undisturbed.model.coefficients["sum_of_layers"] == pytest.approx(0.96, rel=1e-2)
    assert undisturbed.model.coefficients["weights_million"] == pytest.approx(0.3, rel=5e-2)
    codes = SPACE.sample(50, np.random.default_rng(5))
    codes[:, 0] = 0
    predicted, sd = undisturbed.latency_model().predict(codes)
    truth = [fakeboard.network_us(SPACE, network) / 1e3 for network in SPACE.decode(codes)]
    np.testing.assert_allclose(predicted, truth, rtol=5e-3)
    assert (sd >= 0).all()


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


@pytest.mark.parametrize("seed", range(3))
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


def test_a_layer_that_the_device_cannot_run_carries_its_error_and_no_number(board, monkeypatch):
    plan = make_plan(SPACE, board, SETTINGS)
    failing = next(item for item in plan.layers if item.key.startswith("bottleneck id"))
    monkeypatch.setenv(fakeboard.FAILING_LAYER, failing.key)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert [(entry.key, "no kernel" in entry.error) for entry in profile.failed] == [(failing.key, True)]
    assert failing.key not in {entry.key for entry in profile.entries}
    codes = SPACE.sample(2000, np.random.default_rng(0))
    codes[:, 0] = 0
    rows = [row for row, spec in enumerate(SPACE.entries) if spec == failing.source]
    needs_it = np.isin(SPACE.entries_of(codes), rows).any(axis=1)
    assert 0 < needs_it.sum() < len(codes)
    model = profile.latency_model()
    assert np.isfinite(model.predict(codes[~needs_it])[0]).all()
    with pytest.raises(ProfileError, match=f"lacks .* could not run .*{re.escape(failing.key)}.*no kernel"):
        model.predict(codes)


def test_another_plan_does_not_go_on_with_this_journal(board):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS, command="mosegedge profile --seed 0")
    other = ProfileSettings(scales=(0,), networks=24, passes=2, seed=1)
    with pytest.raises(ProfileError) as error:
        profile_device(board, SPACE, settings=other)
    assert "mosegedge profile --seed 0" in error.value.known
    assert "--restart" in error.value.fix
    profile = profile_device(board, SPACE, settings=other, restart=True)
    assert profile.protocol.seed == 1
    assert bursts(JOURNAL.with_name("v1.journal.jsonl.old1"))


def test_a_device_that_changed_meanwhile_is_not_mixed(board, monkeypatch):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    monkeypatch.setenv("FAKE_VERSION", "2.0")
    with pytest.raises(ProfileError, match=r"1\.0 then, 2\.0 now"):
        profile_device(board, SPACE, settings=SETTINGS)


def test_a_budget_ends_after_whole_passes_but_never_before_the_second(board):
    settings = ProfileSettings(scales=(0,), networks=24, passes=50, budget_s=1e-6)
    profile = profile_device(board, SPACE, settings=settings)
    assert profile.protocol.passes == 2
    assert_complete(make_plan(SPACE, board, ProfileSettings(scales=(0,), networks=24, passes=2)))


def test_a_budget_counts_what_earlier_runs_spent(board):
    settings = ProfileSettings(scales=(0,), networks=24, passes=50, budget_s=3600.0)
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=settings)
    ProfileJournal(JOURNAL).add_spent(wall_s=4000.0)
    profile = profile_device(board, SPACE, settings=settings)
    assert profile.protocol.passes <= 3
    assert profile.effort.wall_s > 4000


def test_a_device_that_is_in_use_is_left_alone(board):
    with open_agent(board) as holder:
        holder.lock()
        with pytest.raises(DeviceBusyError, match="Another run is timing this device"):
            profile_device(board, SPACE, settings=SETTINGS)
    assert not Path("profiles").exists()


def test_little_memory_on_the_device_changes_nothing(board, undisturbed, monkeypatch):
    monkeypatch.setattr(loading, "_MEMORY_SHARE", 0.0)
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)


def test_measuring_again_makes_the_next_version_with_its_parent(board):
    settings = ProfileSettings(scales=(0,), networks=8, passes=2)
    first = profile_device(board, SPACE, settings=settings)
    second = profile_device(board, SPACE, settings=settings)
    assert (first.version, first.parent, second.version, second.parent) == (1, None, 2, 1)
    assert load_profile("board/nano-fp32") == second
    assert load_profile("board/nano-fp32/v1") == first


def test_progress_counts_what_an_earlier_run_did(board):
    class Seen(Silent):
        def __init__(self):
            self.starts, self.steps = [], 0

        def start(self, what, total, done=0):
            self.starts.append((what, total, done))

        def advance(self, steps=1, note=""):
            self.steps += steps

    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    kept, seen = sum(bursts().values()), Seen()
    profile_device(board, SPACE, settings=SETTINGS, progress=seen)
    plan = make_plan(SPACE, board, SETTINGS)
    total = plan.settings.passes * plan.bursts_a_pass
    assert seen.starts == [("Building models", 183, 183), ("Measuring", total, kept)]
    assert seen.steps == total - kept


def test_bursts_of_a_throttled_window_are_measured_again(board, undisturbed, monkeypatch):
    monkeypatch.setattr(collector, "_COOLING_S", (0.0, 0.0, 0.0))
    answers = iter([["SwThermalSlowdown"], ["SwThermalSlowdown"]])
    conditions = AgentClient.conditions
    monkeypatch.setattr(AgentClient, "conditions", lambda agent: {**conditions(agent), "throttled": next(answers, [])})
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
    records = [json.loads(line) for line in JOURNAL.read_text().splitlines()]
    discarded = [tuple(visit) for record in records if record["type"] == "discard" for visit in record["visits"]]
    assert discarded
    timed = bursts()
    assert all(timed[visit] == 1 + discarded.count(visit) for visit in timed)


def test_what_stays_throttled_is_kept_and_graded_down_with_the_reason(board, monkeypatch):
    monkeypatch.setattr(collector, "_COOLING_S", (0.0,))
    conditions = AgentClient.conditions
    monkeypatch.setattr(
        AgentClient, "conditions", lambda agent: {**conditions(agent), "throttled": ["HwThermalSlowdown"]}
    )
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert {entry.grade for entry in profile.entries} == {"C"}
    assert all("throttled: HwThermalSlowdown" in entry.reason for entry in profile.entries)


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


def test_what_is_no_fault_of_the_model_is_tried_once_more_and_then_ends_the_run(board, monkeypatch, undisturbed):
    monkeypatch.setenv(fakeboard.TROUBLED_LAYER, undisturbed.entries[3].key)
    Path("troubles").write_text("1 2 3")
    with pytest.raises(AgentError, match="ran out of disk space") as error:
        profile_device(board, SPACE, settings=SETTINGS)
    assert not isinstance(error.value, ModelRefusedError)
    assert Path("troubles").read_text() == "3"  # the next run meets it, and goes on at its second try
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)


@pytest.mark.parametrize("kind", [ExportError, ModelRefusedError])
def test_a_model_that_the_host_cannot_make_for_the_device_is_left_out(board, monkeypatch, undisturbed, kind):
    refused = {undisturbed.entries[3].key, make_plan(SPACE, board, SETTINGS).held_out[0].key}

    def model_file(item, plan, description):
        if item.key in refused:
            raise kind("no such operator")
        return fakeboard.model_file(item, plan, description)

    monkeypatch.setattr(building, "model_file", model_file)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert {(entry.key, entry.error) for entry in profile.failed} == {(key, "no such operator") for key in refused}


def ended_before_the_check(board, monkeypatch, conditions):
    """Measures until the device is asked for the second time, which is after the first window; returns its bursts."""
    asked = []

    def end_at_the_check(agent):
        asked.append(agent)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return conditions

    with monkeypatch.context() as ending:
        ending.setattr(AgentClient, "conditions", end_at_the_check)
        with pytest.raises(KeyboardInterrupt):
            profile_device(board, SPACE, settings=SETTINGS)
    return bursts()


def test_bursts_before_the_question_for_heat_was_answered_are_measured_again(board, monkeypatch, undisturbed):
    window = ended_before_the_check(board, monkeypatch, {"throttled": []})
    assert window
    monkeypatch.setattr(AgentClient, "conditions", lambda agent: {"throttled": []})
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
    assert {visit for visit, count in bursts().items() if count == 2} == set(window)
    assert not ProfileJournal(JOURNAL).unconfirmed


def test_a_device_that_tells_nothing_of_heat_keeps_its_bursts(board, monkeypatch, undisturbed):
    ended_before_the_check(board, monkeypatch, {})
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)
    assert_complete(make_plan(SPACE, board, SETTINGS))
    assert '"cool"' not in JOURNAL.read_text()


def test_an_agent_that_ends_within_every_window_is_still_done_some_day(board, monkeypatch, undisturbed):
    monkeypatch.setattr(AgentClient, "conditions", lambda agent: {"throttled": []})
    Path("deaths").write_text("300 " * 8)  # a window takes some 400 runs
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)


def test_what_the_host_knew_of_a_model_is_said_once_and_reaches_the_profile(board, monkeypatch, undisturbed):
    class Heard(Silent):
        said: ClassVar[list[str]] = []

        def say(self, text):
            self.said.append(text)

    def model_file(item, plan, description):
        plain = fakeboard.model_file(item, plan, description)
        warnings = ("takes Resize badly",) if isinstance(item.source, Architecture) else ()
        return ModelFile(plain.content, plain.model_format, ("compiled here",), warnings)

    monkeypatch.setattr(building, "model_file", model_file)
    monkeypatch.setattr(collector, "check_compiler", lambda device: "ATC of CANN 6.0.1")
    profile = profile_device(board, SPACE, settings=SETTINGS, progress=Heard())
    assert {note.text: note.models for note in profile.notes} == {"compiled here": 183, "takes Resize badly": 24}
    assert Heard.said.count("takes Resize badly") == 1
    assert "compiled here" not in Heard.said
    begin = json.loads(JOURNAL.read_text().splitlines()[0])
    assert begin["fingerprint"]["host_compiler"] == "ATC of CANN 6.0.1"


def test_models_of_another_compiler_on_the_host_are_not_mixed(board, monkeypatch):
    Path("deaths").write_text("900 0 0 0")
    monkeypatch.setattr(collector, "check_compiler", lambda device: "CANN 6.0.1")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    monkeypatch.setattr(collector, "check_compiler", lambda device: "CANN 8.0.0")
    with pytest.raises(ProfileError, match=r"host_compiler: CANN 6\.0\.1 then, CANN 8\.0\.0 now"):
        profile_device(board, SPACE, settings=SETTINGS)
