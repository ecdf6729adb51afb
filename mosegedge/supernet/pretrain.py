"""Pretrains the encoder of a supernet on pictures by class, with the same sandwich and the same stages."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from mosegedge.data.batches import Batch
from mosegedge.data.classified import ClassFolders, ClassStream
from mosegedge.progress import Progress
from mosegedge.space import SearchSpace
from mosegedge.supernet.activation import networks_of_step
from mosegedge.supernet.checkpoint import PRETRAINED_FORMAT, write_tensors
from mosegedge.supernet.classifier import CLASSIFIER, ElasticClassifier, picture_size
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.importance import channel_groups
from mosegedge.supernet.loop import CHECKPOINT_STEPS, Loop
from mosegedge.supernet.place import Place
from mosegedge.supernet.sandwich import sandwich_losses, sort_due_channels
from mosegedge.supernet.schedule import PretrainConfig, learning_rate
from mosegedge.supernet.start import ENCODER, PRETRAINED_FILE
from mosegedge.supernet.state import STATE_FILE, Origin, restore, run_folder


def pretrain_encoder(
    space: SearchSpace,
    pictures: ClassFolders,
    output: Path,
    *,
    config: PretrainConfig,
    progress: Progress,
    recipe: str = "",
    place: Place | None = None,
    checkpoint_steps: int = CHECKPOINT_STEPS,
) -> Path:
    """Trains until `config.steps`, going on from the state in the output folder if there is one.

    Args:
        space: The search space; only its encoder matters.
        pictures: Training pictures.
        output: Run folder.
        config: The training.
        progress: Told about every step.
        recipe: Where the settings come from, for the header.
        place: Where it computes; this process and the CPU by default.
        checkpoint_steps: Steps between saved states; a kill loses at most as many.

    Returns:
        Path of the finished encoder, from which `train_supernet` and `retrain_network` can start.

    Raises:
        CheckpointError: The folder holds the state of another training.
        DataError: A file is no picture.
        TrainingError: The gradients are no longer finite.
        UsageError: Another training is at work in the folder, or the place cannot do what the settings want.
    """
    place = place or Place()
    place.require(config.precision)
    own, rank = place.ranks.require_even(config.batch_size), place.ranks.rank
    facts = {"pictures": len(pictures), "picture_classes": len(pictures.classes)}
    origin = Origin(
        space=space, data=pictures.name, classes=pictures.classes, config=config, facts=facts, recipe=recipe
    )
    with run_folder(output, place.ranks):
        generator = torch.Generator().manual_seed(config.seed)
        model = ElasticClassifier(space, len(pictures.classes), generator, place.ranks).train()
        model = place.hold(model, channels_last=config.channels_last)
        fitter = Fitter(model.network, config, place)
        step = restore(output / STATE_FILE, fitter, origin, model.network.load_state_dict)
        stream = ClassStream(
            pictures,
            size=config.crop,
            batch_size=config.batch_size,
            seed=config.seed,
            start_step=step,
            rows=slice(rank * own, (rank + 1) * own),
        )
        loop = Loop(fitter=fitter, origin=origin, folder=output, progress=progress, checkpoint_steps=checkpoint_steps)
        loop.run(step, stream, lambda batch: _step(model, fitter, batch, config))
        fitter.adopt_average()
        finished = output / PRETRAINED_FILE
        if place.ranks.first:
            write_tensors(finished, dict(model.network.state_dict()), PRETRAINED_FORMAT, origin.info(config.steps))
        place.ranks.wait()
    return finished


def _step(model: ElasticClassifier, fitter: Fitter, batch: Batch, config: PretrainConfig) -> dict[str, float]:
    """One optimiser step over all networks of the step; returns the loss of the first and of the last of them."""
    sort_due_channels(model.network, fitter, channel_groups(ENCODER, {4: (CLASSIFIER,)}), config, batch.step)
    networks = networks_of_step(config, model.space, batch.step)
    size = picture_size(model.space, networks[0], config.crop)
    pictures = fitter.place.put(batch.images)
    pictures = F.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=True)
    if config.channels_last:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    labels = fitter.place.put(batch.masks)
    fitter.begin(batch.step)
    losses = sandwich_losses(
        networks,
        lambda network: (model(pictures, network),),
        lambda outputs: F.cross_entropy(outputs[0], labels, label_smoothing=config.label_smoothing),
        fitter,
        config,
    )
    fitter.finish(batch.step)
    return losses | {"learning_rate": learning_rate(config, batch.step)}
