"""Search strategies on an oracle: hypervolume by the number of evaluated networks, as in the paper's Fig. 10.

The oracle is fitted to networks that were really evaluated, see `benchmarks.oracle`. A strategy is a named
configuration (`default`, `paper`) or one with a part exchanged: `gp+hierarchical` is `default` with another
pre-screening, `ranknet+hypervolume` also another predictor. `random` draws networks at random, `nsga2` searches without
a predictor. All strategies with equally many initial networks start from the same ones.

Examples:
    python -m benchmarks.strategies --archive cityscapes.json --output strategies.json --picture strategies.png
    python -m benchmarks.strategies --pool benchmarks/data/pool_scenes.jsonl --profile local/tiny-fp32
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.oracle import Oracle, oracle_of_archive, oracle_of_pool
from mosegedge.errors import MosegedgeError, UsageError
from mosegedge.search.config import CONFIGURATIONS, InnerSettings, PrescreenSettings, SearchConfig
from mosegedge.search.costs import Cost, Costs
from mosegedge.search.feasible import Feasible
from mosegedge.search.inner import minimise
from mosegedge.search.objectives import LATENCY
from mosegedge.search.predictors.registry import PREDICTORS, make_predictor
from mosegedge.search.prescreen import Reference
from mosegedge.search.prescreen.registry import make_prescreen
from mosegedge.search.problem import CodeProblem
from mosegedge.search.proposing import History, Proposer, Seeds, without
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

DEFAULT_STRATEGIES = "default,paper,gp+hierarchical,gp+latency,gp+survival,gp+ehvi,ranknet+hypervolume,random"
_LEVELS = (95.0, 98.0, 99.0)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which oracle.

    Attributes:
        archive: File of evaluated networks with latencies.
        pool: File of `benchmarks.pool`.
        profile: Profile for the pool's latencies.
        profile_root: Folder of profiles.
    """

    archive: Path | None
    pool: Path | None
    profile: str
    profile_root: Path


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run of one strategy.

    Attributes:
        source: Which oracle.
        strategy: Its name.
        seed: Of the initial networks and everything else.
        budget: Evaluations.
        inner_generations: Of the inner search; the configuration's own where it is 0.
        initial: Networks to start from; the configuration's own where it is 0.
    """

    source: Source
    strategy: str
    seed: int
    budget: int
    inner_generations: int
    initial: int


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a run reached.

    Attributes:
        strategy: Its name.
        seed: Its seed.
        evaluations: Number of networks evaluated at the end of each generation.
        percent: Hypervolume then, in per cent of the ideal.
        reasons: How many networks were chosen for which reason.
        seconds: How long it took.
    """

    strategy: str
    seed: int
    evaluations: list[int]
    percent: list[float]
    reasons: dict[str, int]
    seconds: float

    def at(self, evaluations: int) -> float:
        """What had been reached after so many evaluations."""
        return max((p for e, p in zip(self.evaluations, self.percent, strict=True) if e <= evaluations), default=0.0)

    def needed_for(self, percent: float) -> int | None:
        """Evaluations until then."""
        return next((e for e, p in zip(self.evaluations, self.percent, strict=True) if p >= percent), None)


@cache
def oracle_of(source: Source) -> Oracle:
    """The oracle, once a process."""
    if source.archive is not None:
        return oracle_of_archive(source.archive)
    if source.pool is None:
        raise UsageError("No oracle is named.", fix="Give --archive, or --pool and --profile.")
    return oracle_of_pool(source.pool, source.profile, source.profile_root)


def config_of(strategy: str) -> SearchConfig:
    """The settings of a strategy.

    Raises:
        UsageError: Its name is none.
    """
    if strategy in CONFIGURATIONS:
        return CONFIGURATIONS[strategy]
    predictor, _, prescreen = strategy.partition("+")
    if not prescreen or predictor not in PREDICTORS:
        known = f"{', '.join(CONFIGURATIONS)}, random, nsga2, or PREDICTOR+PRESCREEN with {', '.join(PREDICTORS)}"
        raise UsageError(f"There is no strategy {strategy!r}.", known=f"Known: {known}.")
    exploring = predictor == "gp" and prescreen in ("hypervolume", "ehvi")
    return replace(
        CONFIGURATIONS["default"],
        predictor=predictor,
        exploration=float(exploring),
        prescreen=PrescreenSettings(strategy=prescreen),  # type: ignore[arg-type]  # checked there
    )


