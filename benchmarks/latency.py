"""How well a profile predicts networks that it has never seen, measured by a loop that shares no code with the agent.

Example: python -m benchmarks.latency --profile local/tiny-fp32 --networks 40
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import kendalltau

from mosegedge.networks.onnx import onnx_of_network
from mosegedge.profiling.store import load_profile
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

_RUNS = 5


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="local/tiny-fp32")
    parser.add_argument("--profile-root", type=Path, default=Path("profiles"))
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile, root=arguments.profile_root)
    space = SearchSpace.load(profile.space.name)
    seen = {Architecture.parse(entry.code) for entry in profile.networks}
    codes = fresh_codes(space, tuple(profile.protocol.scales), arguments.networks, seen, arguments.seed)
    halves = measured_ms(space, codes, profile.protocol.threads, arguments.rounds)
    measured = halves.mean(axis=0)
    mean, sd = profile.latency_model(space).predict(codes)
    errors = mean / measured - 1
    result = {
        "profile": profile.name,
        "profile_digest": profile.digest,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "networks": len(codes),
        "tau_profile": tau(mean, measured),
        "tau_flops": tau(space.flops(codes).astype(float), measured),
        "tau_params": tau(space.params(codes).astype(float), measured),
        "tau_of_two_halves": tau(halves[0], halves[1]),
        "mape": float(np.abs(errors).mean()),
        "bias": float(errors.mean()),
        "worst": float(np.abs(errors).max()),
        "within_90_percent_interval": float((np.abs(mean - measured) <= 1.645 * sd).mean()),
        "tau_within_scale_profile": within_scale(codes, mean, measured),
        "tau_within_scale_flops": within_scale(codes, space.flops(codes).astype(float), measured),
        "tau_within_scale_of_two_halves": within_scale(codes, halves[0], halves[1]),
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:32}{value:.4f}" if isinstance(value, float) else f"{name:32}{value}")


def fresh_codes(space: SearchSpace, scales: tuple[int, ...], count: int, seen: set[Architecture], seed: int) -> Codes:
    """Random networks spread evenly over the profile's scales, none of them in the profile."""
    rng = np.random.default_rng(seed)
    codes = space.sample(2 * count + 20, rng)
    codes[:, SCALE] = np.resize(scales, len(codes))
    kept = [index for index, architecture in enumerate(space.decode(codes)) if architecture not in seen]
    return codes[kept][:count]


def measured_ms(space: SearchSpace, codes: Codes, threads: int, rounds: int) -> NDArray[np.float64]:
    """10 % quantile of each network's runs in the even and in the odd rounds, 2 x N; networks take turns in a round."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    runs = []
    for architecture in space.decode(codes):
        model = onnx_of_network(space, architecture)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        picture = np.random.default_rng(0).normal(size=(1, 3, *space.input_size(architecture))).astype(np.float32)
        runs.append((session, {"input": picture}))
    samples_ms = np.zeros((rounds, len(runs), _RUNS))
    order = np.random.default_rng(1)
    for number in range(rounds):
        for index in order.permutation(len(runs)):
            session, inputs = runs[index]
            session.run(None, inputs)
            for run in range(_RUNS):
                started = time.perf_counter()
                session.run(None, inputs)
                samples_ms[number, index, run] = (time.perf_counter() - started) * 1e3
        sys.stderr.write(f"round {number + 1}/{rounds}\r")
    halves = [samples_ms[first::2].transpose(1, 0, 2).reshape(len(runs), -1) for first in (0, 1)]
    return np.quantile(np.stack(halves), 0.1, axis=2)


def tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(first, second).statistic)


def within_scale(codes: Codes, first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Mean over the input scales of tau among the networks of one scale."""
    return float(
        np.mean([tau(first[rows], second[rows]) for rows in (codes[:, SCALE] == s for s in set(codes[:, SCALE]))])
    )


if __name__ == "__main__":
    main()
