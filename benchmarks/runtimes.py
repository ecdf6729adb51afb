"""Whether runtimes on one machine order networks alike: each through its own agent, in turns of one run.

Example: python -m benchmarks.runtimes --networks 40 --json runs/runtimes.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau

from device_agents.lock import DeviceLock
from mosegedge.devices import AgentClient, Device, open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.networks.onnx import onnx_of_network
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE

_QUANTILE = 0.1
_BURST = BurstSettings(min_samples=3, max_samples=3, min_ns=0, max_warmup=2)


@dataclass(frozen=True)
class Runtime:
    """What is compared.

    Attributes:
        name: In the table.
        backend: Of its agent.
        precision: Number format.
    """

    name: str
    backend: str
    precision: str = "fp32"

    @property
    def device(self) -> Device:
        """This machine with it."""
        return Device(name="local", backend=self.backend, precision=self.precision, connection="local")


RUNTIMES = (
    Runtime("ONNX Runtime", "onnxruntime"),
    Runtime("OpenVINO", "openvino"),
    Runtime("OpenVINO bf16", "openvino", "bf16"),
    Runtime("PyTorch", "torch"),
)


def main() -> None:
    """Prints a table; with --json also writes everything that was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--scale", type=int, default=2, help="digit of the input size; all networks have it")
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where everything is written")
    arguments = parser.parse_args()
    space = SearchSpace.load(arguments.space)
    codes = space.sample(arguments.networks, np.random.default_rng(arguments.seed))
    codes[:, SCALE] = arguments.scale
    torch.set_num_threads(1)
    models = [onnx_of_network(space, architecture) for architecture in space.decode(codes)]
    with contextlib.ExitStack() as stack:
        agents = started(stack, {runtime.name: runtime.device for runtime in RUNTIMES})
        descriptions = {name: agent.describe() for name, agent in agents.items()}
        ids = {name: [agent.load(model) for model in models] for name, agent in agents.items()}
        samples_ms = interleaved_ms(agents, ids, arguments.rounds)
    halves = {name: half_quantiles(samples) for name, samples in samples_ms.items()}
    result: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": next(iter(descriptions.values())).hardware,
        "space": space.name,
        "scale": arguments.scale,
        "networks": len(models),
        "rounds": arguments.rounds,
        "versions": {name: found.vendor["runtime"] for name, found in descriptions.items()},
        "tau": taus(halves),
        "tau_flops": {name: tau(space.flops(codes).astype(float), both.mean(axis=0)) for name, both in halves.items()},
        "median_ms": {name: float(np.median(both)) for name, both in halves.items()},
    }
    print(table(result))
    if arguments.json:
        kept = {name: both.tolist() for name, both in halves.items()}
        codes_text = [str(architecture) for architecture in space.decode(codes)]
        arguments.json.write_text(json.dumps({**result, "codes": codes_text, "halves_ms": kept}, indent=2) + "\n")


def started(stack: contextlib.ExitStack, devices: Mapping[str, Device]) -> dict[str, AgentClient]:
    """An agent of every device whose precision this machine has; this process holds the machine for all of them."""
    DeviceLock("").acquire("benchmarks.runtimes", 0)
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    before = os.environ.get("MOSEGEDGE_LOCK")
    agents = {}
    try:
        for number, (name, device) in enumerate(devices.items()):
            # Agents are kept apart by this process, which lets one work at a time.
            os.environ["MOSEGEDGE_LOCK"] = f"{folder}/{number}"
            agent = stack.enter_context(open_agent(device))
            possible = agent.describe().vendor["precisions"]
            if device.precision in possible:
                agents[name] = agent
            else:
                sys.stderr.write(f"{name} is left out: this machine times {', '.join(possible)}.\n")
    finally:
        os.environ.pop("MOSEGEDGE_LOCK")
        if before is not None:
            os.environ["MOSEGEDGE_LOCK"] = before
    return agents


def interleaved_ms(
    agents: Mapping[str, AgentClient], ids: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Samples of each runtime, networks x rounds x samples; runtimes and networks take turns in every round.

    Args:
        agents: Of the runtimes.
        ids: Of the models that each of them has loaded, in the same order.
        rounds: How often each network runs on each runtime.
    """
    count = len(next(iter(ids.values())))
    samples_ms = {name: np.zeros((count, rounds, _BURST.max_samples)) for name in agents}
    rng = np.random.default_rng(1)
    for number in range(rounds):
        for index in rng.permutation(count):
            for name in rng.permutation(list(agents)):
                (burst,) = agents[name].time([ids[name][index]], _BURST)
                samples_ms[name][index, number] = np.array(burst.samples_ns) / 1e6
        sys.stderr.write(f"round {number + 1}/{rounds}\n")
    return samples_ms


def half_quantiles(samples_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Low quantile of each network in the even and in the odd rounds, 2 x N: what was not disturbed."""
    halves = [samples_ms[:, first::2].reshape(len(samples_ms), -1) for first in (0, 1)]
    return np.quantile(np.stack(halves), _QUANTILE, axis=2)


def taus(halves: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, float]]:
    """Between runtimes over all rounds; of a runtime with itself, between its halves."""
    whole = {name: both.mean(axis=0) for name, both in halves.items()}
    return {
        first: {
            second: tau(halves[first][0], halves[first][1]) if first == second else tau(whole[first], whole[second])
            for second in halves
        }
        for first in halves
    }


def tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(first, second).statistic)


def table(result: dict[str, Any]) -> str:
    """The result as Markdown; on the diagonal how well a runtime agrees with itself."""
    names = list(result["tau"])
    device = result["device"]
    what = f"{result['networks']} networks of {result['space']}, scale {result['scale']}, one thread of {device['cpu']}"
    lines = [
        f"{what}, {result['rounds']} interleaved rounds, {result['date']}",
        "",
        "| | " + " | ".join(names) + " | FLOPs | median ms |",
        "|---" * (len(names) + 3) + "|",
    ]
    for first in names:
        cells = [f"{result['tau'][first][second]:.2f}" for second in names]
        cells += [f"{result['tau_flops'][first]:.2f}", f"{result['median_ms'][first]:.1f}"]
        lines.append(f"| {first} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
