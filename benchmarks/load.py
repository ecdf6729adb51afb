"""Does a program that burns the other core during half of a measurement move the finished profile?

Measures the same small profile again and again on this machine: alone, with a process at 100 % on a core that the agent
is not on, switched on and off every few seconds, alone, and so on. A profile under load is compared with the geometric
mean of those before and after it, since the machine's own speed changes from one to the next; how much, says how far
one alone is from its own neighbours without load. Prints how far the entries, the measured networks and the predictions
of random networks moved in each repeat, the largest first; JSON on stdout.

    python -m benchmarks.load --space tiny --scales 0 --networks 24 --passes 24
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mosegedge.devices import load_device
from mosegedge.profiling import Profile, ProfileSettings, profile_device
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE

Floats = NDArray[np.float64]
Values = Mapping[str, float]

_NETWORKS = 2000
_FEWEST_REPEATS = 2


def main() -> None:
    """Prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="local")
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--scales", default="0")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--passes", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3, help="Profiles under load; one more is made alone.")
    parser.add_argument("--period", type=float, default=6.0, help="seconds of load, and again of rest")
    arguments = parser.parse_args()
    if arguments.repeats < _FEWEST_REPEATS:
        parser.error(f"--repeats {arguments.repeats}: at least {_FEWEST_REPEATS}, for profiles alone with neighbours")
    space = SearchSpace.load(arguments.space)
    settings = ProfileSettings(
        scales=tuple(int(digit) for digit in arguments.scales.split(",")),
        networks=arguments.networks,
        passes=arguments.passes,
    )
    device = load_device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        profiles, shares = [], []
        for number in range(2 * arguments.repeats + 1):
            loaded = number % 2 == 1
            sys.stderr.write(f"{number + 1} of {2 * arguments.repeats + 1}, {'loaded' if loaded else 'alone'}\n")
            with burning(arguments.period if loaded else 0.0) as burnt:
                profiles.append(profile_device(device, space, settings=settings, root=Path(folder) / str(number)))
            if loaded:
                shares.append(burnt["on_s"] / burnt["wall_s"])
    found = [values_of(profile, space) for profile in profiles]
    result = {
        "share_of_time_under_load": shares,
        "loaded": {what: moved(movements([one[what] for one in found], every=2)) for what in found[0]},
        "alone": {what: moved(movements([one[what] for one in found[::2]], every=1)) for what in found[0]},
        "repeatability_mape": [profile.repeatability.networks_mape for profile in profiles],
        "drift": [profile.protocol.drift for profile in profiles],
        "affinity": [profile.protocol.affinity for profile in profiles],
    }
    print(json.dumps(result, indent=1))


@contextmanager
def burning(period_s: float) -> Iterator[dict[str, float]]:
    """Keeps one core busy for every second period; tells afterwards for how long, of how long. A period of 0: never."""
    told = {"on_s": 0.0, "wall_s": 0.0}
    if not period_s:
        yield told
        return
    stop = threading.Event()

    def switch() -> None:
        while not stop.is_set():
            process = multiprocessing.get_context("spawn").Process(target=_burn, daemon=True)
            process.start()
            started = time.monotonic()
            stop.wait(period_s)
            process.kill()
            process.join()
            told["on_s"] += time.monotonic() - started
            stop.wait(period_s)

    thread = threading.Thread(target=switch)
    begun = time.monotonic()
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()
        told["wall_s"] = time.monotonic() - begun


def _burn() -> None:
    """Multiplies matrices that fit no second-level cache, on the first core of this process."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    matrix = np.random.default_rng(0).normal(size=(600, 600))
    while True:
        matrix = np.tanh(matrix @ matrix / 600)


def values_of(profile: Profile, space: SearchSpace) -> dict[str, Values]:
    """Latencies in ms of random networks as predicted, of layers and of networks as measured."""
    codes = space.sample(_NETWORKS, np.random.default_rng(0))
    codes[:, SCALE] = np.resize(profile.protocol.scales, len(codes))
    predicted_ms, _ = profile.latency_model(space).predict(codes)
    return {
        "predictions": {str(number): latency_ms for number, latency_ms in enumerate(predicted_ms.tolist())},
        "layers": {entry.key: entry.value_ms for entry in profile.entries},
        "networks": {entry.code: entry.value_ms for entry in profile.networks},
    }


def movements(runs: Sequence[Values], *, every: int) -> list[Floats]:
    """How far the second run, and one in so many after it, is from the geometric mean of its two neighbours.

    Returns:
        Relative differences of what all runs have, one array a compared run.
    """
    keys = sorted(set.intersection(*(set(run) for run in runs)))
    logs = np.log([[run[key] for key in keys] for run in runs])
    places = range(1, len(logs) - 1, every)
    return [np.expm1(logs[place] - (logs[place - 1] + logs[place + 1]) / 2) for place in places]


def moved(changes: Sequence[Floats]) -> list[dict[str, float]]:
    """Each repeat in figures, the one that moved most first."""
    found = [
        {
            "median": float(np.median(change)),
            "mean_difference": float(np.abs(change).mean()),
            "difference_of_95_percent": float(np.quantile(np.abs(change), 0.95)),
            "worst": float(np.abs(change).max()),
        }
        for change in changes
    ]
    return sorted(found, key=lambda one: -one["mean_difference"])


if __name__ == "__main__":
    main()
