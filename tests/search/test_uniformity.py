from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from standin import global_random_state

from mosegedge.search.prescreen import Hierarchical, Pool, Reference
from mosegedge.search.uniformity import cross, ks_statistics, mutate, solve_by_genetic_algorithm


def brute_force(candidates, front, limit):
    sizes = range(limit + 1)
    chosen = [c for size in sizes for c in combinations(range(len(candidates)), size)]
    subsets = np.array([np.isin(np.arange(len(candidates)), subset) for subset in chosen])
    return ks_statistics(subsets, candidates, front).min()


def as_subset(indices, size):
    return np.isin(np.arange(size), indices)[None]


def test_the_statistic_is_that_of_scipy(rng):
    candidates, front = rng.uniform(3, 50, size=20), rng.uniform(5, 40, size=6)
    low, high = np.concatenate([candidates, front]).min(), np.concatenate([candidates, front]).max()
    for subset in rng.random((30, 20)) < 0.3:
        together = np.concatenate([front, candidates[subset]])
        expected = kstest(together, "uniform", args=(low, high - low)).statistic
        assert ks_statistics(subset[None], candidates, front)[0] == pytest.approx(expected)


def test_the_scale_of_latency_does_not_matter(rng):
    candidates, front = rng.uniform(3, 50, size=20), rng.uniform(5, 40, size=6)
    subsets = rng.random((30, 20)) < 0.3
    assert ks_statistics(subsets, candidates, front) == pytest.approx(
        ks_statistics(subsets, 1e3 * candidates + 7, 1e3 * front + 7)
    )


@pytest.mark.parametrize(("front", "size", "limit"), [(0, 10, 4), (4, 12, 3), (8, 14, 5), (15, 12, 6)])
def test_the_genetic_algorithm_finds_the_optimum_of_small_problems(front, size, limit, rng):
    for _ in range(3):
        candidates, taken = rng.lognormal(1, 1, size=size), rng.lognormal(1, 1, size=front)
        found = solve_by_genetic_algorithm(candidates, taken, limit, rng)
        assert len(found) <= limit
        value = ks_statistics(as_subset(found, size), candidates, taken)[0]
        assert value == pytest.approx(brute_force(candidates, taken, limit), abs=1e-9)


def test_a_gap_in_the_front_is_filled():
    front = np.concatenate([np.arange(0, 40, 4.0), np.arange(60, 101, 4.0)])
    candidates = np.array([1.0, 2.0, 3.0, 44.0, 48.0, 52.0, 56.0, 99.0])
    found = solve_by_genetic_algorithm(candidates, front, 4, np.random.default_rng(0))
    assert found.tolist() == [3, 4, 5, 6]


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_crossover_and_mutation_stay_feasible(size, limit, seed):
    rng = np.random.default_rng(seed)
    limit = min(limit, size)
    wanted = rng.integers(0, limit + 1, size=(2, 40, 1))
    first, second = rng.random((2, 40, size)).argsort(axis=2).argsort(axis=2) < wanted
    children = cross(first, second, limit, rng)
    assert (children.sum(axis=1) <= limit).all()
    assert (children >= (first & second)).all()
    assert (children <= (first | second)).all()
    mutants = mutate(children, limit, rng)
    assert (mutants.sum(axis=1) <= limit).all()
    assert ((mutants != children).sum(axis=1) <= 2).all()


def test_equal_latencies_and_no_candidates_are_no_trouble(rng):
    assert len(solve_by_genetic_algorithm(np.zeros(0), np.ones(3), 4, rng)) == 0
    assert len(solve_by_genetic_algorithm(np.full(5, 2.0), np.full(3, 2.0), 4, rng)) <= 4
    assert len(solve_by_genetic_algorithm(np.arange(5.0), np.ones(3), 0, rng)) == 0


def pool(rng, size=40, front=12):
    return Pool(
        codes=np.zeros((size, 29), dtype=np.int64),
        gain=rng.random(size),
        gain_sd=None,
        costs=rng.lognormal(2, 0.5, size=(size, 1)),
        front_costs=rng.lognormal(2, 0.5, size=(front, 1)),
        front_gain=rng.random(front),
        reference=Reference(costs=(30.0,), gain=0.0),
    )


def test_the_hierarchy_fills_up_with_the_best_predicted(rng):
    for _ in range(5):
        given_pool = pool(rng, front=int(rng.integers(1, 60)))
        selection = Hierarchical()(given_pool, 8, rng)
        assert len(set(selection.indices.tolist())) == len(selection.reasons) == 8
        spread = [i for i, why in zip(selection.indices, selection.reasons, strict=True) if why == "uniformity"]
        filled = [i for i, why in zip(selection.indices, selection.reasons, strict=True) if why == "accuracy"]
        rest = np.setdiff1d(np.arange(40), selection.indices)
        if filled:
            assert given_pool.gain[filled].min() > given_pool.gain[rest].max()
        assert list(selection.reasons) == ["uniformity"] * len(spread) + ["accuracy"] * len(filled)


def test_a_small_pool_is_taken_whole(rng):
    assert sorted(Hierarchical()(pool(rng, size=5), 8, rng).indices) == list(range(5))


def test_the_same_generator_chooses_the_same_and_no_global_state_is_touched():
    state = global_random_state()
    chosen = [Hierarchical()(pool(np.random.default_rng(1)), 8, np.random.default_rng(2)).indices for _ in range(2)]
    assert global_random_state() == state
    assert chosen[0].tolist() == chosen[1].tolist()
