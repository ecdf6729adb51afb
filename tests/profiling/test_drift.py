"""Drift is corrected, noise is not, and bursts between two slow visits of a sentinel are found."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mosegedge.profiling.drift import Drift, drift_of, slow_windows
from mosegedge.profiling.facts import Drifts
from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.windows import Sentinel, Window


def measurements(rng, *, factors, models=60, noise=0.003, disturbed=0.0):
    """Models with levels of all sizes; each round has a factor, and a share of bursts takes a quarter longer."""
    found = []
    for number in range(models):
        level = rng.uniform(1e5, 1e7)
        bursts = []
        for factor in factors:
            slow = 1.25 if rng.random() < disturbed else 1.0
            bursts.append(tuple(int(level * factor * slow * (1 + abs(rng.normal(0, noise)))) for _ in range(6)))
        found.append(Measurement(str(number), tuple(bursts), 0, rounds=tuple(range(1, len(factors) + 1))))
    return found


def test_a_clock_that_sinks_is_corrected(rng):
    factors = [1.0, 1.0, 1.01, 1.02, 1.03, 1.03]
    measured = measurements(rng, factors=factors)
    drift = drift_of(measured)
    assert drift.spread == pytest.approx(0.03, abs=0.003)
    corrected = [drift.corrected(measurement) for measurement in measured]
    for measurement in corrected:
        lows = [min(burst) for burst in measurement.bursts_ns]
        assert max(lows) / min(lows) < 1.015
        assert len(measurement.samples_ms) == 36


def test_a_speed_that_changes_is_expected_to_change_again(rng):
    steady = drift_of(measurements(rng, factors=[1.0] * 12))
    assert steady.level_sd < 0.001
    levels = []
    for _ in range(40):
        drift = drift_of(measurements(rng, factors=np.exp(rng.normal(0, 0.02, 12)), models=20))
        levels.append(drift.level_sd)
    # the medians of twelve such rounds, drawn twice
    expected = np.std([np.median(rng.normal(0, 0.02, 12)) - np.median(rng.normal(0, 0.02, 12)) for _ in range(4000)])
    assert np.sqrt(np.mean(np.square(levels))) == pytest.approx(expected, rel=0.35)


def test_a_round_in_which_the_device_was_not_free_says_nothing_of_its_speed(rng):
    steady = [1.0, 1.002, 0.998, 1.001, 0.999, 1.0]
    assert drift_of(measurements(rng, factors=[*steady, 1.3])).level_sd < 0.003


def test_what_was_corrected_and_what_was_not_is_told_apart(rng):
    drift = drift_of(measurements(rng, factors=[1.0, 1.0, 1.03, 1.0, 1.4]))
    words = Drifts(Drift(), drift).words
    assert "networks by up to 3." in words
    assert "too large to be corrected: networks differ by up to 4" in words
    assert Drifts(Drift(level_sd=0.02), Drift(level_sd=0.0)).level_sd == 0.0
    assert Drifts(Drift(level_sd=0.02), Drift()).level_sd == 0.02
    assert Drifts(Drift(), Drift()).level_sd == 0.0


def test_rounds_that_are_like_their_neighbours_count_for_fewer(rng):
    shuffled = np.repeat([1.0, 1.02, 0.99, 1.03], 4)[rng.permutation(16)]
    in_turn = np.repeat([1.0, 1.02, 0.99, 1.03], 4)
    assert (
        drift_of(measurements(rng, factors=in_turn)).level_sd
        > 1.3 * drift_of(measurements(rng, factors=shuffled)).level_sd
    )


@pytest.mark.parametrize("disturbed", [0.0, 0.3, 0.6])
def test_noise_is_not_corrected_however_much_there_is(rng, disturbed):
    measured = measurements(rng, factors=[1.0] * 8, disturbed=disturbed)
    drift = drift_of(measured)
    assert not drift.factors
    assert drift.corrected(measured[0]) == measured[0]


def test_a_round_in_which_the_device_was_not_free_is_not_divided(rng):
    measured = measurements(rng, factors=[1.0, 1.0, 1.2, 1.0])
    drift = drift_of(measured)
    assert not drift.factors
    assert drift.spread == pytest.approx(0.2, abs=0.02)


def test_models_that_ran_only_in_rounds_of_few_are_left_out(rng):
    measured = measurements(rng, factors=[1.0, 1.0, 1.03, 1.03])
    late = replace(measured[0], rounds=(7, 8, 9, 10))
    assert drift_of([*measured, late]) == drift_of(measured)


def test_models_of_an_old_record_or_few_models_have_no_drift(rng):
    assert not drift_of(measurements(rng, factors=[1.0, 1.03], models=5)).factors
    assert not drift_of([Measurement("a", ((10,), (11,)), 0)]).factors
    assert not drift_of([]).factors


def test_bursts_between_two_slow_visits_of_a_sentinel_are_found():
    lows = [100, 101, 100, 130, 128, 100, 127, 100, 100, 101]
    windows = [Window([Sentinel("s", before), Sentinel("s", after)]) for before, after in pairwise(lows)]
    assert slow_windows(windows) == {3: pytest.approx(0.28)}
    assert slow_windows(windows[:3]) == {}
    assert slow_windows([*windows, Window([Sentinel("s", 200)])]) == {3: pytest.approx(0.28)}


def test_a_profile_says_what_was_too_large_to_be_corrected():
    steady, jumped = Drift(), Drift(spread=0.35)
    assert Drifts(steady, steady).words == "none that is significant"
    assert Drifts(jumped, steady).words == "too large to be corrected: layers differ by up to 35.0% between rounds"
    both = Drifts(Drift(factors={0: 1.02}, spread=0.02), jumped).words
    assert both.startswith("corrected round by round: layers by up to 2.0%; too large to be corrected: networks")
