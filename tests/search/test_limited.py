"""Searches under a latency limit, and that nothing is evaluated twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from standin import PROVENANCE, SPACE, Latency, evaluate

from mosegedge.search.archive import Archive
from mosegedge.search.config import InnerSettings, configuration
from mosegedge.search.loop import Search
from mosegedge.search.prescreen import Survival

CONFIG = replace(
    configuration("default"),
    initial=12,
    generations=3,
    evaluations=4,
    baselines=False,
    held_out=0.0,
    inner=InnerSettings(population=40, generations=30),
)


def test_the_most_accurate_network_under_a_limit_gets_better(tmp_path):
    config = replace(CONFIG, max_latency_ms=6.0)
    Search(SPACE, Latency(), config, tmp_path, PROVENANCE).run(evaluate)
    candidates = Archive(tmp_path / "archive.jsonl").candidates
    best = {number: max(c.miou for c in candidates if bool(c.generation) == number) for number in (False, True)}
    assert all(c.latency_ms <= 6.0 for c in candidates)
    assert best[True] > best[False] + 0.02


@pytest.mark.parametrize("limit", [None, 6.0])
def test_the_corner_of_the_hypervolume_is_fixed_and_lies_beyond_a_limit(tmp_path, limit):
    corners = []

    def recorder(pool, count, rng):
        corners.append(pool.reference)
        return Survival()(pool, count, rng)

    config = replace(CONFIG, max_latency_ms=limit)
    Search(SPACE, Latency(), config, tmp_path, PROVENANCE, prescreen=recorder).run(evaluate)
    start = Archive(tmp_path / "archive.jsonl").of(0)
    latencies = [c.latency_ms for c in start]
    assert len(corners) == 3
    assert len(set(corners)) == 1
    assert corners[0].gain == min(c.miou for c in start)
    assert corners[0].costs[0] == pytest.approx(6.0 + 0.1 * (6.0 - min(latencies)) if limit else max(latencies))


def test_what_was_evaluated_or_failed_never_comes_back(tmp_path):
    seen = []

    def once(architecture):
        assert architecture not in seen
        seen.append(architecture)
        return evaluate(architecture) if len(seen) % 5 else float("nan")

    Search(SPACE, Latency(), CONFIG, tmp_path, PROVENANCE).run(once)
    codes = SPACE.encode(seen)
    assert len(np.unique(SPACE.repair(codes, np.random.default_rng(0)), axis=0)) == len(seen) == 24
