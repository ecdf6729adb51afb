"""What a dry run says of a measurement is what it then takes: on a board whose time is simulated, so known exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakeboard
import pytest

from mosegedge.profiling import ProfileSettings, make_plan, profile_device
from mosegedge.profiling import estimate as estimating
from mosegedge.profiling.estimate import estimate
from mosegedge.profiling.models import ModelFile
from mosegedge.profiling.plan import LAYER_BURST
from mosegedge.profiling.run_times import expected_samples, run_times
from mosegedge.profiling.visits import expected_visits
from mosegedge.space import Architecture, SearchSpace

NANO = SearchSpace.load("nano")
SETTINGS = ProfileSettings(scales=(0,), networks=8, passes=3)
ABSENT = Path("absent")


def near(expected: float) -> object:
    return pytest.approx(expected, rel=0.25)


@pytest.fixture(scope="module")
def board(quick_disk):
    """A board that was profiled once."""
    folder = quick_disk / "estimated"
    with pytest.MonkeyPatch.context() as monkeypatch:
        device = fakeboard.install(folder, monkeypatch)
        monkeypatch.setattr(estimating, "onnx_of", lambda item, plan: ModelFile(b""))
        profile_device(device, NANO, settings=SETTINGS)
        yield device


@pytest.mark.parametrize(
    "settings",
    [
        ProfileSettings(scales=(0,), networks=12, passes=6, seed=1),
        ProfileSettings(scales=(0, 1), networks=8, passes=2),
    ],
)
def test_bursts_and_timed_seconds_are_what_it_then_takes(board, tmp_path, settings):
    expected = estimate(make_plan(NANO, board, settings), root=Path("profiles"))
    taken = profile_device(board, NANO, settings=settings, root=tmp_path)
    assert expected.bursts == near(taken.protocol.bursts)
    assert expected.timed_s == near(taken.effort.timed_s)
    assert not expected.rough
    assert "board/nano-fp32/v1" in expected.evidence


def test_a_profile_of_another_space_or_of_other_threads_is_the_next_best_evidence(board):
    tiny = SearchSpace.load("tiny")
    plan = make_plan(tiny, replace(board, threads=2), SETTINGS)
    found = run_times(plan, Path("profiles"))
    assert not found.rough
    assert "nano" in found.words
    assert "1 thread(s)" in found.words
    exact_ms = {
        item.key: fakeboard.network_us(tiny, item.source) / 1e3
        if isinstance(item.source, Architecture)
        else fakeboard.layer_us(item.source) / 1e3
        for item in plan.items
    }
    assert sum(found.run_ms.values()) == near(sum(exact_ms.values()))


def test_a_device_that_took_twice_the_bursts_that_its_scatter_asked_for_is_expected_to_again(board):
    plan = make_plan(NANO, board, replace(SETTINGS, passes=24))
    times = run_times(plan, Path("profiles"))
    times = replace(times, burst_sd=dict.fromkeys(times.burst_sd, 0.007))
    calm = expected_visits(plan, replace(times, profile=None))
    entries = [
        entry.model_copy(update={"n": 2 * calm[entry.key] * expected_samples(LAYER_BURST, entry.median_ms)})
        for entry in times.profile.entries
    ]
    restless = expected_visits(plan, replace(times, profile=times.profile.model_copy(update={"entries": entries})))
    layers, networks = [entry.key for entry in entries], [item.key for item in (*plan.fit, *plan.held_out)]
    assert sum(restless[key] for key in layers) == pytest.approx(2 * sum(calm[key] for key in layers), rel=0.1)
    assert [restless[key] for key in networks] == [calm[key] for key in networks]  # too few of them to compare


def test_without_evidence_it_says_so(board):
    expected = estimate(make_plan(NANO, board, SETTINGS), root=ABSENT)
    assert expected.rough
    assert "rough" in expected.evidence
    assert not ABSENT.exists()


def test_models_that_the_device_has_are_not_built_again(board):
    plan = make_plan(NANO, board, SETTINGS)
    again = estimate(plan, root=Path("profiles"))
    assert (again.to_build, again.there, again.build_s, again.models_mib) == (0, len(plan.items), 0.0, 0.0)
    more = make_plan(NANO, board, replace(SETTINGS, networks=10))
    new = len({item.key for item in more.items} - {item.key for item in plan.items})
    assert estimate(more, root=Path("profiles")).to_build == new > 0
    elsewhere = replace(board, connection="ssh", address="board.example")
    assert (
        "whether the device still has them" in estimate(make_plan(NANO, elsewhere, SETTINGS), root=ABSENT).there_words
    )


def test_the_estimate_grows_with_the_work_and_obeys_the_budget(board):
    small, large = (
        estimate(make_plan(NANO, board, settings), root=ABSENT)
        for settings in (SETTINGS, ProfileSettings(scales=(0,), networks=8, passes=24))
    )
    assert small.total_s < large.total_s
    budget_s = (small.measure_s + large.measure_s) / 2
    limited = estimate(make_plan(NANO, board, replace(SETTINGS, passes=24, budget_s=budget_s)), root=ABSENT)
    assert limited.measure_s == pytest.approx(budget_s)
    assert small.bursts < limited.bursts < large.bursts
    hurried = estimate(make_plan(NANO, board, replace(SETTINGS, budget_s=0.001)), root=ABSENT)
    assert hurried.bursts == 2 * len(make_plan(NANO, board, SETTINGS).items)
