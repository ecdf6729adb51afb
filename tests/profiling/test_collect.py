"""Measuring a board: its law is found, a budget and versions are kept to, and what is in use is left alone."""

from __future__ import annotations

from pathlib import Path

import fakeboard
import numpy as np
import pytest
from comparing import JOURNAL, SETTINGS, SPACE, assert_complete, assert_equal, bursts

from mosegedge.devices import load_device, open_agent
from mosegedge.errors import AgentError, DeviceBusyError
from mosegedge.profiling import (
    ProfileSettings,
    load_profile,
    loading,
    make_plan,
    profile_device,
)
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.progress import Silent


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
