"""What pre-screening costs: every strategy chooses 8 of 100 candidates beside a front of 30.

CPU time on one thread, so that other work on the machine does not count: the median and the slowest of some made-up
instances. `hierarchical` is timed with both of its solvers.

Example: python -m benchmarks.prescreening
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import get_args

import numpy as np

from mosegedge.search.config import PrescreenSettings, PrescreenStrategy, SearchConfig
from mosegedge.search.dominance import nondominated
from mosegedge.search.prescreen import Pool, Reference
from mosegedge.search.prescreen.registry import make_prescreen

_CHOSEN = 8


def made_up(candidates: int, front: int, rng: np.random.Generator) -> Pool:
    """Candidates around a front of accuracy and latency, and such a front of evaluated networks."""
    latency_ms = np.sort(rng.lognormal(2.0, 0.5, candidates + 10 * front))
    miou = 0.6 + 0.03 * np.log(latency_ms) + rng.normal(0.0, 0.002, len(latency_ms))
    mine = rng.permutation(len(latency_ms)) < candidates
    others = np.column_stack([latency_ms[~mine], -miou[~mine]])
    best = others[np.argsort(~nondominated(others), kind="stable")[:front]]
    return Pool(
        codes=rng.integers(1, 4, size=(candidates, 29)),
        costs=latency_ms[mine, None],
        gain=miou[mine],
        gain_sd=np.full(candidates, 0.002),
        front_costs=best[:, :1],
        front_gain=-best[:, 1],
        reference=Reference(costs=(float(latency_ms[-1]) + 1.0,), gain=0.6),
    )


def seconds_of(settings: PrescreenSettings, candidates: int, front: int, instances: int) -> list[float]:
    """CPU seconds of each of some choices."""
    rng = np.random.default_rng(0)
    prescreen = make_prescreen(replace(SearchConfig(), prescreen=settings))
    spent = []
    for _ in range(instances):
        pool = made_up(candidates, front, rng)
        started = time.process_time()
        prescreen(pool, _CHOSEN, rng)
        spent.append(time.process_time() - started)
    return spent


def main() -> None:
    """Prints a line a strategy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--front", type=int, default=30)
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON instead of the table")
    given = parser.parse_args()
    kinds = {name: PrescreenSettings(strategy=name) for name in get_args(PrescreenStrategy)}
    kinds["hierarchical, genetic"] = PrescreenSettings(strategy="hierarchical", solver="genetic")
    rows = []
    for name, settings in kinds.items():
        spent = seconds_of(settings, given.candidates, given.front, given.instances)
        median, slowest = float(np.median(spent)), max(spent)
        rows.append({"strategy": name, "median_s": round(median, 5), "slowest_s": round(slowest, 5)})
    if given.as_json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{_CHOSEN} of {given.candidates} candidates, {given.instances} instances; CPU seconds, median and slowest")
    for row in rows:
        print(f"{row['strategy']:<24}{row['median_s']:>9.4f}{row['slowest_s']:>9.4f}")


if __name__ == "__main__":
    main()
