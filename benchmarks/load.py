"""Does a program that burns the other core during half of a measurement move the finished profile?

Measures the same small profile three times on this machine: alone, with a process at 100 % on a core that the agent is
not on, switched on and off every few seconds, and alone again. Prints how far the entries, the measured networks and
the predictions of random networks moved under load, and how far they moved between the two without any, which is what
the machine does by itself; JSON on stdout.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mosegedge.devices import load_device
from mosegedge.profiling import Profile, ProfileSettings, profile_device
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE

_NETWORKS = 2000


def main() -> None:
    """Prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="local")
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--scales", default="0")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--passes", type=int, default=24)
    parser.add_argument("--period", type=float, default=6.0, help="seconds of load, and again of rest")
    arguments = parser.parse_args()
    space = SearchSpace.load(arguments.space)
    settings = ProfileSettings(
        scales=tuple(int(digit) for digit in arguments.scales.split(",")),
        networks=arguments.networks,
        passes=arguments.passes,
    )
    device = load_device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        profiles, share = [], 0.0
        for name in ("alone", "loaded", "alone_again"):
            sys.stderr.write(f"{name}\n")
            loaded = name == "loaded"
            with burning(arguments.period if loaded else 0.0) as burnt:
                profiles.append(profile_device(device, space, settings=settings, root=Path(folder) / name))
            share = burnt["on_s"] / burnt["wall_s"] if loaded else share
    alone, under_load, again = profiles
    result = {
        "share_of_time_under_load": share,
        "loaded": compared(alone, under_load, space),
        "alone_again": compared(alone, again, space),
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


def compared(first: Profile, second: Profile, space: SearchSpace) -> dict[str, dict[str, float]]:
    """How far the second profile is from the first."""
    codes = space.sample(_NETWORKS, np.random.default_rng(0))
    codes[:, SCALE] = np.resize(first.protocol.scales, len(codes))
    predictions = [profile.latency_model(space).predict(codes)[0] for profile in (first, second)]
    layers = [{entry.key: entry.value_ms for entry in profile.entries} for profile in (first, second)]
    networks = [{entry.code: entry.value_ms for entry in profile.networks} for profile in (first, second)]
    return {
        "predictions": _moved(predictions[1] / predictions[0]),
        "layers": _moved(np.array([layers[1][key] / layers[0][key] for key in layers[0]])),
        "networks": _moved(np.array([networks[1][code] / networks[0][code] for code in networks[0]])),
    }


def _moved(ratios: NDArray[np.float64]) -> dict[str, float]:
    apart = np.abs(ratios - 1)
    return {
        "median_ratio": float(np.median(ratios)),
        "mean_difference": float(apart.mean()),
        "difference_of_95_percent": float(np.quantile(apart, 0.95)),
        "worst": float(apart.max()),
    }


if __name__ == "__main__":
    main()
