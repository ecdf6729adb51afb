"""Runs search strategies on an oracle, in several processes; what was finished before is not run again."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import numpy as np

from benchmarks.oracle import Oracle
from benchmarks.strategy_curves import Curve, Record
from benchmarks.strategy_direct import Progress, draw, evolve
from benchmarks.strategy_tasks import RANDOM, WITHOUT_PREDICTOR, Source, Task, oracle_of
from mosegedge.search.costs import Cost, Costs
from mosegedge.search.feasible import Feasible
from mosegedge.search.initial import initial_codes
from mosegedge.search.objectives import LATENCY
from mosegedge.search.predictors.registry import make_predictor
from mosegedge.search.prescreen import Reference
from mosegedge.search.proposing import History, Proposer, Seeds


def curves_of(tasks: Sequence[Task], source: Source, record: Record, jobs: int) -> list[Curve]:
    """Curves of all tasks; those that the record lacks are run and added to it as they end."""
    ideal, known = record.world(source).ideal, record.curves()
    missing = [task for task in tasks if not any(curve.is_of(task) for curve in known)]
    for curve in _finished(missing, source, ideal, jobs):
        record.append(curve)
        known.append(curve)
        sys.stderr.write(
            f"{curve.strategy} seed {curve.seed}: {curve.percent[-1]:.2f} % after {curve.evaluations[-1]}"
            f" in {curve.seconds:.0f} s  {curve.reasons}\n"
        )
    return [next(curve for curve in known if curve.is_of(task)) for task in tasks]


def _finished(tasks: Sequence[Task], source: Source, ideal: float, jobs: int) -> Iterator[Curve]:
    """Runs the tasks in this process or in several; in the order in which they end."""
    if jobs == 1:
        for task in tasks:
            yield run(task, source, ideal)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run, task, source, ideal) for task in tasks]):
            yield future.result()


def run(task: Task, source: Source, ideal: float) -> Curve:
    """One run."""
    progress = Progress(oracle_of(source), ideal)
    started = time.monotonic()
    reasons = Counter[str]()
    if task.strategy == RANDOM:
        draw(task, progress)
    elif task.strategy in WITHOUT_PREDICTOR:
        evolve(task, progress)
    else:
        reasons = search(task, progress)
    return Curve(
        strategy=task.strategy,
        seed=task.seed,
        budget=task.budget,
        settings=task.settings,
        evaluations=progress.evaluations[1:],
        percent=progress.percent[1:],
        reasons=dict(reasons),
        seconds=round(time.monotonic() - started, 1),
    )


def search(task: Task, progress: Progress) -> Counter[str]:
    """A search with a predictor; says why its networks were chosen."""
    oracle, strategy = progress.oracle, task.search
    config = strategy.config
    feasible = _feasible(oracle)
    proposer = Proposer(
        domain=oracle.domain,
        feasible=feasible,
        config=config,
        make_predictor=lambda rng: make_predictor(config.predictor, oracle.description, rng, paper=config.ranknet),
        prescreen=strategy.prescreen,
    )
    codes = initial_codes(feasible, config, np.random.default_rng([task.seed, 0]))[0]
    values = oracle.objectives(codes)
    progress.add(values)
    reference = Reference.of_corner(values.max(axis=0))
    reasons = Counter[str]()
    for generation in range(1, 1 + (task.budget - len(codes)) // config.evaluations):
        history = History(codes=codes, miou=-values[:, 1], objectives=values, known=codes, reference=reference)
        proposal = proposer.propose(history, Seeds.of(task.seed, generation), generation=generation)
        reasons.update(proposal.reasons)
        new = oracle.objectives(proposal.codes)
        progress.add(new)
        codes, values = np.concatenate([codes, proposal.codes]), np.concatenate([values, new])
    return reasons


def _feasible(oracle: Oracle) -> Feasible:
    return Feasible(costs=Costs(oracle.domain, (Cost(LATENCY, oracle),)))
