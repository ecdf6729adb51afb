"""What one inner search costs: NSGA-II on (predictor, latency), and how its time is shared out.

Shares are of CPU time, so that other work on the machine does not count. `operators for codes` are this project's
crossover, mutation, repair, tournament and search for duplicates, which pymoo calls, and the problem that hands codes
to predictor and profile; `pymoo` is all else but predictor and latency. `pymoo_share` is that part alone,
`optimiser_share` is it with the operators.

Latencies are those of a profile, asked for as a search does. The predictor is fitted to made-up accuracies, which
changes nothing of what it costs.

Example: python -m benchmarks.inner --profile epyc/mosegnas-fp32 --predictor ranknet
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.population import Population

from mosegedge.profiling import load_profile
from mosegedge.search import inner, problem
from mosegedge.search.accuracy import WITH_DEVIATIONS, optimistic
from mosegedge.search.config import InnerMethod, configuration
from mosegedge.search.costs import Costs, costs_of, minimised
from mosegedge.search.domain import Domain
from mosegedge.search.objectives import Objectives, costs_among
from mosegedge.search.predictors.interface import Predictor
from mosegedge.search.predictors.registry import make_predictor
from mosegedge.search.predictors.spaces import describe
from mosegedge.search.predictors.threads import one_blas_thread
from mosegedge.search.prescreen.exact import solve_exactly
from mosegedge.search.uniformity import ks_statistics, solve_by_genetic_algorithm
from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

METHODS: tuple[InnerMethod, ...] = ("nsga2", "moead", "random")
_MANY = 100_000
_OPERATORS = (
    (problem.CodeCrossover, "_do"),
    (problem.CodeMutation, "_do"),
    (problem.CanonicalRepair, "_do"),
    (problem.CodeDuplicates, "_do"),
    (problem.CodeProblem, "_evaluate"),
    (inner, "binary_tournament"),
)


class Stopwatch:
    """CPU seconds of some functions; what one spends in another counts for that other only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time added under a name."""

        def measured(*arguments: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            started = time.process_time()
            result = function(*arguments, **named)
            spent = time.process_time() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent - self._inside.pop()
            if self._inside:
                self._inside[-1] += spent
            return result

        return measured

    @contextmanager
    def operators(self) -> Iterator[None]:
        """Times the operators of this project's inner search as long as it is open, pymoo's populations apart."""
        places: list[tuple[Any, str, str]] = [(*place, "operators for codes") for place in _OPERATORS]
        places.append((Population, "get", "pymoo"))
        before = [getattr(owner, attribute) for owner, attribute, _ in places]
        for (owner, attribute, name), function in zip(places, before, strict=True):
            setattr(owner, attribute, self.timed(name, function))
        try:
            yield
        finally:
            for (owner, attribute, _), function in zip(places, before, strict=True):
                setattr(owner, attribute, function)


def inner_search(
    costs: Costs, goals: Objectives, predictor: Predictor, name: str, method: InnerMethod
) -> dict[str, Any]:
    """Times one search of 100 x 1000 and shares its time out."""
    watch, domain = Stopwatch(), costs.domain
    exploration = float(name in WITH_DEVIATIONS)
    hoped = watch.timed("predictor", lambda codes: optimistic(predictor, codes, exploration))
    latency = watch.timed("latency", lambda codes: costs.means(costs_among(goals), codes))

    def objectives(codes: Codes) -> Floats:
        return minimised(goals, latency(codes), hoped(codes))

    rng = np.random.default_rng(1)
    settings = replace(configuration("paper").inner, method=method)
    initial = np.unique(domain.sample(settings.population, rng), axis=0)
    with watch.operators():
        started = time.perf_counter()
        cpu = time.process_time()
        found = inner.minimise(domain, problem.CodeProblem(objectives, 2, None), settings, initial=initial, rng=rng)[0]
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    split = {name: watch.seconds.get(name, 0.0) for name in ("predictor", "latency", "operators for codes")}
    split["pymoo"] = cpu - sum(split.values())
    return {
        "method": method,
        "predictor": name,
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "front": len(found),
        "cpu_split": {part: round(spent, 2) for part, spent in split.items()},
        "pymoo_share": round(split["pymoo"] / cpu, 3),
        "optimiser_share": round(1.0 - (split["predictor"] + split["latency"]) / cpu, 3),
    }


def per_call(function: Callable[[], Any], repeats: int = 3) -> float:
    """CPU seconds of the fastest call; all of it is on one thread."""
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        with one_blas_thread():  # threads that wait for each other would count
            function()
        best = min(best, time.process_time() - started)
    return round(best, 4)


def uniformity(rng: np.random.Generator, instances: int = 20) -> dict[str, Any]:
    """The paper's genetic algorithm against the exact solution: 100 candidates, a front of 30, at most 8 chosen."""
    gaps, seconds = [], {"exact": 0.0, "genetic": 0.0}
    for _ in range(instances):
        candidates, front = np.sort(rng.lognormal(2, 0.5, 100)), np.sort(rng.lognormal(2, 0.5, 30))
        values = {}
        for name in seconds:
            started = time.process_time()
            if name == "exact":
                chosen = solve_exactly(candidates, front, 8, weights=rng.random(100))
            else:
                chosen = solve_by_genetic_algorithm(candidates, front, 8, rng)
            seconds[name] += time.process_time() - started
            subset = np.isin(np.arange(100), chosen)[None]
            values[name] = float(ks_statistics(subset, candidates, front)[0])
        gaps.append(values["genetic"] - values["exact"])
    return {
        "instances": instances,
        "largest_gap": round(max(gaps), 6),
        "mean_gap": round(float(np.mean(gaps)), 6),
        "optimum_found": int(sum(gap < 1e-9 for gap in gaps)),
        "milliseconds": {name: round(1e3 * spent / instances, 1) for name, spent in seconds.items()},
    }


def main() -> None:
    """Prints all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="epyc/mosegnas-fp32")
    parser.add_argument("--predictor", default="gp,ranknet,ranknet-paper", help="names with commas")
    parser.add_argument("--method", default="nsga2", help="nsga2, moead or random; names with commas")
    parser.add_argument("--rows", type=int, default=260, help="evaluated networks that the predictor learned from")
    given = parser.parse_args()
    profile = load_profile(given.profile)
    space = SearchSpace.load(profile.space.name)
    domain, rng = Domain(space, tuple(profile.protocol.scales)), np.random.default_rng(0)
    model, goals = profile.latency_model(space), configuration("paper").goals
    costs = costs_of(domain, space, model)
    codes = np.unique(domain.sample(given.rows, rng), axis=0)
    miou = 0.5 + 0.05 * np.log(space.flops(codes) / 1e9) + rng.normal(0, 0.003, len(codes))
    many = domain.sample(_MANY, rng)
    description = describe(domain)
    searches = []
    for name in given.predictor.split(","):
        predictor = make_predictor(name, description, np.random.default_rng(0))
        predictor.fit(codes, miou)
        searches += [
            inner_search(costs, goals, predictor, name, method)
            for method in METHODS
            if method in given.method.split(",")
        ]
    record = {
        "space": space.name,
        "profile": profile.name,
        "searches": searches,
        "cpu_seconds_of_100000_latencies": per_call(lambda: model.predict(many)),
        "cpu_seconds_of_100000_features": per_call(lambda: predictor._encoder.features(many)),
        "uniformity": uniformity(rng),
    }
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
