from __future__ import annotations

import numpy as np
import pytest
from pymoo.core.population import Population
from standin import SPACE, Latency, global_random_state, miou_of

from mosegedge.search.config import InnerSettings
from mosegedge.search.domain import Domain
from mosegedge.search.dominance import nondominated
from mosegedge.search.inner import minimise
from mosegedge.search.problem import (
    CanonicalRepair,
    CodeCrossover,
    CodeDuplicates,
    CodeMutation,
    CodeProblem,
    binary_tournament,
)
from mosegedge.space.codes import check

DOMAIN = Domain(SPACE, (0, 2))
PROBLEM = CodeProblem(lambda codes: np.stack([-miou_of(codes), Latency().predict(codes)[0]], axis=1), 2, None)


def population(codes):
    return Population.new(X=codes)


def test_offspring_is_canonical_after_crossover_mutation_and_repair(rng):
    pop = population(DOMAIN.sample(60, rng))
    parents = rng.integers(0, 60, size=(100, 2))
    crossed = CodeCrossover(0.9).do(PROBLEM, pop, parents=parents, random_state=rng)
    mutated = CodeMutation(DOMAIN, 0.3).do(PROBLEM, crossed, random_state=rng)
    codes = CanonicalRepair(DOMAIN).do(PROBLEM, mutated, random_state=rng).get("X")
    check(codes)
    assert len(codes) == 200
    assert set(codes[:, 0]) == {0, 2}


def test_crossover_exchanges_digits_of_the_two_parents_and_nothing_else(rng):
    parents = np.stack([DOMAIN.sample(400, rng), DOMAIN.sample(400, rng)])
    children = CodeCrossover(1.0)._do(PROBLEM, parents, random_state=rng)
    assert (np.sort(children, axis=0) == np.sort(parents, axis=0)).all()
    moved = (children[0] != parents[0]).mean()
    assert 0.1 < moved < 0.6


def test_mutation_draws_the_asked_for_share_of_digits_anew(rng):
    codes = np.zeros((4000, 29), dtype=np.int64)
    mutated = CodeMutation(Domain(SPACE), 0.05)._do(PROBLEM, codes, random_state=rng)
    assert (mutated[:, 5] != 0).mean() == pytest.approx(0.05, abs=0.012)
    assert (CodeMutation(DOMAIN, 0.0)._do(PROBLEM, codes, random_state=rng) == codes).all()


def test_duplicates_are_found_within_and_between_populations(rng):
    codes = np.unique(DOMAIN.sample(20, rng), axis=0)
    twice = population(np.concatenate([codes, codes[:5]]))
    assert len(CodeDuplicates().do(twice)) == len(codes)
    left = CodeDuplicates().do(population(codes), population(codes[:7]))
    assert {tuple(code) for code in left.get("X")} == {tuple(code) for code in codes[7:]}


def test_the_tournament_follows_violation_then_rank_then_crowding(rng):
    pop = Population.new(X=np.zeros((4, 29)))
    pop.set("CV", np.array([[1.0], [0.0], [0.0], [0.0]]))
    pop.set("rank", np.array([0, 1, 0, 0]))
    pop.set("crowding", np.array([9.0, 9.0, 1.0, 2.0]))
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    assert binary_tournament(pop, pairs, random_state=rng)[:, 0].tolist() == [1, 2, 3, 3]
    equal = binary_tournament(pop, np.full((200, 2), [2, 2]), random_state=rng)
    assert (equal == 2).all()


def search(seed=0, *, violation=None, generations=60, domain=DOMAIN):
    rng = np.random.default_rng(seed)
    problem = CodeProblem(PROBLEM.objectives, 2, violation)
    settings = InnerSettings(population=40, generations=generations)
    return minimise(domain, problem, settings, initial=np.unique(domain.sample(40, rng), axis=0), rng=rng)


def test_the_inner_search_beats_random_codes_and_returns_a_front():
    codes, values = search()
    check(codes)
    assert set(codes[:, 0]) <= {0, 2}
    assert len(np.unique(codes, axis=0)) == len(codes)
    assert nondominated(values).all()
    assert values == pytest.approx(PROBLEM.objectives(codes))
    random = PROBLEM.objectives(DOMAIN.sample(2000, np.random.default_rng(1)))
    beaten = (random[:, None] >= values[None]).all(axis=2).any(axis=1)
    assert beaten.mean() > 0.95


def test_the_inner_search_finds_the_best_code_of_a_separable_law(rng):
    weights = np.full(29, 1.0)
    problem = CodeProblem(lambda codes: np.stack([-codes @ weights, np.zeros(len(codes))], axis=1), 2, None)
    codes, _ = minimise(
        Domain(SPACE),
        problem,
        InnerSettings(population=40, generations=80),
        initial=SPACE.sample(40, rng),
        rng=rng,
    )
    assert SPACE.decode(codes) == [SPACE.largest]


def test_the_constraint_is_met_and_an_unattainable_one_gives_nothing():
    limited = search(violation=lambda codes: Latency().predict(codes)[0] / 5.0 - 1)[1]
    assert len(limited)
    assert (limited[:, 1] <= 5.0).all()
    codes, values = search(violation=lambda codes: np.ones(len(codes)), generations=5)
    assert (len(codes), values.shape) == (0, (0, 2))


def test_the_same_seed_gives_the_same_front_and_no_global_state_is_touched():
    state = global_random_state()
    first, second, other = search(1)[0], search(1)[0], search(2)[0]
    assert global_random_state() == state
    assert first.tolist() == second.tolist()
    assert first.tolist() != other.tolist()


def test_one_domain_of_one_scale_works():
    assert set(search(domain=Domain(SPACE, (3,)), generations=5)[0][:, 0]) == {3}
