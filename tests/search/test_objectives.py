"""Searches with any objectives: what is archived, which fronts come out, and that the usual pair is as it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from standin import PROVENANCE, SPACE, Latency, evaluate

from mosegedge.cli.search_text import text_of
from mosegedge.errors import InfeasibleError, ProfileError, SearchError, UsageError
from mosegedge.search.archive import Archive, Candidate, front_of, objectives
from mosegedge.search.config import PAPER, InnerSettings, configuration
from mosegedge.search.costs import Cost
from mosegedge.search.limits import Limit
from mosegedge.search.loop import Search
from mosegedge.search.objectives import LATENCY, MIOU, objective, objectives_of
from mosegedge.search.pick import Pick
from mosegedge.search.select import choose
from mosegedge.space.codes import encode

SMALL = replace(
    configuration("default"),
    initial=14,
    generations=2,
    evaluations=4,
    baselines=False,
    held_out=0.0,
    inner=InnerSettings(population=24, generations=10),
)
TWO_DEVICES = ("miou", "latency", "latency@wide")
GOLDEN = {"default": "b78034f263e06204", "paper": "a83d4523dfae1483"}


class Wide:
    """Another device: launches are cheap, wide layers dear; the order of networks differs from that of `Latency`."""

    def predict(self, codes):
        mean = 0.2 + SPACE.params(codes) / 1e5 + 0.3 * codes[:, 0]
        return mean, 0.05 * mean


class Law:
    """A predictor without linear algebra, the same to the last bit on every machine."""

    def fit(self, codes, targets):
        self._low, self._high = targets.min(), targets.max()

    def predict(self, codes):
        return self.predict_with_std(codes)[0]

    def predict_with_std(self, codes):
        share = SPACE.flops(codes) / SPACE.flops(encode([SPACE.largest]))[0]
        return self._low + (self._high - self._low) * np.sqrt(share), 0.01 + 0.001 * (codes[:, 3] % 3)


def search(folder, config=SMALL, **parts):
    return Search(SPACE, Latency(), config, folder, PROVENANCE, **parts)


@pytest.mark.parametrize("name", ["default", "paper"])
def test_accuracy_and_latency_alone_give_the_archive_that_they_always_gave(tmp_path, name):
    base = (
        replace(SMALL, generations=3)
        if name == "default"
        else replace(PAPER, initial=14, generations=3, evaluations=4, baselines=False, held_out=0.0, inner=SMALL.inner)
    )
    config = replace(base, predictor=SMALL.predictor)
    search(tmp_path, config, predictor_for=lambda *_: Law()).run(evaluate)
    records = [json.loads(line) for line in (tmp_path / "archive.jsonl").read_text().splitlines()]
    assert set(records[0]) == {
        "code", "generation", "reason", "latency_ms", "latency_sd_ms", "params", "flops", "predicted_miou", "miou",
        "failure",
    }  # fmt: skip
    text = "\n".join(f"{record['code']} {record['reason']}" for record in records)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == GOLDEN[name]


def test_two_devices_have_their_fronts_and_a_common_one(tmp_path):
    config = replace(SMALL, objectives=TWO_DEVICES)
    provenance = replace(PROVENANCE, label="board")
    devices = Search(SPACE, Latency(), config, tmp_path, provenance, others={"latency@wide": Wide()})
    result = devices.run(evaluate)
    candidates = Archive(tmp_path / "archive.jsonl").candidates
    codes = encode([candidate.architecture for candidate in candidates])
    assert [c.costs["latency@wide"][0] for c in candidates] == pytest.approx(Wide().predict(codes)[0], abs=1e-6)
    assert [c.costs["latency@wide"][1] for c in candidates] == pytest.approx(Wide().predict(codes)[1], abs=1e-6)
    goals = objectives_of(TWO_DEVICES)
    assert result.front == front_of(candidates, goals)
    assert result.fronts["latency"] == front_of(candidates)
    assert result.fronts["latency@wide"] == front_of(candidates, (MIOU, objective("latency@wide")))
    values = objectives(candidates, goals)
    for member in result.front:
        own = objectives([member], goals)
        assert not ((values <= own).all(axis=1) & (values < own).any(axis=1)).any()
    common = {c.architecture for c in result.front}
    assert common > {c.architecture for c in result.fronts["latency"]}
    header, *_, first, second, _ = text_of(result).splitlines()
    assert header.split(maxsplit=3)[3] == "latency on board  latency on wide, ms"
    assert first == f"front of latency on board against mIoU: {len(result.fronts['latency'])} networks"
    assert second == f"front of latency on wide against mIoU: {len(result.fronts['latency@wide'])} networks"
    stored = json.loads((tmp_path / "front.json").read_text())
    assert stored["devices"] == {"latency": "board", "latency@wide": "wide"}
    assert stored["objectives"] == list(TWO_DEVICES)
    assert stored["fronts"]["latency@wide"] == [str(c.architecture) for c in result.fronts["latency@wide"]]
    lines = [json.loads(line) for line in (tmp_path / "generations.jsonl").read_text().splitlines()]
    volumes = [line["hypervolume"] for line in lines]
    assert volumes == sorted(volumes)
    assert volumes[-1] == result.hypervolume


@pytest.mark.parametrize(
    "names",
    [
        ("miou", "params"), ("miou", "flops", "latency"), ("latency", "params"), ("miou", "latency", "params", "flops"),
    ],
)  # fmt: skip
def test_any_objectives_are_searched_and_resumed_to_the_same_archive(tmp_path, names):
    config = replace(SMALL, objectives=names)
    result = search(tmp_path / "whole", config).run(evaluate)
    assert len(result.chosen) == min(config.chosen, len(result.front))
    for told in (5, 11):
        stopped = search(tmp_path / "parts", config)
        for _ in range(told):
            stopped.tell([replace(c, miou=evaluate(c.architecture)) for c in stopped.ask(1)])
    search(tmp_path / "parts", config).run(evaluate)
    for name in ("archive.jsonl", "front.json"):
        whole, parts = (tmp_path / folder / name for folder in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name


@pytest.mark.parametrize("method", ["moead", "random"])
def test_the_baselines_of_the_inner_search_take_three_objectives(tmp_path, method):
    inner = InnerSettings(method=method, population=24, generations=5)
    config = replace(SMALL, generations=1, objectives=("miou", "latency", "params"), inner=inner)
    assert search(tmp_path, config).run(evaluate).evaluated == 18


def test_objectives_that_are_none_or_have_no_model_are_refused(tmp_path):
    for names, said in (
        (("miou",), "two or more different"),
        (("miou", "miou"), "two or more different"),
        (("miou", "speed"), "no objective 'speed'"),
        (("miou", "params@atlas"), "no objective 'params@atlas'"),
    ):
        with pytest.raises(UsageError, match=said):
            replace(SMALL, objectives=names)
    with pytest.raises(UsageError, match="Nothing in this search predicts 'energy'"):
        search(tmp_path, replace(SMALL, objectives=("miou", "energy")))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProfileError, match=r"predicts nan \+- 1\.0 mJ"):
        Cost(objective("energy"), Broken()).values(SPACE.encode([SPACE.smallest]), str)
    for model in (Broken(), BrokenMeans()):
        with pytest.raises(ProfileError, match="predicts nan"):
            Cost(objective("energy"), model).means(SPACE.encode([SPACE.smallest]), str)


class Broken:
    def predict(self, codes):
        return np.full(len(codes), np.nan), np.ones(len(codes))


class BrokenMeans(Broken):
    def mean(self, codes):
        return np.full(len(codes), np.nan)


def test_an_archive_without_an_objective_says_so(tmp_path):
    search(tmp_path).run(evaluate)
    candidate = Archive(tmp_path / "archive.jsonl").candidates[0]
    with pytest.raises(SearchError, match="was archived without its energy"):
        candidate.cost(objective("energy"))
    full = replace(candidate, costs={"energy": (3.0, 0.5)}, measured_ms=2.0, measured_sd_ms=0.1)
    assert Candidate.from_json(json.loads(json.dumps(full.to_json()))) == full
    assert (full.cost(objective("energy")), full.spread(objective("energy"))) == (3.0, 0.5)
    assert (full.cost(LATENCY), full.spread(LATENCY)) == (2.0, 0.1)


def members(latencies, mious):
    codes = SPACE.sample(len(latencies), np.random.default_rng(1))
    return [
        Candidate(
            architecture=architecture, generation=1, reason="x", latency_ms=x, latency_sd_ms=0.1, params=1, flops=1,
            miou=y,
        )
        for architecture, x, y in zip(SPACE.decode(codes), latencies, mious, strict=True)
    ]  # fmt: skip


def test_networks_are_picked_at_the_knee_by_trade_off_or_next_to_a_target():
    latency = np.linspace(2, 22, 21)
    front = members(latency, 0.1 + np.where(latency <= 10, 0.05 * (latency - 2), 0.4 + 0.004 * (latency - 10)))
    assert [round(c.latency_ms) for c in choose(front, 1, pick=Pick.parse("knee"))] == [10]
    assert 10 in [round(c.latency_ms) for c in choose(front, 2, pick=Pick.parse("trade-off"))]
    assert [c.latency_ms for c in choose(front, 2, pick=Pick.parse("latency=15.4"))] == [15, 16]
    assert [c.latency_ms for c in choose(front, 1, pick=Pick.parse("miou=0.2"))] == [4]
    for text in ("best", "latency=", "latency=inf", "=3", "speed=3"):
        with pytest.raises(UsageError):
            Pick.parse(text)


def test_picking_from_a_front_of_three_objectives_takes_the_most_accurate_and_spreads(tmp_path):
    config = replace(SMALL, objectives=("miou", "latency", "params"))
    result = search(tmp_path, config).run(evaluate)
    for way in ("spread", "trade-off", "knee", "params=100000"):
        chosen = choose(result.front, 4, pick=Pick.parse(way), goals=result.goals)
        assert len({c.architecture for c in chosen}) == 4
    best = max(result.front, key=lambda c: c.miou)
    assert best in choose(result.front, 4, goals=result.goals)


def test_a_least_accuracy_is_kept_or_answered_with_the_nearest(tmp_path):
    limits = (Limit(objective="miou", bound=0.3),)
    result = search(tmp_path / "met", replace(SMALL, limits=limits)).run(evaluate)
    assert result.front
    assert all(c.miou >= 0.3 for c in result.front)
    out_of_reach = replace(SMALL, generations=1, limits=(Limit(objective="miou", bound=0.99),))
    with pytest.raises(InfeasibleError) as refusal:
        search(tmp_path / "not", out_of_reach).run(evaluate)
    candidates = Archive(tmp_path / "not" / "archive.jsonl").candidates
    best = max(candidates, key=lambda c: c.miou)
    assert f"mIoU {best.miou:.4g}" in refusal.value.known
    assert str(best.architecture) in refusal.value.known
    assert len(candidates) == 18


def test_networks_are_picked_only_by_what_the_archive_will_hold():
    with pytest.raises(UsageError, match="picked by energy") as refused:
        replace(SMALL, pick="energy=20")
    assert refused.value.fix == "Add it: --objectives miou,latency,energy"
    assert replace(SMALL, pick="energy=20", objectives=("miou", "energy")).pick == "energy=20"
    assert replace(SMALL, pick="params=20").pick == "params=20"
    # A label is known only to the profiles of the search, which check the names that are left.
    assert replace(SMALL, pick="energy@local=20", objectives=("miou", "energy")).pick == "energy@local=20"
    with pytest.raises(UsageError, match="picked by energy"):
        replace(SMALL, pick="energy=20", objectives=("miou", "energy@board")).require_known_pick()
