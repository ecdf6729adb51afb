"""Predictors on spaces and archives that leave little to learn from."""

from __future__ import annotations

import numpy as np
import pytest
from generated import STAGED, accuracy, descriptions
from hypothesis import given, settings
from hypothesis import strategies as st

from mosegedge.errors import SearchError
from mosegedge.search.config import RankNetSettings
from mosegedge.search.predictors.calibration import Quantiles
from mosegedge.search.predictors.description import CodeDescription
from mosegedge.search.predictors.registry import PREDICTORS, make_predictor

QUICK = RankNetSettings(epochs=8, neurons=8)
AGGREGATES = {
    "none": None,
    "constant and large": lambda codes: np.full((len(codes), 1), 3.7e9),
    "tiny": lambda codes: 1e-15 * codes[:, :1],
}
TARGETS = {
    "random": lambda rng, count: rng.random(count),
    "equal": lambda _, count: np.full(count, 0.4),
    "one is different": lambda _, count: np.where(np.arange(count) == 1, 0.1, 0.7),
    "two values": lambda rng, count: rng.integers(0, 2, count).astype(float),
    "close together": lambda rng, count: 0.5 + 1e-7 * rng.random(count),
}


@pytest.mark.parametrize("name", PREDICTORS)
@settings(max_examples=4)
@given(
    description=descriptions(),
    aggregates=st.sampled_from(sorted(AGGREGATES)),
    targets=st.sampled_from(sorted(TARGETS)),
    count=st.integers(5, 9),
    distinct=st.integers(1, 9),
    unit=st.sampled_from([1e-90, 1e-6, 1.0, 100.0, 1e90]),
    seed=st.integers(0, 9),
)
def test_few_equal_and_odd_rows_give_predictions_near_the_targets(
    name, description, aggregates, targets, count, distinct, unit, seed
):
    rng = np.random.default_rng(seed)
    foreign = CodeDescription(
        digits=description.digits, switches=description.switches, aggregates=AGGREGATES[aggregates]
    )
    codes = foreign.sample(min(count, distinct), rng)[rng.integers(0, min(count, distinct), count)]
    y = unit * TARGETS[targets](rng, count)
    fresh = foreign.sample(30, rng)
    found = make_predictor(name, foreign, rng, paper=QUICK).fit(codes, y).predict(fresh)
    assert found.shape == (30,)
    room = 20 * np.ptp(y) + 1e-9 * np.abs(y).max()
    assert (found >= y.min() - room).all()
    assert (found <= y.max() + room).all()


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_unit_of_the_targets_is_of_no_importance_however_large_or_small(name):
    codes = STAGED.sample(30, np.random.default_rng(1))
    y, fresh = accuracy(STAGED, codes), STAGED.sample(50, np.random.default_rng(2))
    usual, tiny, huge = (
        make_predictor(name, STAGED, np.random.default_rng(3), paper=QUICK).fit(codes, unit * y).predict(fresh)
        for unit in (1.0, 2.0**-200, 2.0**200)
    )
    assert (tiny * 2.0**200 == usual).all()
    assert (huge * 2.0**-200 == usual).all()
    assert np.ptp(usual) > 0 or name == "lightgbm-defaults"  # which puts 20 rows into a leaf


@pytest.mark.parametrize("wrong", [np.inf, 1e160])
def test_a_target_that_no_predictor_can_square_is_refused(wrong, rng):
    with pytest.raises(SearchError, match=rf"number 3 is {wrong}".replace("+", r"\+")):
        make_predictor("tree", STAGED, rng).fit(STAGED.sample(6, rng), np.where(np.arange(6) == 3, wrong, 0.5))


@pytest.mark.parametrize("columns", ["array of its rows reversed", "part of a wider array", "32 bits", "a list"])
def test_codes_may_lie_in_memory_as_they_like(columns, rng):
    codes = STAGED.sample(40, rng)
    y = accuracy(STAGED, codes)
    wide = np.concatenate([codes, codes], axis=1)
    wide.setflags(write=False)
    same = {
        "array of its rows reversed": codes[::-1].copy()[::-1],
        "part of a wider array": wide[:, : codes.shape[1]],
        "32 bits": np.asfortranarray(codes.astype(np.int32)),
        "a list": codes.tolist(),
    }[columns]
    for name in ("gp", "ranknet-paper", "lightgbm-defaults"):
        usual, other = (
            make_predictor(name, STAGED, np.random.default_rng(0), paper=QUICK).fit(rows, y).predict(rows)
            for rows in (codes, same)
        )
        assert (usual == other).all()


def test_equal_scores_become_the_mean_of_their_targets_and_equal_targets_keep_the_order():
    rising = Quantiles(np.array([0.0, 0.0, 1.0, 2.0, 3.0]), np.array([0.2, 0.4, 0.7, 0.7, 0.7]))
    assert rising(np.array([0.0, 1.0])) == pytest.approx([0.3, 0.7], abs=1e-6)
    assert (np.diff(rising(np.linspace(-1.0, 5.0, 200))) > 0).all()


def test_two_scores_close_together_do_not_carry_predictions_away():
    rising = Quantiles(np.array([0.0, 1e-9, 1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.4, 0.5, 0.6]))
    assert rising(np.array([-1.0]))[0] > -0.2