def run(task: Task) -> Curve:
    """One run."""
    oracle = oracle_of(task.source)
    started = time.monotonic()
    if task.strategy == "nsga2":
        evaluations, percent, reasons = _without_predictor(oracle, task)
    else:
        evaluations, percent, reasons = _with_predictor(oracle, task)
    return Curve(
        strategy=task.strategy,
        seed=task.seed,
        evaluations=evaluations,
        percent=percent,
        reasons=reasons,
        seconds=round(time.monotonic() - started, 1),
    )


def _initial(oracle: Oracle, count: int, seed: int) -> Codes:
    drawn = np.concatenate([oracle.domain.ends, oracle.domain.sample(4 * count, np.random.default_rng([seed, 0]))])
    return drawn[np.sort(np.unique(drawn, axis=0, return_index=True)[1])][:count]


def _without_predictor(oracle: Oracle, task: Task) -> tuple[list[int], list[float], dict[str, int]]:
    """NSGA-II itself, a population of 100 from random networks."""
    seen: list[Floats] = []

    def objectives(codes: Codes) -> Floats:
        values = oracle.objectives(codes)
        seen.append(values)
        return values

    problem = CodeProblem(objectives, 2, None, length=oracle.description.length)
    settings = InnerSettings(generations=max(task.budget // 100, 1))
    initial = _initial(oracle, 100, task.seed)
    minimise(oracle.domain, problem, settings, initial=initial, rng=np.random.default_rng([task.seed, 1]))
    totals = [sum(map(len, seen[: part + 1])) for part in range(len(seen))]
    return totals, [oracle.share(np.concatenate(seen[: part + 1])) for part in range(len(seen))], {}


def _with_predictor(oracle: Oracle, task: Task) -> tuple[list[int], list[float], dict[str, int]]:
    config = config_of("default" if task.strategy == "random" else task.strategy)
    inner = replace(config.inner, generations=task.inner_generations or config.inner.generations)
    config = replace(config, inner=inner, initial=task.initial or config.initial)
    proposer = Proposer(
        domain=oracle.domain,
        feasible=Feasible(costs=Costs(oracle.domain, (Cost(LATENCY, oracle),))),
        config=config,
        make_predictor=lambda rng: make_predictor(config.predictor, oracle.description, rng, paper=config.ranknet),
        prescreen=make_prescreen(config),
    )
    codes = _initial(oracle, config.initial, task.seed)
    values = oracle.objectives(codes)
    corner = values.max(axis=0)
    reference = Reference(costs=(float(corner[0]),), gain=-float(corner[1]))
    totals, percent, reasons = [len(codes)], [oracle.share(values)], dict[str, int]()
    generation = 0
    while len(codes) + config.evaluations <= task.budget:
        generation += 1
        if task.strategy == "random":
            drawn = oracle.domain.sample(10 * config.evaluations, np.random.default_rng([task.seed, generation]))
            new = without(drawn, codes)[: config.evaluations]
        else:
            history = History(codes=codes, miou=-values[:, 1], objectives=values, known=codes, reference=reference)
            parts = np.random.SeedSequence([task.seed, generation]).spawn(3)
            fit, search, screen = (np.random.default_rng(part) for part in parts)
            proposal = proposer.propose(history, Seeds(fit=fit, inner=search, screen=screen))
            new = proposal.codes
            for reason in proposal.reasons:
                reasons[reason] = reasons.get(reason, 0) + 1
        codes = np.concatenate([codes, new])
        values = np.concatenate([values, oracle.objectives(new)])
        totals.append(len(codes))
        percent.append(oracle.share(values))
    return totals, percent, reasons


def table_of(curves: Sequence[Curve], budget: int) -> str:
    """One line a strategy: hypervolume in per cent, and evaluations needed."""
    marks = [mark for mark in (100, 140, 180, 260) if mark < budget] + [budget]
    header = f"{'strategy':<24}{'seeds':>5} " + "".join(f"{f'HV % @{mark}':>14}" for mark in marks)
    lines = [header + "".join(f"{f'to {level:g} %':>12}" for level in _LEVELS) + f"{'s/run':>8}"]
    for strategy in dict.fromkeys(curve.strategy for curve in curves):
        runs = [curve for curve in curves if curve.strategy == strategy]
        cells = [_mean_sd([run.at(mark) for run in runs]) for mark in marks]
        needed = [_median([run.needed_for(level) for run in runs]) for level in _LEVELS]
        seconds = np.mean([run.seconds for run in runs])
        lines.append(
            f"{strategy:<24}{len(runs):>5} "
            + "".join(f"{cell:>14}" for cell in cells)
            + "".join(f"{cell:>12}" for cell in needed)
            + f"{seconds:>8.0f}"
        )
    return "\n".join(lines)


def comparison(curves: Sequence[Curve], budget: int) -> dict[str, float | int | None]:
    """How `default` fares against `paper`, by means over seeds; empty where one of them was not run."""
    default, paper = ([curve for curve in curves if curve.strategy == name] for name in ("default", "paper"))
    if not default or not paper:
        return {}
    goal = float(np.mean([run.at(budget) for run in paper]))
    mean = np.mean([run.percent for run in default], axis=0)
    reached = next((e for e, p in zip(default[0].evaluations, mean, strict=True) if p >= goal), None)
    return {
        "paper_final_percent": round(goal, 2),
        "default_final_percent": round(float(mean[-1]), 2),
        "points_above": round(float(mean[-1]) - goal, 2),
        "evaluations_to_papers_final": reached,
        "share_of_budget": round(reached / budget, 3) if reached else None,
    }


def draw(curves: Sequence[Curve], path: Path, title: str) -> None:
    """Mean over seeds with one standard deviation around it."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for strategy in dict.fromkeys(curve.strategy for curve in curves):
        runs = [curve for curve in curves if curve.strategy == strategy]
        percent = np.array([run.percent for run in runs])
        mean, sd = percent.mean(axis=0), percent.std(axis=0)
        (line,) = axes.plot(runs[0].evaluations, mean, label=strategy)
        axes.fill_between(runs[0].evaluations, mean - sd, mean + sd, color=line.get_color(), alpha=0.15)
    axes.set(xlabel="evaluated networks", ylabel="hypervolume, % of the ideal front's", title=title, ylim=(85, 100.2))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--archive", type=Path, help="evaluated networks with latencies")
    source.add_argument("--pool", type=Path, help="evaluated networks of this project, latency from --profile")
    parser.add_argument("--profile", default="local/tiny-fp32")
    parser.add_argument("--profile-root", type=Path, default=Path("profiles"))
    parser.add_argument("--strategies", default=DEFAULT_STRATEGIES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--budget", type=int, default=260, help="evaluations of each run")
    parser.add_argument("--initial", type=int, default=0, help="initial networks, where not the configuration's")
    parser.add_argument("--inner-generations", type=int, default=100, help="0: the configuration's; 100 give the same")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--output", type=Path, help="all curves as JSON")
    parser.add_argument("--picture", type=Path, help="PNG")
    parser.add_argument(
        "--beside", type=Path, nargs="*", default=[], help="outputs of earlier runs, for the same table"
    )
    given = parser.parse_args(arguments)
    place = Source(archive=given.archive, pool=given.pool, profile=given.profile, profile_root=given.profile_root)
    try:
        names = [name.strip() for name in given.strategies.split(",") if name.strip()]
        for name in names:
            if name not in ("random", "nsga2"):
                config_of(name)
        tasks = [
            Task(
                source=place,
                strategy=name,
                seed=seed,
                budget=given.budget,
                inner_generations=given.inner_generations,
                initial=given.initial,
            )
            for name in names
            for seed in range(given.first_seed, given.first_seed + given.seeds)
        ]
        earlier = [Curve(**curve) for path in given.beside for curve in json.loads(path.read_text())["curves"]]
        curves = earlier + _curves(tasks, given.jobs)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(table_of(curves, given.budget))
    versus = comparison(curves, given.budget)
    for name, value in versus.items():
        print(f"{name}: {value}")
    if given.output:
        record = {
            "oracle": oracle_of(place).name,
            "budget": given.budget,
            "inner_generations": given.inner_generations,
            "comparison": versus,
            "curves": [asdict(curve) for curve in curves],
        }
        given.output.write_text(json.dumps(record, indent=1) + "\n")
    if given.picture:
        draw(curves, given.picture, f"Oracle fitted to {oracle_of(place).name}")


def _curves(tasks: Sequence[Task], jobs: int) -> list[Curve]:
    curves = []
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for curve in pool.map(run, tasks):
            curves.append(curve)
            sys.stderr.write(
                f"{curve.strategy} seed {curve.seed}: {curve.percent[-1]:.2f} % after {curve.evaluations[-1]}"
                f" in {curve.seconds} s  {curve.reasons}\n"
            )
    return curves


def _mean_sd(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} ({np.std(values, ddof=1) if len(values) > 1 else 0.0:.1f})"


def _median(values: Sequence[int | None]) -> str:
    """Of those that got there, with their number where not all did; `-` where fewer than half did."""
    reached = [value for value in values if value is not None]
    if 2 * len(reached) < len(values):
        return "-" if not reached else f"> ({len(reached)}/{len(values)})"
    padded = sorted(value if value is not None else sys.maxsize for value in values)
    middle = padded[len(padded) // 2]
    return f"{middle}" + (f" ({len(reached)}/{len(values)})" if len(reached) < len(values) else "")


if __name__ == "__main__":
    main()
