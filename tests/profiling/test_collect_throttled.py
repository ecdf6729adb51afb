"""What was timed while the device was throttled is measured again; what stays throttled is graded down."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from comparing import JOURNAL, SETTINGS, SPACE, assert_complete, assert_equal, bursts

from mosegedge.devices import AgentClient
from mosegedge.profiling import (
    collector,
    make_plan,
    profile_device,
)
from mosegedge.profiling.journal import ProfileJournal


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


def test_a_network_stays_loaded_for_two_bursts_however_many_windows_are_repeated(board, monkeypatch):
    monkeypatch.setattr(collector, "slow_windows", lambda windows: dict.fromkeys(range(len(windows)), 0.1))
    profile_device(board, SPACE, settings=replace(SETTINGS, passes=6))
    records = [json.loads(line) for line in JOURNAL.read_text().splitlines()]
    assert sum(record["type"] == "discard" for record in records) > 3
    loads = Counter(record["key"] for record in records if record["type"] == "built")
    timed = Counter(record["key"] for record in records if record["type"] == "burst")
    networks = [item.key for item in make_plan(SPACE, board, SETTINGS).fit]
    assert max(timed[key] for key in networks) > 6
    assert all(3 <= loads[key] <= (timed[key] + 1) // 2 for key in networks)


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
