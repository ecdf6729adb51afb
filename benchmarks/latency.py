"""How well a profile predicts networks that it has never seen, measured by a loop that shares no code with the agent.

Networks are run by ONNX Runtime in this process, in rounds of random order; in each round every network gets a new
session, as where the runtime places weights and buffers stays the same until then. How often a network runs in a round
follows from how long it takes, how many rounds there are from --budget.

Example: python -m benchmarks.latency --profile local/tiny-fp32 --networks 60 --json --picture latency.png
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import kendalltau, norm, spearmanr

from mosegedge.networks.onnx import onnx_of_network
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.store import load_profile
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE
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


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="local/tiny-fp32")
    parser.add_argument("--profile-root", type=Path, default=Path("profiles"))
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--budget", type=float, default=300, help="Seconds after which no round begins.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", type=Path, help="Predicted against measured latency, as .png or .svg.")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile, root=arguments.profile_root)
    space = SearchSpace.load(profile.space.name)
    if profile.protocol.affinity:
        os.sched_setaffinity(0, profile.protocol.affinity)
    codes = fresh_codes(space, profile, arguments.networks, arguments.seed)
    measured = measure(space, codes, profile, arguments.rounds, arguments.budget)
    mean_ms, sd_ms = profile.latency_model(space).predict(codes)
    result = {
        "profile": profile.name,
        "profile_digest": profile.digest,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "threads": profile.protocol.threads,
        "seed": arguments.seed,
        "networks": len(codes),
        "rounds": measured.rounds,
        "minutes": measured.minutes,
        **figures(space, codes, measured, mean_ms, sd_ms),
    }
    if arguments.picture:
        draw(arguments.picture, profile, codes, measured.value_ms, mean_ms, sd_ms)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:36}{value:.4f}" if isinstance(value, float) else f"{name:36}{value}")


def fresh_codes(space: SearchSpace, profile: Profile, count: int, seed: int) -> Codes:
    """Random networks spread evenly over the profile's scales, none of them in the profile."""
    seen = {Architecture.parse(entry.code) for entry in profile.networks}
    codes = space.sample(2 * count + 20, np.random.default_rng(seed))
    codes[:, SCALE] = np.resize(sorted(profile.protocol.scales), len(codes))
    kept = [index for index, architecture in enumerate(space.decode(codes)) if architecture not in seen]
    return codes[kept][:count]


def measure(space: SearchSpace, codes: Codes, profile: Profile, most_rounds: int, budget_s: float) -> Measured:
    """Runs all networks in turn, round by round; the order is a new one in each."""
    models = [onnx_of_network(space, architecture) for architecture in space.decode(codes)]
    sizes = [space.input_size(architecture) for architecture in space.decode(codes)]
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


def figures(
    space: SearchSpace, codes: Codes, measured: Measured, mean_ms: Floats, sd_ms: Floats
) -> Mapping[str, float]:
    """What the bars are about: agreement of predictions, with FLOPs and the measurement itself beside it."""
    errors = mean_ms / measured.value_ms - 1
    flops, params = space.flops(codes).astype(float), space.params(codes).astype(float)
    first, second = measured.halves_ms.T
    inside = np.abs(mean_ms - measured.value_ms) <= norm.ppf(0.95) * sd_ms
    return {
        "tau_profile": tau(mean_ms, measured.value_ms),
        "tau_of_two_halves": tau(first, second),
        "tau_flops": tau(flops, measured.value_ms),
        "tau_params": tau(params, measured.value_ms),
        "spearman": float(spearmanr(mean_ms, measured.value_ms).statistic),
        "mape": float(np.abs(errors).mean()),
        "bias": float(errors.mean()),
        "worst": float(np.abs(errors).max()),
        "mape_of_two_halves": float(np.abs(first / second - 1).mean()),
        "within_90_percent_interval": float(inside.mean()),
        "mean_relative_sd": float((sd_ms / mean_ms).mean()),
        "within_scale_tau_profile": within_scale(codes, mean_ms, measured.value_ms),
        "within_scale_tau_of_two_halves": within_scale(codes, first, second),
        "within_scale_tau_flops": within_scale(codes, flops, measured.value_ms),
        "within_scale_tau_params": within_scale(codes, params, measured.value_ms),
    }


def tau(first: Floats, second: Floats) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(first, second).statistic)


def within_scale(codes: Codes, first: Floats, second: Floats) -> float:
    """Mean over the input scales of tau among the networks of one scale."""
    scales = codes[:, SCALE]
    return float(np.mean([tau(first[scales == scale], second[scales == scale]) for scale in np.unique(scales)]))


def draw(path: Path, profile: Profile, codes: Codes, measured_ms: Floats, mean_ms: Floats, sd_ms: Floats) -> None:
    """Draws predictions with their 90 % intervals against measurements, and the relative errors below."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 7), height_ratios=(3, 1), sharex=True)
    half_ms = norm.ppf(0.95) * sd_ms
    for scale in np.unique(codes[:, SCALE]):
        rows = codes[:, SCALE] == scale
        size = "x".join(map(str, SearchSpace.load(profile.space.name).input_size(_at(profile, codes[rows][0]))))
        above.errorbar(measured_ms[rows], mean_ms[rows], half_ms[rows], fmt="o", ms=4, capsize=2, label=size)
        error, half = mean_ms[rows] / measured_ms[rows] - 1, half_ms[rows] / measured_ms[rows]
        below.errorbar(measured_ms[rows], 100 * error, 100 * half, fmt="o", ms=4, capsize=2)
    ends = [float(measured_ms.min()), float(measured_ms.max())]
    above.plot(ends, ends, color="grey", lw=1, zorder=0)
    below.axhline(0, color="grey", lw=1, zorder=0)
    above.set(xscale="log", yscale="log", ylabel="predicted, ms", title=f"{profile.name}: {len(codes)} fresh networks")
    below.set(xlabel="measured, ms", ylabel="error, %")
    for axis in (above.xaxis, above.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
    above.legend(title="input")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _at(profile: Profile, code: NDArray[np.int64]) -> Architecture:
    return SearchSpace.load(profile.space.name).decode(code[None])[0]


if __name__ == "__main__":
    main()
