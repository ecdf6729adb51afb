"""The two steps that a search is made of, and plans in awkward places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from standin import PROVENANCE, QUICK, SPACE, Latency, Linear, evaluate, global_random_state

from mosegedge.errors import UsageError
from mosegedge.search.accuracy import WITH_DEVIATIONS, predictor_for
from mosegedge.search.archive import Archive
from mosegedge.search.config import InnerSettings, PrescreenSettings, configuration
from mosegedge.search.domain import Domain
from mosegedge.search.limits import Limit
from mosegedge.search.loop import Search
from mosegedge.search.predictors.interface import UncertainPredictor
from mosegedge.search.predictors.registry import PREDICTORS
from mosegedge.search.prescreen import Hypervolume
from mosegedge.search.proposing import Outlook

ALONE = replace(QUICK, baselines=False)


def search(folder, config=ALONE, latency=None):
    return Search(SPACE, latency or Latency(), config, folder, PROVENANCE, predictor_for=Linear)


def test_ask_and_tell_make_the_archive_that_run_makes(tmp_path):
    state = global_random_state()
    search(tmp_path / "run").run(evaluate)
    by_hand = search(tmp_path / "hand")
    while batch := by_hand.ask(3):
        more = by_hand.ask(100)
        assert len({c.generation for c in batch + more}) == 1
        assert by_hand.ask(1) == []
        by_hand.tell([replace(c, miou=evaluate(c.architecture)) for c in batch + more])
    assert by_hand.generation == 4
    hand, run = (tmp_path / name / "archive.jsonl" for name in ("hand", "run"))
    assert hand.read_bytes() == run.read_bytes()
    assert global_random_state() == state


def test_the_default_configuration_goes_on_to_the_same_archive_where_it_was_stopped(tmp_path):
    config = replace(configuration("default"), initial=12, generations=4, evaluations=3, baselines=False, seed=4)
    config = replace(config, inner=InnerSettings(population=20, generations=5))

    def make(folder):
        return Search(SPACE, Latency(), config, folder, PROVENANCE)

    make(tmp_path / "whole").run(evaluate)
    for told in (5, 9, 4, 6):
        stopped = make(tmp_path / "parts")
        for _ in range(told):
            stopped.tell([replace(c, miou=evaluate(c.architecture)) for c in stopped.ask(1)])
    whole, parts = (tmp_path / name / "archive.jsonl" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    assert {c.reason for c in Archive(whole).candidates[12:]} <= {"hypervolume", "random"}


def test_each_generation_looks_as_far_as_it_should(tmp_path):
    looks = []

    def prescreen(pool, count, rng):
        looks.append(pool.exploration)
        return Hypervolume()(pool, count, rng)

    inner = InnerSettings(population=20, generations=5)
    config = replace(
        configuration("default"), initial=12, generations=5, evaluations=2, baselines=False, exploration=(0.0, 2.0, 0.5)
    )
    config = replace(config, explore_from=2)
    Search(SPACE, Latency(), replace(config, inner=inner), tmp_path, PROVENANCE, prescreen=prescreen).run(evaluate)
    assert looks == [0.0, 0.0, 2.0, 0.5, 0.0]


def test_an_outlook_hopes_for_so_many_deviations_more(rng):
    domain = Domain(SPACE)
    codes = domain.sample(30, rng)
    predictor = predictor_for(domain, configuration("default"), rng).fit(codes, np.linspace(0.2, 0.4, len(codes)))
    mean, sd = predictor.predict_with_std(codes)
    for exploration in (0.0, 3.0):
        np.testing.assert_allclose(Outlook(predictor, exploration).hoped(codes), mean + exploration * sd)


def test_a_least_miou_is_hoped_for_with_the_smallest_deviation(tmp_path, monkeypatch):
    seen = []

    def minimise(domain, problem, settings, *, initial, rng):
        seen.append((initial, problem.violation(initial), problem.objectives(initial)[:, 0]))
        return initial, problem.objectives(initial)

    made = []

    def predictor(domain, config, rng):
        made.append(predictor_for(domain, config, rng))
        return made[-1]

    monkeypatch.setattr("mosegedge.search.proposing.minimise", minimise)
    config = replace(
        configuration("default"),
        initial=12,
        generations=2,
        evaluations=2,
        baselines=False,
        held_out=0.0,
        exploration=(3.0, 0.5),
        explore_from=1,
        limits=(Limit(objective="miou", bound=0.4),),
    )
    Search(SPACE, Latency(), config, tmp_path, PROVENANCE, predictor_for=predictor).run(evaluate)
    for exploration, process, (codes, violation, minus_miou) in zip((3.0, 0.5), made[-2:], seen, strict=True):
        mean, sd = process.predict_with_std(codes)
        np.testing.assert_allclose(violation, np.maximum(1 - (mean + 0.5 * sd) / 0.4, -1))
        np.testing.assert_allclose(minus_miou, -(mean + exploration * sd))


def test_settings_that_need_deviations_are_refused_before_anything_is_evaluated(tmp_path):
    for config in (replace(ALONE, exploration=(1.0,)), replace(ALONE, prescreen=PrescreenSettings(strategy="ehvi"))):
        with pytest.raises(UsageError, match="ranknet-paper has no standard deviation"):
            Search(SPACE, Latency(), config, tmp_path, PROVENANCE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_list_of_predictors_with_deviations_is_right(name):
    made = predictor_for(Domain(SPACE), replace(QUICK, predictor=name), np.random.default_rng(0))
    assert isinstance(made, UncertainPredictor) == (name in WITH_DEVIATIONS)


def test_what_happened_between_construction_and_run_is_taken_up(tmp_path):
    early = search(tmp_path)
    search(tmp_path).run(evaluate)

    def never(architecture):
        raise AssertionError(architecture)

    assert early.run(never).evaluated == 36


def test_an_unexpected_error_ends_the_run_and_keeps_what_was_done(tmp_path):
    left = iter(range(5))

    def bug(architecture):
        if next(left, None) is None:
            raise ZeroDivisionError
        return evaluate(architecture)

    with pytest.raises(ZeroDivisionError):
        search(tmp_path).run(bug)
    assert len(Archive(tmp_path / "archive.jsonl")) == 5


def test_a_small_predicted_front_is_topped_up(tmp_path):
    """All networks are equally fast, so the predicted front is one network."""

    class Flat:
        def predict(self, codes):
            return np.ones(len(codes)), np.zeros(len(codes))

    search(tmp_path, latency=Flat()).run(evaluate)
    candidates = Archive(tmp_path / "archive.jsonl").candidates
    assert [c.generation for c in candidates].count(3) == 4
    assert len({c.architecture for c in candidates}) == 36


def test_a_limit_that_random_networks_hardly_meet_still_fills_the_population(tmp_path):
    limit = 1.6
    random = Latency().predict(SPACE.sample(20_000, np.random.default_rng(0)))[0]
    assert random.min() > limit
    search(tmp_path, replace(ALONE, max_latency_ms=limit, generations=1)).run(evaluate)
    candidates = Archive(tmp_path / "archive.jsonl").candidates
    assert len(candidates) == 28
    assert all(c.latency_ms <= limit for c in candidates)


def test_a_run_folder_holds_text_only(tmp_path):
    search(tmp_path, QUICK).run(evaluate)
    names = {path.name for path in tmp_path.iterdir()}
    files = {"run.json", "archive.jsonl", "baselines.jsonl", "generations.jsonl", "front.json"}
    assert names == files | {".lock"}
    for name in files:
        (tmp_path / name).read_text(encoding="ascii")
