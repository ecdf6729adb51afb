"""Trains and scores the networks of `benchmarks.camvid`, all in one way; what is finished is not done again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.camvid_networks import Contender
from benchmarks.camvid_record import Counts
from mosegedge.data import SegmentationSet
from mosegedge.data.prepared import PictureCache
from mosegedge.errors import UsageError
from mosegedge.files import write_atomic
from mosegedge.networks.weights import build_with_weights
from mosegedge.progress import Progress
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.checkpoint import read_tensors, supernet_info, write_tensors
from mosegedge.supernet.evaluate import confusion_of
from mosegedge.supernet.loop import CHECKPOINT_STEPS
from mosegedge.supernet.network import NETWORK_FILE, load_network
from mosegedge.supernet.place import Place
from mosegedge.supernet.retrain import fit_network, retrain_network
from mosegedge.supernet.schedule import RetrainConfig
from mosegedge.supernet.start import StartWeights, read_supernet
from mosegedge.supernet.state import Origin, run_folder

SCORE = "score.json"
_FORMAT = "mosegedge-bisenet-1"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that decides the comparison, and the folder of what is done of it.

    Attributes:
        space: Of the networks.
        train: Training pictures, without those that led the search.
        guide: Those that led the search, from the drives of `train`.
        val: Pictures that nothing was chosen by.
        output: Run folder.
        config: How every network is trained; with one seed of several.
        recipe: Where that comes from.
        checkpoint_steps: Steps between saved states of a training.
        start: Weights that networks of the space inherit; None where all start from random ones.
        supernet_steps: Steps that those took; a network that inherits nothing trains for so many more.
    """

    space: SearchSpace
    train: SegmentationSet
    guide: SegmentationSet
    val: SegmentationSet
    output: Path
    config: RetrainConfig
    recipe: str
    checkpoint_steps: int = CHECKPOINT_STEPS
    start: StartWeights | None = None
    supernet_steps: int = 0

    def folder(self, one: Contender) -> Path:
        """Run folder of a network's training."""
        return self.output / f"{one.name}-seed{self.config.seed}"

    def config_of(self, one: Contender) -> RetrainConfig:
        """How a network is trained: longer by the steps of the supernet where others inherit and it cannot."""
        return self.config if one.code else replace(self.config, steps=self.config.steps + self.supernet_steps)

    def inheriting(self, supernet: Path) -> Comparison:
        """The same with weights from a supernet.

        Raises:
            CheckpointError: The file is missing or damaged, or of another space.
        """
        start = read_supernet(supernet, self.space)
        return replace(self, start=start, supernet_steps=supernet_info(supernet).step)

    def of_seed(self, seed: int) -> Comparison:
        """The same with another seed."""
        return replace(self, config=replace(self.config, seed=seed))


def scored(comparison: Comparison, one: Contender, bar: Progress) -> Counts:
    """Trains and scores a network, unless that is done.

    Returns:
        Confusion matrix of each picture of `val`, P x K x K.

    Raises:
        UsageError: It was trained with other settings.
    """
    path = comparison.folder(one) / SCORE
    settings = {
        "network": one.identity,
        "data": comparison.train.name,
        "space": comparison.space.digest,
        "supernet": comparison.start.sha256 if comparison.start and one.code else None,
        **asdict(comparison.config_of(one)),
    }
    if path.exists():
        found = json.loads(path.read_text())
        for name, value in settings.items():
            if found.get(name) != value:
                raise UsageError(
                    f"{path.parent} was trained with another {name}: {found.get(name)}.",
                    fix="Repeat its settings, or choose another --output.",
                )
        return np.array(found["counts"], np.int64)
    bar.say(f"{one.name}: {one.title}")
    _fit(comparison, one, bar)
    network, val = trained(comparison, one), comparison.val
    with_pictures = (PictureCache(val, (index,)) for index in range(len(val)))
    counts = np.stack([confusion_of(network, picture, one.size).counts for picture in with_pictures])
    write_atomic(path, json.dumps({**settings, "counts": counts.tolist()}, separators=(",", ":")) + "\n")
    return counts


def _fit(comparison: Comparison, one: Contender, bar: Progress) -> None:
    """Trains a network, going on from its last checkpoint."""
    folder, config, space, place = comparison.folder(one), comparison.config_of(one), comparison.space, Place()
    often = comparison.checkpoint_steps
    if one.code:
        retrain_network(
            space,
            Architecture.parse(one.code),
            comparison.train,
            folder,
            config=config,
            progress=bar,
            recipe=comparison.recipe,
            start=comparison.start,
            checkpoint_steps=often,
        )
        return
    facts = {"network": one.identity}
    train = comparison.train
    origin = Origin(
        space=space, data=train.name, classes=train.classes, config=config, facts=facts, recipe=comparison.recipe
    )
    with run_folder(folder, place.ranks):
        generator = torch.Generator().manual_seed(config.seed)
        network = build_with_weights(lambda: one.in_training(space), generator).train()
        fit_network(
            network,
            comparison.train,
            folder,
            size=one.size,
            origin=origin,
            config=config,
            progress=bar,
            place=place,
            checkpoint_steps=often,
        )
        write_tensors(folder / NETWORK_FILE, dict(network.subnet.state_dict()), _FORMAT, origin.info(config.steps))


def trained(comparison: Comparison, one: Contender) -> nn.Module:
    """A finished network, in evaluation mode."""
    path = comparison.folder(one) / NETWORK_FILE
    if one.code:
        return load_network(path).subnet
    tensors, _ = read_tensors(path, _FORMAT)
    with torch.device("meta"):
        network = one.deployed(comparison.space)
    network.load_state_dict(tensors, assign=True)
    return network.eval()
