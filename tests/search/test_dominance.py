"""Dominance, hypervolume and improvements in two to four objectives, against counting and comparing all pairs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosegedge.errors import SearchError, UsageError
from mosegedge.search.config import PrescreenSettings, SearchConfig
from mosegedge.search.dominance import hypervolume, nondominated
from mosegedge.search.prescreen import ExpectedHypervolume, Hypervolume, Pool, Reference, Survival
from mosegedge.search.prescreen.improvement import Boxes, front_of_pool
from mosegedge.search.steps import Grid

SEEDS = st.integers(0, 2**32 - 1)


def points(seed, columns, most=25, top=6):
    rng = np.random.default_rng(seed)
    return rng.integers(0, top, size=(rng.integers(0, most), columns)).astype(float)


def pool(seed, costs, size=30, front=8):
    rng = np.random.default_rng(seed)
    return Pool(
        codes=np.arange(size)[:, None],
        costs=rng.uniform(1, 11, (size, costs)),
        gain=rng.uniform(0.1, 0.6, size),
        gain_sd=rng.uniform(0.01, 0.05, size),
        front_costs=rng.uniform(1, 11, (front, costs)),
        front_gain=rng.uniform(0.1, 0.6, front),
        reference=Reference(costs=(10.0,) * costs, gain=0.15),
    )


def values_of(found, rows=()):
    costs = np.vstack([found.front_costs, found.costs[list(rows)]])
    return np.column_stack([costs, -np.append(found.front_gain, found.gain[list(rows)])])


def volume(found, rows=()):
    return hypervolume(values_of(found, rows), np.array([*found.reference.costs, -found.reference.gain]))


@given(SEEDS, st.integers(2, 4), st.sampled_from([3, 6, 1000]))
def test_nobody_that_is_kept_is_dominated_and_everybody_else_is(seed, columns, top):
    values = points(seed, columns, most=60, top=top)
    no_worse = (values[:, None] <= values[None]).all(axis=2)
    better = (values[:, None] < values[None]).any(axis=2)
    assert nondominated(values).tolist() == (~(no_worse & better).any(axis=0)).tolist()


def test_many_rows_are_compared_in_parts(rng):
    values = rng.integers(0, 40, size=(3000, 3)).astype(float)
    kept = nondominated(values)
    front = np.unique(values[kept], axis=0)
    for row in values[~kept][::50]:
        assert ((front <= row).all(axis=1) & (front < row).any(axis=1)).any()
    assert nondominated(front).all()


@given(SEEDS, st.integers(2, 4))
def test_the_hypervolume_is_the_number_of_dominated_cells(seed, columns):
    values = points(seed, columns, most=12, top=5)
    reference = np.array([4.0, 3.0, 5.0, 4.0][:columns])
    cells = np.array(list(product(*(range(int(top)) for top in reference))), dtype=float)
    dominated = (values[None] <= cells[:, None]).all(axis=2).any(axis=1)
    assert hypervolume(values, reference) == pytest.approx(dominated.sum())


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 3), st.integers(0, 10))
def test_an_improvement_is_a_difference_of_hypervolumes(seed, costs, front):
    found = pool(seed, costs, size=6, front=front)
    before = volume(found)
    stairs = front_of_pool(found)
    added = stairs.improvement(found.costs, found.gain)
    for row in range(6):
        assert added[row] == pytest.approx(volume(found, [row]) - before, abs=1e-9)
    grown = stairs.with_point(found.costs[0], float(found.gain[0]))
    again = grown.improvement(found.costs, found.gain)
    for row in range(6):
        assert again[row] == pytest.approx(volume(found, [0, row]) - volume(found, [0]), abs=1e-9)


def test_the_expected_improvement_over_two_costs_is_the_mean_over_samples(rng):
    found = pool(5, 2, size=5)
    stairs = front_of_pool(found)
    assert isinstance(stairs, Grid)
    drawn = found.gain + found.gain_sd * rng.standard_normal((10_000, 5))
    sampled = np.mean([stairs.improvement(found.costs, row) for row in drawn], axis=0)
    expected = stairs.expected_improvement(found.costs, found.gain, found.gain_sd)
    assert expected == pytest.approx(sampled, rel=0.05, abs=0.02)
    exact = stairs.expected_improvement(found.costs, found.gain, np.zeros(5))
    assert exact == pytest.approx(stairs.improvement(found.costs, found.gain), abs=1e-6)


@pytest.mark.parametrize("costs", [1, 2, 3])
def test_the_strategy_takes_what_adds_most_one_after_the_other(costs, rng):
    found = pool(1, costs)
    chosen = Hypervolume()(found, 4, rng).indices.tolist()
    taken: list[int] = []
    for row in chosen:
        volumes = [volume(found, [*taken, other]) for other in range(len(found))]
        assert volumes[row] == pytest.approx(max(volumes))
        taken.append(row)


@pytest.mark.parametrize("strategy", [Hypervolume(), ExpectedHypervolume(), Survival()])
def test_strategies_fill_their_slots_over_two_costs(strategy, rng):
    selection = strategy(pool(2, 2), 8, rng)
    assert len(set(selection.indices.tolist())) == 8


def test_what_a_strategy_is_not_defined_for_is_refused_before_a_search_starts():
    three = ("miou", "latency", "params")
    for name in ("hierarchical", "latency"):
        with pytest.raises(UsageError, match=f"{name} spreads networks evenly along one cost.*latency, params"):
            SearchConfig(objectives=three, prescreen=PrescreenSettings(strategy=name))
        SearchConfig(objectives=("miou", "params"), prescreen=PrescreenSettings(strategy=name))
    SearchConfig(objectives=three, prescreen=PrescreenSettings(strategy="ehvi"))
    with pytest.raises(UsageError, match="up to 3 objectives; there are 4"):
        SearchConfig(objectives=(*three, "flops"), prescreen=PrescreenSettings(strategy="ehvi"))
    with pytest.raises(SearchError, match="one or two costs; there are 3"):
        Boxes(np.zeros((0, 4)), np.ones(4)).expected_improvement(np.zeros((1, 3)), np.zeros(1), np.ones(1))
