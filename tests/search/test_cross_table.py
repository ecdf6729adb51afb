"""The cross table of devices: its searches, its numbers and its text; nothing is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mosegedge.errors import UsageError
from mosegedge.search.config import InnerSettings, SearchConfig
from mosegedge.search.costs import costs_of
from mosegedge.search.domain import Domain
from mosegedge.space import SearchSpace

ROOT = Path(__file__).parents[2]
SPACE = SearchSpace.load("nano")
CONFIG = SearchConfig(
    evaluations=3,
    exploration=(1.0,),
    held_out=0.0,
    inner=InnerSettings(population=20, generations=10),
    objectives=("miou", "latency"),
)
DIGEST = "5" * 64


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


class Law:
    """Milliseconds by FLOPs and parameters."""

    def __init__(self, flops: float, params: float) -> None:
        self.flops, self.params = flops, params

    def predict(self, codes):
        mean = 0.1 + self.flops * SPACE.flops(codes) / 1e6 + self.params * SPACE.params(codes) / 1e4
        return mean, np.zeros(len(codes))


def accuracy(architecture) -> float:
    codes = SPACE.encode([architecture])
    return float(0.05 * np.log(SPACE.flops(codes)[0] / 1e5) + 0.02 * np.log(SPACE.params(codes)[0] / 1e3))


@pytest.fixture
def search():
    from benchmarks.cross_search import CrossSearch

    costs = costs_of(Domain(SPACE), SPACE, Law(0.1, 1.0), {"latency@other": Law(1.0, 0.01)})
    return CrossSearch(space=SPACE, costs=costs, floors=(0.2, 0.25), count=2, config=CONFIG)


@pytest.fixture
def pool(search, tmp_path, rng):
    from benchmarks.cross_search import pool_of

    architectures = SPACE.decode(np.unique(SPACE.sample(40, rng), axis=0))
    lines = [{"space": "nano", "supernet_sha256": DIGEST}]
    lines += [{"code": str(one), "miou": round(accuracy(one), 6)} for one in architectures]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UsageError, match="another supernet"):
        pool_of(tmp_path / "pool.jsonl", search, "6" * 64)
    return pool_of(tmp_path / "pool.jsonl", search, DIGEST)


def test_searches_find_cheaper_networks_above_the_floor_and_go_on_where_they_stopped(search, pool, tmp_path):
    found = search.run(pool, tmp_path / "whole", accuracy, 1)
    for aim in search.aims:
        before, after = search.cheapest(pool, aim), search.cheapest(found, aim)
        assert [one.cost(aim.goal) for one in after] <= [one.cost(aim.goal) for one in before]
        assert all(one.miou >= aim.floor for one in after)
    cheaper = [search.cheapest(found, aim) != search.cheapest(pool, aim) for aim in search.aims]
    assert sum(cheaper) >= len(cheaper) / 2
    told = []

    def stopped(architecture):
        told.append(architecture)
        if len(told) == 5:
            raise KeyboardInterrupt
        return accuracy(architecture)

    with pytest.raises(KeyboardInterrupt):
        search.run(pool, tmp_path / "parts", stopped, 1)
    again = search.run(pool, tmp_path / "parts", accuracy, 1)
    assert [str(one.architecture) for one in again] == [str(one.architecture) for one in found]


def test_pools_keep_the_costs_of_every_device(search, pool):
    codes = SPACE.encode([one.architecture for one in pool])
    other = next(goal for goal in search.goals if goal.name == "latency@other")
    assert [one.cost(other) for one in pool] == pytest.approx(Law(1.0, 0.01).predict(codes)[0], abs=1e-6)


def record_of(gpu_halves):
    """Two networks, one cheap by FLOPs and one on a GPU, whose measurement there is given for the first."""
    from benchmarks.cross_record import CrossRecord, Network, Winners

    def network(flops, predicted, halves):
        return Network(
            miou=0.5, params=10, flops=flops, predicted_ms={"latency": predicted}, halves_ms={"latency": halves}
        )

    return CrossRecord(
        facts={"space": "nano", "networks_of_pool": 9, "evaluated": 4, "rounds": 2, "date": "2026-01-02"},
        titles={"flops": "FLOPs", "latency": "gpu"},
        networks={"a": network(100, 3.0, gpu_halves), "b": network(200, 2.0, [2.0, 2.0])},
        winners=(
            Winners(floor=0.5, goal="flops", codes=("a",)),
            Winners(floor=0.5, goal="latency", codes=("b",)),
        ),
    )


def test_costs_are_compared_with_those_of_the_networks_chosen_for_them():
    record = record_of([2.4, 2.6])
    assert record.mean_excess("measured").tolist() == [[0.0, pytest.approx(0.25)], [pytest.approx(1.0), 0.0]]
    assert record.mean_excess("predicted")[0, 1] == pytest.approx(0.5)
    assert record.spread(of_mean=True)[0, 1] == pytest.approx(0.05)


def test_several_networks_and_floors_count_by_their_geometric_mean():
    record = record_of([2.0, 2.0])
    both = replace(record.winners[0], codes=("a", "b"))
    higher = [replace(one, floor=0.6) for one in record.winners]
    record = replace(record, winners=(both, record.winners[1], *higher))
    assert record.excess("measured")[0, 0].tolist() == [0.0, pytest.approx(0.0)]
    assert record.excess("measured")[0, 1, 0] == pytest.approx(2**0.5 - 1)
    assert record.mean_excess("measured")[1, 0] == pytest.approx(2**0.75 - 1)


def test_the_text_says_where_the_diagonal_does_not_win():
    from benchmarks.cross_text import lost, text_of

    assert lost(record_of([2.4, 2.6])) == ["the diagonal wins 2 of 2 comparisons of different networks"]
    said = text_of(record_of([1.8, 2.0]))
    assert "the diagonal wins 1 of 2 comparisons" in said
    assert (
        "mIoU 0.5, gpu: networks chosen for FLOPs cost 5.0 % less than its own (halves +- 5.0 %, predicted 50.0 % more)"
        in said
    )


def test_a_record_is_kept_drawn_and_shown(tmp_path, capsys):
    from benchmarks.cross_record import CrossRecord
    from benchmarks.cross_table import main

    record = record_of([2.4, 2.6])
    record.save(tmp_path / "record.json")
    assert CrossRecord.read(tmp_path / "record.json") == record
    main(["table", str(tmp_path / "record.json"), "--picture", str(tmp_path / "picture.svg")])
    assert "| FLOPs | - | +25.0 % (5.0) |" in capsys.readouterr().out
    assert "networks chosen for" in (tmp_path / "picture.svg").read_text()
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(SystemExit):
        main(["table", str(tmp_path / "record.json")])
