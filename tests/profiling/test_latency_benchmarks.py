"""What benchmarks of latency make of their numbers: the machine's speed is no error of a model, and no load."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from test_profile_file import SPACE

from benchmarks import latency, load
from benchmarks.latency_loop import Measured
from mosegedge.profiling.anchors import Slowdown

CODES = SPACE.sample(6, np.random.default_rng(0))
PREDICTED_MS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


def measured(values_ms) -> Measured:
    return Measured(value_ms=np.array(values_ms), halves_ms=np.ones((len(values_ms), 2)), rounds=4, minutes=1.0)


def test_what_the_machine_is_slower_by_is_no_error_of_the_model():
    model = SimpleNamespace(predict=lambda codes: (PREDICTED_MS, 0.02 * PREDICTED_MS))
    model.meanwhile = model
    off = np.array([1.0, 1.0, 1.01, 0.99, 1.0, 1.1])
    found = latency.at_this_speed(
        model, CODES, measured(1.3 * PREDICTED_MS * off), Slowdown(ratio=1.3, relative_se=0.01)
    )
    assert found["slowdown_of_anchors"] == pytest.approx(1.3)
    assert found["mape_at_this_speed"] == pytest.approx(np.abs(1 / off - 1).mean())
    assert found["within_90_percent_interval_at_this_speed"] == pytest.approx(5 / 6)


def test_without_anchors_nothing_is_said_of_the_speed():
    assert latency.at_this_speed(SimpleNamespace(), CODES, measured(PREDICTED_MS), None) == {}


def test_a_run_is_compared_with_those_before_and_after_it():
    runs = [{"a": factor, "b": 2 * factor, f"only {factor}": 1.0} for factor in (1.0, 1.1, 1.21, 1.1 * 1.21, 1.21**2)]
    for change in load.movements(runs, every=2):
        assert change == pytest.approx([0, 0])
    assert len(load.movements(runs, every=1)) == 3
    slower = [*runs[:3], {name: 1.02 * value for name, value in runs[3].items()}, runs[4]]
    first, second = load.moved(load.movements(slower, every=2))
    assert (first["mean_difference"], second["mean_difference"]) == (pytest.approx(0.02), pytest.approx(0))
