"""Pre-screening strategies: improvements against a brute-force hypervolume, spreads against all subsets."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standin import global_random_state

from mosegedge.errors import SearchError, UsageError
from mosegedge.search.config import PrescreenSettings, SearchConfig
from mosegedge.search.dominance import hypervolume
from mosegedge.search.prescreen import (
    ExpectedHypervolume,
    Hierarchical,
    Hypervolume,
    LatencySpread,
    Pool,
    Reference,
    Survival,
)
from mosegedge.search.prescreen.exact import solve_exactly
from mosegedge.search.prescreen.registry import make_prescreen
from mosegedge.search.prescreen.survival import rank_and_crowding
from mosegedge.search.steps import Staircase
from mosegedge.search.uniformity import ks_statistics, solve_by_genetic_algorithm

REFERENCE = Reference(costs=(10.0,), gain=0.2)
STRATEGIES = {
    "hypervolume": Hypervolume(),
    "ehvi": ExpectedHypervolume(),
    "hierarchical": Hierarchical(),
    "latency": LatencySpread(),
    "survival": Survival(),
}


def area(latency, miou):
    values = np.stack([latency, -np.asarray(miou)], axis=1)
    return hypervolume(values, np.array([REFERENCE.costs[0], -REFERENCE.gain]))


def pool(seed, size=40, front=8, sd=0.02):
    rng = np.random.default_rng(seed)
    latency = rng.uniform(1, 11, size)
    return Pool(
        codes=np.arange(size)[:, None],
        costs=latency[:, None],
        gain=0.2 + 0.05 * np.sqrt(latency) + rng.normal(0, 0.02, size),
        gain_sd=np.full(size, sd) * rng.uniform(0.5, 1.5, size),
        front_costs=np.sort(rng.uniform(1, 10, front))[:, None],
        front_gain=np.sort(rng.uniform(0.2, 0.35, front)),
        reference=REFERENCE,
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_the_improvement_is_the_difference_of_hypervolumes(seed, front):
    given_pool = pool(seed, size=10, front=front)
    stairs = Staircase.of(given_pool.front_costs[:, 0], given_pool.front_gain, 10.0, 0.2)
    before = area(given_pool.front_costs[:, 0], given_pool.front_gain)
    found = stairs.improvement(given_pool.costs, given_pool.gain)
    for row in range(len(given_pool)):
        latency = np.append(given_pool.front_costs[:, 0], given_pool.costs[:, 0][row])
        miou = np.append(given_pool.front_gain, given_pool.gain[row])
        assert found[row] == pytest.approx(area(latency, miou) - before, abs=1e-9)
        grown = stairs.with_point(given_pool.costs[row], given_pool.gain[row])
        assert (np.diff(grown.heights) > 0).all()


def test_the_expected_improvement_is_the_mean_over_samples(rng):
    given_pool = pool(3, size=6)
    stairs = Staircase.of(given_pool.front_costs[:, 0], given_pool.front_gain, 10.0, 0.2)
    mean, sd = given_pool.gain, given_pool.gain_sd
    found = stairs.expected_improvement(given_pool.costs, mean, sd)
    drawn = mean + sd * rng.standard_normal((20_000, 6))
    sampled = np.mean([stairs.improvement(given_pool.costs, row) for row in drawn], axis=0)
    assert found == pytest.approx(sampled, rel=0.05, abs=2e-4)
    certain = stairs.expected_improvement(given_pool.costs, mean, np.zeros(6))
    assert certain == pytest.approx(stairs.improvement(given_pool.costs, mean), abs=1e-9)


def test_hypervolume_takes_what_adds_most_and_no_twins(rng):
    given_pool = pool(1)
    chosen = Hypervolume()(given_pool, 3, rng).indices
    best, front = None, (given_pool.front_costs[:, 0], given_pool.front_gain)
    for step in range(3):
        gains = [
            area(np.append(front[0], latency), np.append(front[1], miou))
            for latency, miou in zip(given_pool.costs[:, 0], given_pool.gain, strict=True)
        ]
        best = int(np.argmax(gains))
        assert chosen[step] == best
        front = (
            np.append(front[0], given_pool.costs[:, 0][best]),
            np.append(front[1], given_pool.gain[best]),
        )
    twin = replace(given_pool, costs=np.full((40, 1), 5.0), gain=np.full(40, 0.5))
    assert Hypervolume()(twin, 4, rng).reasons == ("hypervolume", "random", "random", "random")


def test_exploration_prefers_the_unknown(rng):
    given_pool = replace(
        pool(2),
        costs=np.full((40, 1), 5.0),
        gain=np.full(40, 0.4),
        gain_sd=np.linspace(0.0, 0.1, 40),
        exploration=1.0,
    )
    assert Hypervolume()(given_pool, 1, rng).indices.tolist() == [39]
    assert ExpectedHypervolume()(given_pool, 1, rng).indices.tolist() == [39]
    for strategy in (Hypervolume(), ExpectedHypervolume()):
        with pytest.raises(SearchError, match="standard deviations"):
            strategy(replace(given_pool, gain_sd=None), 1, rng)


def best_by_trying_all(candidates, front, sizes):
    chosen = [c for size in sizes for c in combinations(range(len(candidates)), size)]
    subsets = np.array([np.isin(np.arange(len(candidates)), subset) for subset in chosen])
    return subsets, ks_statistics(subsets, candidates, front)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(1, 9), st.integers(1, 5), st.booleans(), st.booleans())
def test_the_exact_solution_is_that_of_trying_all_subsets(seed, front, size, limit, full, ties):
    rng = np.random.default_rng(seed)
    candidates, taken = rng.lognormal(1, 1, size), rng.lognormal(1, 1, front)
    if ties:
        candidates, taken = np.ceil(candidates), np.ceil(taken)
    limit = min(limit, size)
    weights = rng.random(size)
    found = solve_exactly(candidates, taken, limit, weights=weights, full=full)
    subset = np.isin(np.arange(size), found)
    subsets, values = best_by_trying_all(candidates, taken, [limit] if full else range(limit + 1))
    assert ks_statistics(subset[None], candidates, taken)[0] == pytest.approx(values.min(), abs=1e-9)
    tied = subsets[values <= values.min() + 1e-9]
    tied = tied[tied.sum(axis=1) == tied.sum(axis=1).max()]
    assert subset.sum() == tied[0].sum()
    assert weights[subset].sum() == pytest.approx((tied * weights).sum(axis=1).max())


@pytest.mark.parametrize("front", [0, 30])
def test_the_genetic_algorithm_comes_as_close_as_the_exact_solution(front, rng):
    candidates, taken = rng.lognormal(1, 1, 60), rng.lognormal(1, 1, front)
    exact = np.isin(np.arange(60), solve_exactly(candidates, taken, 8, weights=np.zeros(60)))
    genetic = np.isin(np.arange(60), solve_by_genetic_algorithm(candidates, taken, 8, rng))
    exact_value, genetic_value = ks_statistics(np.stack([exact, genetic]), candidates, taken)
    assert exact_value <= genetic_value + 1e-12
    assert genetic_value <= exact_value + 0.01


def test_random_weights_choose_among_equally_good_subsets():
    candidates, front = np.repeat([2.0, 5.0, 8.0], 5), np.array([1.0, 9.0])
    chosen = {
        tuple(solve_exactly(candidates, front, 3, weights=np.random.default_rng(seed).random(15))) for seed in range(20)
    }
    assert len(chosen) > 5


def test_whether_the_front_counts_is_a_switch(rng):
    given_pool = replace(
        pool(4, size=9, front=5),
        costs=np.arange(1.0, 10.0)[:, None],
        front_costs=np.array([1.0, 2.0, 3.0, 4.0, 5.0])[:, None],
    )
    with_front = LatencySpread(counts_front=True)(given_pool, 3, rng).indices
    alone = LatencySpread(counts_front=False)(given_pool, 3, rng).indices
    assert given_pool.costs[:, 0][with_front].min() > 5
    assert given_pool.costs[:, 0][alone].min() < 4
    spread = Hierarchical(counts_front=False)(given_pool, 3, rng)
    assert spread.reasons[0] == "uniformity"


@pytest.mark.parametrize("seed", range(3))
def test_survival_follows_rank_then_crowding(seed, rng):
    given_pool = pool(seed, size=30, front=5)
    chosen = Survival()(given_pool, 8, rng).indices
    latency = np.concatenate([given_pool.costs[:, 0], given_pool.front_costs[:, 0]])
    miou = np.concatenate([given_pool.gain, given_pool.front_gain])
    rank, crowding = rank_and_crowding(np.stack([latency, -miou], axis=1))
    rest = np.setdiff1d(np.arange(30), chosen)
    assert rank[chosen].max() <= rank[rest].min()
    last = chosen[rank[chosen] == rank[chosen].max()]
    left = rest[rank[rest] == rank[chosen].max()]
    if len(left):
        assert crowding[last].min() >= crowding[left].max()


def test_rank_and_crowding_of_a_known_set():
    values = np.array([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0], [2.0, 3.0]])
    rank, crowding = rank_and_crowding(values)
    assert rank.tolist() == [0, 0, 0, 1]
    assert crowding[[0, 2, 3]].tolist() == [np.inf] * 3
    assert crowding[1] == pytest.approx(2.0)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_fills_its_slots_and_depends_on_the_generator_alone(name):
    state = global_random_state()
    for size, count in ((40, 8), (3, 8), (40, 1)):
        given_pool = pool(5, size=size)
        first, again = (STRATEGIES[name](given_pool, count, np.random.default_rng(2)) for _ in range(2))
        assert len(set(first.indices.tolist())) == len(first.reasons) == min(size, count)
        assert first.indices.tolist() == again.indices.tolist()
    assert global_random_state() == state


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_are_made_by_name(name):
    made = make_prescreen(SearchConfig(prescreen=PrescreenSettings(strategy=name)))
    assert made == STRATEGIES[name]


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="no pre-screening strategy 'best'"):
        PrescreenSettings(strategy="best")
    with pytest.raises(UsageError, match="no solver 'fast'"):
        PrescreenSettings(solver="fast")


def test_the_order_of_the_pool_does_not_matter():
    given_pool = pool(6, size=4)
    expected = None
    for order in map(list, permutations(range(4))):
        shuffled = replace(
            given_pool,
            codes=given_pool.codes[order],
            costs=given_pool.costs[order],
            gain=given_pool.gain[order],
            gain_sd=given_pool.gain_sd[order],
        )
        chosen = Hypervolume()(shuffled, 2, np.random.default_rng(0))
        codes = shuffled.codes[chosen.indices, 0].tolist()
        expected = expected or codes
        assert codes == expected
