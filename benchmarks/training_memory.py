"""The most memory that training steps take, each way in a process of its own.

On a CPU it is the highest resident size of the process (VmHWM of Linux; `getrusage` would count the parent that it was
forked from), less that before anything is built: weights, gradients, momenta, activations, and what kernels keep. On a
GPU it is what PyTorch allocated there at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.interleaved import Work
from benchmarks.training_encoders import OURS, THEIRS, our_encoder_works, package_works
from benchmarks.training_steps import (
    LARGEST,
    SMALLEST,
    STATIC,
    SUPERNET,
    Ground,
    elastic_step,
    elastic_supernet,
    ground,
    static_network,
    static_step,
)
from mosegedge.errors import UsageError
from mosegedge.space import SearchSpace
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.place import Place, device_named

_STEPS = 4
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a process is told.

    Attributes:
        space: Name of the search space.
        networks: Networks drawn at random.
        scale: Digit of the input scale.
        batch_size: Pictures a step.
        ema: Decay of the moving average of the weights; 0 for none.
        seed: Decides everything random.
        threads: Of PyTorch.
        on: `cpu` or `cuda`.
    """

    space: str
    networks: int
    scale: int
    batch_size: int
    ema: float
    seed: int
    threads: int
    on: str

    def ground(self) -> Ground:
        """Networks and a batch."""
        torch.set_num_threads(self.threads)
        return ground(
            SearchSpace.load(self.space),
            Place(device=device_named(self.on)),
            networks=self.networks,
            scale=self.scale,
            batch_size=self.batch_size,
            ema=self.ema,
            seed=self.seed,
        )


def peaks(setting: Setting, *, encoders: bool) -> dict[Work, float]:
    """The most memory of steps in MiB: of single networks, and of the first whole step of a supernet.

    Args:
        setting: What is trained.
        encoders: Whether ours and those of the `ofa` package are trained instead of whole networks.
    """
    ways = (OURS, THEIRS) if encoders else (STATIC, SUPERNET)
    works = [Work(name, way) for name in (LARGEST, SMALLEST) for way in ways]
    if not encoders:
        works.append(Work(next(iter(setting.ground().sandwiches)), SUPERNET))
    return {work: _in_process(work, setting) for work in works}


def _in_process(work: Work, setting: Setting) -> float:
    sys.stderr.write(f"memory of {work.network}, {work.way}\n")
    command = [sys.executable, "-m", "benchmarks.training_memory", work.network, work.way, json.dumps(asdict(setting))]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(answer.stdout)["peak_mib"])


def measured(work: Work, setting: Setting) -> float:
    """The most memory of a few steps of one work, in this process, in MiB."""
    before = 0.0 if setting.on == "cuda" else _resident_peak_mib()
    step = step_of(work, setting.ground())
    for _ in range(_STEPS):
        step()
    if setting.on == "cuda":
        return torch.cuda.max_memory_allocated() / _MIB
    return _resident_peak_mib() - before


def step_of(work: Work, common: Ground) -> Callable[[], Any]:
    """The step alone, with nothing built that it does not need."""
    name, way = work
    if way == OURS:
        return our_encoder_works(common)[work]
    if way == THEIRS:
        return package_works(common, channels_last=False)[work]
    if way == STATIC:
        return static_step(common, static_network(common, name))
    supernet = elastic_supernet(common)
    fitter = Fitter(supernet.network, common.config, common.place)
    return elastic_step(common, supernet, fitter, common.sandwiches.get(name, [name]))


def _resident_peak_mib() -> float:
    status = Path("/proc/self/status")
    if not status.is_file():
        raise UsageError("This system does not say how much memory a process took.", fix="Run it on Linux.")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Prints the memory of one work as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("way")
    parser.add_argument("setting", type=json.loads)
    arguments = parser.parse_args()
    peak = measured(Work(arguments.network, arguments.way), Setting(**arguments.setting))
    print(json.dumps({"peak_mib": round(peak, 1)}))


if __name__ == "__main__":
    main()
