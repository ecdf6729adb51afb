"""Trains a supernet: sandwich rule, distillation from the largest network, exact resume.

A step trains the largest network, some random ones and the smallest on one batch at one input scale; all but the
largest also learn from its soft labels. The run folder holds the training state, the finished weights and the log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mosegedge.data.batches import Batch, batches
from mosegedge.data.dataset import SegmentationSet
from mosegedge.errors import UsageError
from mosegedge.progress import Progress
from mosegedge.space import SearchSpace
from mosegedge.supernet.activation import networks_of_step
from mosegedge.supernet.checkpoint import SUPERNET_FILE, load_weights, save_supernet
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.importance import channel_groups
from mosegedge.supernet.loop import CHECKPOINT_STEPS, Loop
from mosegedge.supernet.loss import PixelLoss, class_weights, resize_labels, segmentation_loss
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.place import Place
from mosegedge.supernet.sandwich import sandwich_losses, sort_due_channels
from mosegedge.supernet.schedule import PixelConfig, TrainConfig, learning_rate
from mosegedge.supernet.start import StartWeights
from mosegedge.supernet.state import STATE_FILE, Origin, restore, run_folder

_ENCODER, _DECODER = "subnet.encoder.", "subnet.decoder."


def train_supernet(
    space: SearchSpace,
    dataset: SegmentationSet,
    output: Path,
    *,
    config: TrainConfig,
    progress: Progress,
    recipe: str = "",
    start: StartWeights | None = None,
    place: Place | None = None,
    checkpoint_steps: int = CHECKPOINT_STEPS,
) -> Path:
    """Trains until `config.steps`, going on from the state in the output folder if there is one.

    Args:
        space: The search space; its crop is the size of the training pictures.
        dataset: Training pictures.
        output: Run folder.
        config: The training.
        progress: Told about every step.
        recipe: Where the settings come from, for the header.
        start: Weights to start from, as a pretrained encoder; random ones by default.
        place: Where it computes; this process and the CPU by default.
        checkpoint_steps: Steps between saved states; a kill loses at most as many.

    Returns:
        Path of the finished weights.

    Raises:
        CheckpointError: The folder holds the state of another training.
        TrainingError: The gradients are no longer finite.
        UsageError: Another training is at work in the folder, or the place cannot do what the settings want.
    """
    place = place or Place()
    place.require(config.precision)
    place.ranks.require_even(config.batch_size)
    require_classes(space, dataset)
    facts: dict[str, Any] = {start.kind: start.sha256} if start else {}
    origin = Origin(space=space, data=dataset.name, classes=dataset.classes, config=config, facts=facts, recipe=recipe)
    with run_folder(output, place.ranks):
        supernet = Supernet(space, torch.Generator().manual_seed(config.seed), place.ranks).train()
        if start:
            start.copy_into(supernet.network)
        supernet = place.hold(supernet, channels_last=config.channels_last)
        fitter = Fitter(supernet.network, config, place)
        state = output / STATE_FILE
        step = restore(state, fitter, origin, lambda tensors: load_weights(supernet, tensors, state))
        pixel_loss = pixel_loss_of(config, dataset, place)
        stream = batches(
            dataset, crop=space.preset.crop, batch_size=config.batch_size, seed=config.seed, start_step=step
        )
        loop = Loop(fitter=fitter, origin=origin, folder=output, progress=progress, checkpoint_steps=checkpoint_steps)
        loop.run(step, stream, lambda batch: _step(supernet, fitter, batch, pixel_loss, config))
        fitter.adopt_average()
        finished = output / SUPERNET_FILE
        if place.ranks.first:
            save_supernet(finished, supernet, origin.info(config.steps))
        place.ranks.wait()
    return finished


def _step(
    supernet: Supernet, fitter: Fitter, batch: Batch, pixel_loss: PixelLoss, config: TrainConfig
) -> dict[str, float]:
    """One optimiser step over all networks of the step; returns the loss of the first and of the last of them."""
    groups = channel_groups(_ENCODER, decoder_readers(supernet.space))
    sort_due_channels(supernet.network, fitter, groups, config, batch.step)
    networks = networks_of_step(config, supernet.space, batch.step)
    pictures, labels = resized(batch, supernet.space.input_size(networks[0]), config, fitter.place)
    fitter.begin(batch.step)
    losses = sandwich_losses(
        networks,
        lambda network: supernet(pictures, network),
        lambda outputs: segmentation_loss(outputs, labels, pixel_loss, config.auxiliary),
        fitter,
        config,
    )
    fitter.finish(batch.step)
    return losses | {"learning_rate": learning_rate(config, batch.step)}


def decoder_readers(space: SearchSpace) -> dict[int, tuple[str, ...]]:
    """Kernels of the decoder that read the output of a stage."""
    return {
        2: () if space.preset.decoder.spatial else (f"{_DECODER}detail.0.conv.weight",),
        3: (f"{_DECODER}refine16.conv.conv.weight",),
        4: (f"{_DECODER}refine32.conv.conv.weight", f"{_DECODER}tail.conv.weight"),
    }


def require_classes(space: SearchSpace, dataset: SegmentationSet) -> None:
    """Raises UsageError where a space and a data set have different numbers of classes."""
    if space.classes != len(dataset.classes):
        raise UsageError(
            f"{dataset.name} has {len(dataset.classes)} classes, the space {space.name} has {space.classes}.",
            fix=f"Name the preset alone, and crop and classes follow from the data: --space {space.preset.name}",
        )


def pixel_loss_of(config: PixelConfig, dataset: SegmentationSet, place: Place) -> PixelLoss:
    """The loss of a pixel that the settings name."""
    bounded = config.class_weights == "bounded"
    weights = class_weights(dataset) if bounded else torch.ones(len(dataset.classes))
    return PixelLoss(
        weights=place.put(weights), threshold=config.ohem_threshold, least=config.ohem_least, ranks=place.ranks
    )


def resized(batch: Batch, size: tuple[int, int], config: PixelConfig, place: Place) -> tuple[Tensor, Tensor]:
    """This process's pictures and labels of a batch, at an input size."""
    pictures = place.rows(batch.images)
    pictures = F.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=True)
    if config.channels_last:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    return pictures, resize_labels(place.rows(batch.masks), size)
