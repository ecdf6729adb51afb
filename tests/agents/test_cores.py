"""Bursts of models that run for long, and the cores that the agent keeps to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agents import affinity, timing

ROOT = Path(__file__).parents[2]
PRINT_CORES = "import json, sys; from device_agents import affinity; print(json.dumps(affinity.pin(int(sys.argv[1]))))"


class Clock:
    """Every run takes the same time."""

    def __init__(self, run_ns):
        self.now_ns, self.run_ns = 0, run_ns

    def perf_counter_ns(self):
        return self.now_ns

    def run(self):
        self.now_ns += self.run_ns


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_burst_takes_no_longer_than_asked_but_for_one_run(run_ns, most_ns):
    clock = Clock(run_ns)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(timing, "time", clock)
        found = timing.burst(clock.run, 3, 10, 4_000_000, 8, most_ns)
    for runs in (found["warmup_ns"], found["samples_ns"]):
        assert runs
        assert sum(runs[:-1]) < most_ns
    assert len(found["warmup_ns"]) <= 3
    assert len(found["samples_ns"]) <= 10


def test_a_run_of_half_a_second_is_warmed_up_once_and_timed_once(monkeypatch):
    clock = Clock(500_000_000)
    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(timing, "_preemptions", lambda: 0)
    assert timing.burst(clock.run, 3, 10, 4_000_000, 8, 150_000_000) == {
        "warmup_ns": [500_000_000],
        "samples_ns": [500_000_000],
        "device_ns": [],
        "preempted": [0],
    }


def cores_of(threads, monkeypatch, *, mhz=None, siblings=None):
    files = {}
    for core, clock in (mhz or {}).items():
        files[f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq"] = str(clock * 1000)
    for core, text in (siblings or {}).items():
        files[f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"] = text
    monkeypatch.setattr(affinity, "_read", files.get)
    return affinity.chosen(list(range(8)), threads)


def test_fast_cores_come_first_and_the_first_core_last(monkeypatch):
    assert cores_of(1, monkeypatch) == [7]
    assert cores_of(2, monkeypatch) == [6, 7]
    assert cores_of(2, monkeypatch, mhz={core: 2400 if core in (4, 5) else 1800 for core in range(8)}) == [4, 5]
    assert cores_of(8, monkeypatch) == []


def test_two_threads_of_one_physical_core_are_taken_last(monkeypatch):
    pairs = {core: f"{core % 4},{core % 4 + 4}" for core in range(8)}
    assert cores_of(4, monkeypatch, siblings=pairs) == [4, 5, 6, 7]
    assert cores_of(5, monkeypatch, siblings=pairs) == [3, 4, 5, 6, 7]
    neighbours = {core: f"{core // 2 * 2}-{core // 2 * 2 + 1}" for core in range(8)}
    assert cores_of(2, monkeypatch, siblings=neighbours) == [5, 7]


def pinned(threads, allowed, **environment):
    """What an agent that may use some cores keeps to."""
    untold = {name: value for name, value in os.environ.items() if name != affinity.CORES}
    found = subprocess.run(
        [sys.executable, "-c", PRINT_CORES, str(threads)],
        env={**untold, "PYTHONPATH": str(ROOT), **environment},
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(found.stdout)


def test_an_agent_keeps_to_the_cores_that_it_was_given_or_told():
    allowed = sorted(os.sched_getaffinity(0))
    first, last = allowed[0], allowed[-1]
    everything = allowed if len(allowed) < (os.cpu_count() or 1) else None
    assert pinned(1, {first}) == ([first] if (os.cpu_count() or 1) > 1 else None)
    assert pinned(len(allowed), allowed) == everything
    assert pinned(1, allowed, MOSEGEDGE_CORES="all") == everything
    if len(allowed) > 1:
        assert pinned(1, allowed, MOSEGEDGE_CORES=str(last)) == [last]
        assert pinned(1, allowed, MOSEGEDGE_CORES=str(first)) == [first]
        assert len(pinned(1, allowed)) == 1
