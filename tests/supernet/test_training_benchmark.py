"""The benchmark of training: what it times, that both ways compute the same, what its tables say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mosegedge.space import SearchSpace
from mosegedge.supernet.place import Place

ROOT = Path(__file__).parents[2]
SMALL = ["--space", "nano:64x128:5", "--networks", "1", "--batch-size", "2", "--rounds", "2", "--threads", "1"]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def run(monkeypatch, *arguments):
    from benchmarks import training_speed

    monkeypatch.setattr("sys.argv", ["training_speed", *arguments])
    training_speed.main()


def test_works_are_timed_equally_often_and_in_changing_order(capsys):
    from benchmarks.interleaved import Work, interleaved

    done = []
    works = {Work(name, "way"): lambda name=name: done.append(name) for name in "abc"}
    seconds = interleaved(works, rounds=8, rng=np.random.default_rng(0))
    assert [done.count(name) for name in "abc"] == [9, 9, 9]
    assert all(len(values) == 8 for values in seconds.values())
    rounds = {tuple(done[start : start + 3]) for start in range(3, len(done), 3)}
    assert len(rounds) > 1
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    few = interleaved(works, rounds=8, most_s=0.0, rng=np.random.default_rng(0))
    assert all(len(values) == 2 for values in few.values())


def test_a_ratio_is_that_of_sums_and_its_range_that_of_halves():
    from benchmarks.interleaved import Work, ratio_of

    a, b = Work("one", "a"), Work("one", "b")
    seconds = {a: np.array([2.0, 2.0, 3.0, 3.0]), b: np.ones(4)}
    found = ratio_of(seconds, [a], [b])
    assert (found.value, found.lowest, found.highest) == pytest.approx((2.0, 2.0, 3.0))
    assert ratio_of(seconds, [a, b], [b, b]).value == pytest.approx(1.5)


def test_steps_and_evaluations_are_compared_and_kept(monkeypatch, capsys, tmp_path):
    from benchmarks.training_text import read, save

    output = tmp_path / "speed.json"
    run(monkeypatch, "steps", *SMALL, "--output", str(output))
    run(monkeypatch, "evaluation", *SMALL, "--pictures", "8", "--label-size", "48x64", "--output", str(output))
    capsys.readouterr()
    run(monkeypatch, "table", "--output", str(output))
    text = capsys.readouterr().out
    parts = {part["name"]: part for part in json.loads(output.read_text())}
    assert set(parts) == {"steps", "evaluation"}
    assert {(value["network"], value["way"]) for value in parts["steps"]["values"]} == {
        *((name, way) for name in ("largest", "smallest", "random 1") for way in ("static", "supernet")),
        ("largest, random 1, smallest", "supernet"),
        ("soft labels of two networks", "static"),
    }
    for part, what, bar in (("steps", "whole steps", 1.1), ("evaluation", "all networks", 1.3)):
        verdict = next(one for one in parts[part]["verdicts"] if one["what"] == what)
        assert verdict["bar"] == bar
        assert f"| {what} | {verdict['ratio']['value']:.3f} (" in text
    # The same part again takes the place of the older one.
    save(output, read(output)[0])
    assert len(read(output)) == 2


def test_a_bar_is_met_or_missed():
    from benchmarks.interleaved import Ratio
    from benchmarks.training_text import Verdict

    ratio = Ratio(value=1.1, lowest=1.0, highest=1.2)
    assert Verdict(what="x", ratio=ratio, bar=1.1).row() == "| x | 1.100 (1.000 to 1.200) | 1.10 | met |"
    assert Verdict(what="x", ratio=ratio, bar=1.09).row().endswith("| missed |")
    assert Verdict(what="x", ratio=ratio).row().endswith("| - | - |")


def common_ground():
    from benchmarks.training_steps import ground

    space = SearchSpace.load("nano:64x128:5")
    return ground(space, Place(), networks=1, scale=1, batch_size=2, ema=0.0, seed=0)


def test_a_network_that_computes_something_else_is_not_timed():
    from benchmarks.training_steps import elastic_supernet, require_same, static_network

    common = common_ground()
    supernet = elastic_supernet(common)
    network = static_network(common, "random 1", supernet)
    require_same(common, supernet, network, "random 1")
    with torch.no_grad():
        network.subnet.decoder.classify.bias += 1 + torch.arange(5)
    with pytest.raises(AssertionError, match="random 1: a loss of"):
        require_same(common, supernet, network, "random 1")


def test_every_way_whose_memory_is_measured_can_be_stepped_alone(monkeypatch):
    from benchmarks import training_memory
    from benchmarks.training_memory import Setting, step_of

    setting = Setting(
        space="nano:64x128:5", networks=1, scale=1, batch_size=2, ema=0.0, seed=0, threads=1, on="cpu"
    )  # fmt: skip
    asked = []
    monkeypatch.setattr(training_memory, "_in_process", lambda work, setting: asked.append(work) or 1.0)
    training_memory.peaks(setting, encoders=False)
    training_memory.peaks(setting, encoders=True)
    assert len(asked) == 9
    for work in asked:
        if work.way != "ofa":
            step_of(work, setting.ground())()
