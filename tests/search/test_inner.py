"""The three methods of the inner search, and what the planner makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from standin import PROVENANCE, SPACE, Latency, evaluate, global_random_state, miou_of

from mosegedge.errors import UsageError
from mosegedge.search import proposing
from mosegedge.search.config import InnerSettings, SearchConfig
from mosegedge.search.domain import Domain
from mosegedge.search.dominance import hypervolume, nondominated
from mosegedge.search.inner import minimise
from mosegedge.search.loop import Search
from mosegedge.search.problem import CodeProblem
from mosegedge.search.proposing import best_rows, without
from mosegedge.space.codes import check

DOMAIN = Domain(SPACE, (0, 2))
METHODS = ("nsga2", "moead", "random")


def objectives(codes):
    return np.stack([-miou_of(codes), Latency().predict(codes)[0]], axis=1)


def found_by(method, *, seed=0, violation=None, generations=30):
    rng = np.random.default_rng(seed)
    settings = InnerSettings(method=method, population=40, generations=generations)
    initial = np.unique(DOMAIN.sample(40, rng), axis=0)
    problem = CodeProblem(objectives, 2, violation)
    return initial, *minimise(DOMAIN, problem, settings, initial=initial, rng=rng)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_front_better_than_the_start(method):
    state = global_random_state()
    initial, codes, values = found_by(method)
    check(codes)
    assert set(codes[:, 0]) <= {0, 2}
    assert len(np.unique(codes, axis=0)) == len(codes)
    assert nondominated(values).all()
    assert values == pytest.approx(objectives(codes))
    reference = objectives(initial).max(axis=0)
    assert hypervolume(values, reference) > hypervolume(objectives(initial), reference)
    assert found_by(method)[1].tolist() == codes.tolist()
    assert global_random_state() == state


def test_searching_beats_chance():
    reference = np.array([0.0, 40.0])
    volume = {method: hypervolume(found_by(method, generations=60)[2], reference) for method in METHODS}
    assert volume["random"] < volume["moead"]
    assert volume["random"] < volume["nsga2"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_to_the_constraint_and_says_when_nothing_does(method):
    limited = found_by(method, violation=lambda codes: Latency().predict(codes)[0] / 5.0 - 1)[2]
    assert len(limited)
    assert (limited[:, 1] <= 5.0).all()
    _, codes, values = found_by(method, violation=lambda codes: np.ones(len(codes)), generations=3)
    assert (codes.shape, values.shape) == ((0, 29), (0, 2))


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="no inner search 'pso'"):
        InnerSettings(method="pso")
    with pytest.raises(UsageError, match="population"):
        replace(InnerSettings(), population=2)


def test_the_best_rows_come_front_by_front_and_a_front_is_thinned_evenly():
    front = np.stack([np.arange(5.0), -np.arange(5.0)], axis=1)
    worse = front + 10
    values = np.concatenate([worse, front])
    assert sorted(best_rows(values, 5)) == [5, 6, 7, 8, 9]
    assert best_rows(values, 3).tolist() == [5, 7, 9]
    assert set(best_rows(values, 7)) == {5, 6, 7, 8, 9, 0, 4}
    assert len(best_rows(values, 100)) == 10
    assert len(best_rows(values[:0], 3)) == 0


@pytest.mark.parametrize(("share", "taken"), [(0.0, 0), (0.5, 10), (1.0, 12)])
def test_the_first_population_comes_from_the_archive_as_the_settings_say(tmp_path, monkeypatch, share, taken):
    seen = []

    def recorded(domain, problem, settings, *, initial, rng):
        seen.append((settings, initial))
        return minimise(domain, problem, settings, initial=initial, rng=rng)

    monkeypatch.setattr(proposing, "minimise", recorded)
    inner = InnerSettings(population=20, generations=2, crossover=0.7, mutation=0.2, from_archive=share)
    config = SearchConfig(initial=12, generations=1, baselines=False, held_out=0.0, scales=(0, 2), inner=inner)
    search = Search(SPACE, Latency(), config, tmp_path, PROVENANCE)
    search.run(evaluate)
    ((settings, initial),) = seen
    assert settings == inner
    known = {tuple(c.architecture.digits) for c in search.archive.of(0)}
    assert len(initial) == 20
    assert sum(tuple(code) in known for code in initial) == taken


def test_known_codes_are_left_out_and_the_order_stays():
    codes = np.array([[3, 3], [1, 1], [3, 3], [2, 2]])
    assert without(codes, np.array([[1, 1]])).tolist() == [[3, 3], [2, 2]]
