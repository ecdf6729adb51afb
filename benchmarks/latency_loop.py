"""An independent loop that times whole networks with ONNX Runtime in this process; it shares no code with the agent.

In each round of random order every network gets a new session, as where the runtime places weights and buffers stays
the same until then. How often a network runs in a round follows from how long it takes.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mosegedge.networks.onnx import onnx_of_network
from mosegedge.profiling.profile import Profile
from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_VISIT_S = 0.06
_MOST_RUNS = 8
_FEWEST_ROUNDS = 4
_QUANTILES = {"quantile10": 0.1, "median": 0.5}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Latencies in ms of N networks: all of the samples, and those of the even and of the odd rounds (N x 2)."""

    value_ms: Floats
    halves_ms: Floats
    rounds: int
    minutes: float


def built(space: SearchSpace, codes: Codes) -> Sequence[bytes]:
    """The networks as ONNX files, made on all processors: they are to be timed soon after a profile."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(partial(onnx_of_network, space), space.decode(codes), chunksize=4))


def measure(
    models: Sequence[bytes], sizes: Sequence[tuple[int, int]], profile: Profile, most_rounds: int, budget_s: float
) -> Measured:
    """Runs all networks in turn, round by round; the order is a new one in each.

    Args:
        models: ONNX files.
        sizes: Height and width of the picture that each takes.
        profile: Says with how many threads, and what the latency of a network is of all its samples.
        most_rounds: Rounds at most.
        budget_s: No round begins that would end later, though there are 4 in any case.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = profile.protocol.threads, 1
    rng = np.random.default_rng(1)
    samples: list[list[list[float]]] = [[] for _ in models]
    started = time.perf_counter()
    rounds, longest_s = 0, 0.0
    while rounds < most_rounds:
        begun = time.perf_counter()
        if rounds >= _FEWEST_ROUNDS and begun - started + longest_s > budget_s:
            break
        for index in rng.permutation(len(models)):
            session = onnxruntime.InferenceSession(models[index], options, providers=["CPUExecutionProvider"])
            picture = rng.normal(size=(1, 3, *sizes[index])).astype(np.float32)
            samples[index].append(visit(session, picture))
        rounds += 1
        longest_s = max(longest_s, time.perf_counter() - begun)
        sys.stderr.write(f"round {rounds}, {(time.perf_counter() - started) / 60:.1f} minutes\r")
    share = _QUANTILES[profile.protocol.statistic]
    halves = [[np.quantile(np.concatenate(bursts[first::2]), share) for first in (0, 1)] for bursts in samples]
    values = [np.quantile(np.concatenate(bursts), share) for bursts in samples]
    minutes = (time.perf_counter() - started) / 60
    return Measured(value_ms=np.array(values), halves_ms=np.array(halves), rounds=rounds, minutes=minutes)


def visit(session: onnxruntime.InferenceSession, picture: NDArray[np.float32]) -> list[float]:
    """Some timed runs in ms after one or two to warm up; fewer where they take long."""
    inputs = {session.get_inputs()[0].name: picture}
    warm_s = 0.0
    while warm_s == 0 or warm_s < _VISIT_S / 4:
        begun = time.perf_counter()
        session.run(None, inputs)
        warm_s += time.perf_counter() - begun
    runs_ms: list[float] = []
    while not runs_ms or (len(runs_ms) < _MOST_RUNS and sum(runs_ms) < _VISIT_S * 1e3):
        begun = time.perf_counter()
        session.run(None, inputs)
        runs_ms.append((time.perf_counter() - begun) * 1e3)
    return runs_ms
