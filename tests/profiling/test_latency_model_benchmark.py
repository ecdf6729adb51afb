"""The benchmark of latency models charges each for what it had, and judges it on networks that it did not have."""

from __future__ import annotations

from pathlib import Path

import fakeboard
import numpy as np
import pytest

from benchmarks.latency_pictures import draw
from benchmarks.latency_record import read
from benchmarks.latency_trials import case_of, contenders, score, split_of
from mosegedge.devices import load_device
from mosegedge.errors import UsageError
from mosegedge.files import Journal
from mosegedge.profiling import ProfileSettings, make_plan
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.space import Architecture, SearchSpace

NANO = SearchSpace.load("nano")
PASSES = 4
PLAN = make_plan(NANO, load_device("local"), ProfileSettings(scales=(0, 1), networks=60, passes=PASSES))


def write_journal(path: Path) -> ProfileJournal:
    """A measurement of the simulated board, with noise of 1 %."""
    noise = np.random.default_rng(0)
    journal = Journal(path)
    journal.append({"type": "begin", "plan": PLAN.digest}, wait=False)
    for visit in range(PASSES):
        journal.append({"type": "conditions", "values": {}}, wait=False)
        for item in PLAN.items:
            network = isinstance(item.source, Architecture)
            us = fakeboard.network_us(NANO, item.source) if network else fakeboard.layer_us(item.source)
            samples = (us * 1e3 * noise.normal(1, 0.01, 5)).astype(int).tolist()
            burst = {"type": "burst", "key": item.key, "visit": visit, "preempted": [0] * 5, "device_ns": []}
            journal.append(burst | {"warmup_ns": samples[:2], "samples_ns": samples}, wait=False)
    journal.append({"type": "batch", "wall_s": 60.0})
    return ProfileJournal(path)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return read(PLAN, write_journal(tmp_path_factory.mktemp("record") / "journal.jsonl"), (2, PASSES))


def test_a_part_of_the_measurement_costs_its_part_of_the_time(record):
    whole, half = (record.by_passes[count] for count in (PASSES, 2))
    minutes = [found.layers_minutes + found.network_minutes.sum() for found in (whole, half)]
    assert minutes[0] == pytest.approx(1.0)  # all of the minute on record
    assert minutes[1] == pytest.approx(0.5)


def test_networks_that_judge_are_drawn_at_random_and_teach_nothing(record):
    judging, learning = split_of(record, 3, 20)
    assert len(judging) == 20
    assert record.drawn[judging].all()
    assert not set(judging.tolist()) & set(learning.tolist())
    assert len(judging) + len(learning) == len(record.codes) == 60
    assert set(record.codes[learning[:2], 0].tolist()) == {0, 1}


def test_every_model_is_judged_and_layers_with_networks_are_best(record, tmp_path):
    found = list(contenders((24,), (24,), (2, PASSES)))
    scores = {(one.name, one.passes): score(record, one, 1, 20) for one in found}
    ours = scores["ours, both", PASSES]
    assert ours["tau"] > max(scores[name, 0]["tau"] for name in ("FLOPs", "parameters"))
    assert ours["mape"] < 0.02 < scores["sum of layers", PASSES]["mape"]
    assert ours["coverage90"] > 0.7
    assert scores["ours, both", 2]["minutes"] == pytest.approx(ours["minutes"] / 2)
    assert scores["linear regression", PASSES]["minutes"] < ours["minutes"]
    assert "mape" not in scores["FLOPs", 0]
    predicted = found[-1].predict(case_of(record, found[-1], *split_of(record, 1, 20)))
    assert predicted.sd_ms.min() > 0


def test_the_picture_is_drawn(record, tmp_path):
    from benchmarks.latency_model import Row

    found = list(contenders((24,), (24,), (PASSES,)))
    rows = []
    for one in found:
        scores = score(record, one, 1, 20)
        rows.append(Row(name=one.name, networks=one.networks, passes=one.passes, mean=scores, sd=scores))
    draw(record, rows, tmp_path / "picture.svg", judges=20, seed=1, best=found[-1])
    assert (tmp_path / "picture.svg").read_text().count("Kendall") >= 2


def test_a_journal_of_other_networks_or_a_part_of_one_is_refused(record, tmp_path):
    other = make_plan(NANO, load_device("local"), ProfileSettings(scales=(0, 1), networks=60, seed=1))
    journal = write_journal(tmp_path / "journal.jsonl")
    with pytest.raises(UsageError, match="no record"):
        read(other, journal, (2,))
    short = tmp_path / "short.jsonl"
    short.write_text("".join((tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)[:100]))
    with pytest.raises(UsageError, match="not complete"):
        read(PLAN, ProfileJournal(short), (2,))
