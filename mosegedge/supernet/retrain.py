"""Trains one network after the search, from inherited weights or from random ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mosegedge.data.batches import Batch, batches
from mosegedge.data.dataset import SegmentationSet
from mosegedge.networks.training import TrainingNetwork
from mosegedge.networks.weights import build_with_weights
from mosegedge.progress import Progress
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.loop import CHECKPOINT_STEPS, Loop
from mosegedge.supernet.loss import PixelLoss, segmentation_loss
from mosegedge.supernet.network import CODE, NETWORK_FILE, save_network
from mosegedge.supernet.place import Place
from mosegedge.supernet.ranks import with_common_norms
from mosegedge.supernet.schedule import RetrainConfig, learning_rate
from mosegedge.supernet.start import StartWeights
from mosegedge.supernet.state import STATE_FILE, Origin, restore, run_folder
from mosegedge.supernet.train import pixel_loss_of, require_classes, resized

_Forward = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


def retrain_network(
    space: SearchSpace,
    architecture: Architecture,
    dataset: SegmentationSet,
    output: Path,
    *,
    config: RetrainConfig,
    progress: Progress,
    recipe: str = "",
    start: StartWeights | None = None,
    place: Place | None = None,
    checkpoint_steps: int = CHECKPOINT_STEPS,
) -> Path:
    """Trains one network at its own input scale, going on from the state in the output folder if there is one.

    Args:
        space: The search space.
        architecture: The network.
        dataset: Training pictures.
        output: Run folder.
        config: The training.
        progress: Told about every step.
        recipe: Where the settings come from, for the header.
        start: Weights that it inherits; random ones by default.
        place: Where it computes; this process and the CPU by default.
        checkpoint_steps: Steps between saved states; a kill loses at most as many.

    Returns:
        Path of the finished network, which `mosegedge export` takes; the auxiliary heads are not in it.

    Raises:
        CheckpointError: The folder holds the state of another training.
        TrainingError: The gradients are no longer finite.
        UsageError: Another training is at work in the folder, or the place cannot do what the settings want.
    """
    place = place or Place()
    place.require(config.precision)
    place.ranks.require_even(config.batch_size)
    require_classes(space, dataset)
    facts = {CODE: str(architecture)} | ({start.kind: start.sha256} if start else {})
    origin = Origin(space=space, data=dataset.name, classes=dataset.classes, config=config, facts=facts, recipe=recipe)
    with run_folder(output, place.ranks):
        generator = torch.Generator().manual_seed(config.seed)
        network = build_with_weights(lambda: TrainingNetwork(space, architecture), generator).train()
        if start:
            start.copy_into(network)
        fit_network(
            network,
            dataset,
            output,
            size=space.input_size(architecture),
            origin=origin,
            config=config,
            progress=progress,
            place=place,
            checkpoint_steps=checkpoint_steps,
        )
        finished = output / NETWORK_FILE
        if place.ranks.first:
            save_network(finished, network.subnet, origin.info(config.steps))
        place.ranks.wait()
    return finished


def fit_network(
    network: nn.Module,
    dataset: SegmentationSet,
    output: Path,
    *,
    size: tuple[int, int],
    origin: Origin,
    config: RetrainConfig,
    progress: Progress,
    place: Place,
    checkpoint_steps: int = CHECKPOINT_STEPS,
) -> None:
    """Trains any network on labelled pixels, going on from the state in the run folder if there is one.

    Args:
        network: In training mode; from N x 3 x H x W to logits at full size and those of two auxiliary heads at the
            size of their features. Trained in place.
        dataset: Training pictures.
        output: Run folder, which the caller holds.
        size: Height and width of the pictures that it takes.
        origin: What decides the training; its facts name the network.
        config: The training.
        progress: Told about every step.
        place: Where it computes.
        checkpoint_steps: Steps between saved states; a kill loses at most as many.

    Raises:
        CheckpointError: The folder holds the state of another training.
        TrainingError: The gradients are no longer finite.
    """
    with_common_norms(network, place.ranks)
    network = place.hold(network, channels_last=config.channels_last)
    fitter = Fitter(network, config, place)
    step = restore(output / STATE_FILE, fitter, origin, network.load_state_dict)
    pixel_loss = pixel_loss_of(config, dataset, place)
    forward: _Forward = torch.compile(network) if config.compile else network
    stream = batches(dataset, crop=size, batch_size=config.batch_size, seed=config.seed, start_step=step)
    loop = Loop(fitter=fitter, origin=origin, folder=output, progress=progress, checkpoint_steps=checkpoint_steps)
    loop.run(step, stream, lambda batch: _step(forward, fitter, batch, pixel_loss, config))
    fitter.adopt_average()


def _step(
    forward: _Forward, fitter: Fitter, batch: Batch, pixel_loss: PixelLoss, config: RetrainConfig
) -> dict[str, float]:
    """One optimiser step; returns the loss over all processes."""
    size = (batch.images.shape[2], batch.images.shape[3])
    pictures, labels = resized(batch, size, config, fitter.place)
    fitter.begin(batch.step)
    with fitter.place.autocast(config.precision):
        logits, half, quarter = forward(pictures)
    outputs = (logits.float(), half.float(), quarter.float())
    loss = segmentation_loss(outputs, labels, pixel_loss, config.auxiliary)
    fitter.backward(loss)
    fitter.finish(batch.step)
    ranks = fitter.place.ranks
    mean = float(ranks.total(loss.detach())) / ranks.count
    return {"network": mean, "learning_rate": learning_rate(config, batch.step)}
