"""A project folder to search in: a random supernet and a made-up profile of one scale."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import torch

from mosegedge.profiling.fit import SUM
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import (
    DeviceSection,
    LayerEntry,
    ModelSection,
    ProtocolSection,
    RepeatabilitySection,
    SpaceReference,
)
from mosegedge.profiling.store import Series, save_profile
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

SPACE = SearchSpace.load("nano:96x192:19")
SMALL = [
    "--initial", "5", "--generations", "1", "--evaluations", "2", "--inner-generations", "2",
    "--guide-pictures", "2", "--statistics-pictures", "8", "--chosen", "2",
]  # fmt: skip
FILES = ["--profile", "board/nano-96x192-19-fp32", "--supernet", "supernet.safetensors", "--output", "run"]


def made_in(folder: Path) -> Path:
    """The folder, with both in it."""
    info = SupernetInfo(space=SPACE, data="scenes", step=0, training={})
    save_supernet(folder / "supernet.safetensors", Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    save_profile(made_up_profile(), Series(folder / "profiles" / "board" / "nano-96x192-19-fp32"))
    return folder


def made_up_profile() -> Profile:
    """A profile that covers scale 0 by a law of multiply-adds."""
    timing = {"n": 2, "grade": "A", "reason": "quiet", "se_ms": 0.0}
    costs = {spec.key: flops / 1e7 + 0.02 for spec, flops in zip(SPACE.entries, SPACE.entry_flops, strict=True)}
    return Profile(
        version=1, parent=None, origin="measured", created=datetime(2026, 1, 2, tzinfo=UTC), mosegedge="0.1.0",
        command="made up",
        space=SpaceReference(name=SPACE.name, slug=SPACE.slug, digest=SPACE.digest),
        device=DeviceSection(name="board", backend="none", hardware={}, system={}, vendor={}, settings={},
                             conditions=[]),
        protocol=ProtocolSection(
            scales=[0], statistic="median", passes=1, bursts=1, warmup="1", samples="2", stopping="1", clock="host",
            threads=1, precision="fp32", opset=17, seed=0, restarts=0,
        ),
        entries=[LayerEntry(key=key, value_ms=ms, median_ms=ms, p95_ms=ms, **timing) for key, ms in costs.items()],
        networks=[], failed=[], notes=[],
        model=ModelSection(
            method="both", coefficients={SUM: 1.0}, constants_ms={"0": 0.3}, additivity_sd=0.0, constant_sd_ms=0.0,
            network_sd=0.05,
        ),
        certificate=None,
        repeatability=RepeatabilitySection(networks_kendall_tau=0.9, networks_mape=0.1, layers_mape=0.1, drift=0.0),
    )  # fmt: skip
