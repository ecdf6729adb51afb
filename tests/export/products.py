"""Exported networks of space nano with random weights, and ways to spoil them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mosegedge.data import SegmentationSet, cached
from mosegedge.data.scenes import SceneSet
from mosegedge.devices import Device
from mosegedge.export.build import open_builder
from mosegedge.export.bundle import Bundle, Prediction
from mosegedge.export.inherit import export_inherited
from mosegedge.files import sha256_of_file
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

SPACE = SearchSpace.load("nano:96x192:19")
PREDICTED = Prediction(profile="local/nano-fp32", statistic="quantile10", latency_ms=2.5, sd_ms=0.1)
TRAIN, GUIDE, VAL = (cached(SceneSet(*part)) for part in (("train", 16), ("guide", 2), ("val", 3)))


@cache
def supernet_of(seed: int) -> Supernet:
    """Random shared weights."""
    return Supernet(SPACE, torch.Generator().manual_seed(seed))


def make_bundle(
    folder: Path,
    *,
    architecture: Architecture | None = None,
    opset: int = 17,
    predicted: Prediction | None = PREDICTED,
    seed: int = 0,
    device: Device | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Bundle:
    """Exports the smallest network, or another one; built by a device if one is given."""
    supernet = supernet_of(seed)
    path = folder.parent / f"supernet-{seed}.safetensors"
    save_supernet(path, supernet, SupernetInfo(space=SPACE, data="scenes", step=0, training={}))
    with open_builder(device, opset=opset, say=say) if device else nullcontext() as builder:
        return export_inherited(
            folder,
            architecture or SPACE.smallest,
            supernet=supernet,
            supernet_path=path,
            train=TRAIN,
            guide=GUIDE,
            opset=opset,
            predicted=predicted,
            target=builder,
        )


def pictures(name: str, split: str, root: Path | None) -> SegmentationSet:
    """In place of the whole data set, for tests of commands."""
    return {"train": TRAIN, "guide": GUIDE, "val": VAL}[split]


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes bundle.json."""
    manifest = json.loads((folder / "bundle.json").read_text())
    change(manifest)
    (folder / "bundle.json").write_text(json.dumps(manifest))


def seal(folder: Path) -> None:
    """Makes the digests those of the files as they are now, as someone would who wants to hide a change."""

    def digests(manifest: dict[str, Any]) -> None:
        manifest["files_sha256"] = {name: sha256_of_file(folder / name) for name in manifest["files_sha256"]}
        if manifest["artefact"]:
            manifest["artefact"]["sha256"] = manifest["files_sha256"][manifest["artefact"]["file"]]

    edit(folder, digests)
