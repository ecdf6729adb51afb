"""Trains a supernet: sandwich rule, distillation from the largest network, exact resume.

A step trains the largest network, some random ones and the smallest on one batch at one input scale; all but the
largest also learn from its soft labels. The run folder holds the training state, the finished weights and the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import SGD
from torch.utils.tensorboard import SummaryWriter

from mosegedge.data.batches import Batch, batches
from mosegedge.data.dataset import SegmentationSet
from mosegedge.errors import CheckpointError, TrainingError
from mosegedge.files import exclusive
from mosegedge.progress import Progress
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import (
    SUPERNET_FILE,
    SupernetInfo,
    load_weights,
    read_tensors,
    save_supernet,
    write_tensors,
)
from mosegedge.supernet.loss import class_weights, distillation_loss, resize_labels, segmentation_loss
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.schedule import TrainConfig, learning_rate, networks_of_step

STATE_FILE = "training.safetensors"
_STATE_FORMAT = "mosegedge-training-1"
_MOMENTUM = "momentum."


def train_supernet(
    space: SearchSpace,
    dataset: SegmentationSet,
    output: Path,
    *,
    config: TrainConfig,
    progress: Progress,
    checkpoint_steps: int = 50,
) -> Path:
    """Trains until `config.steps`, going on from the state in the output folder if there is one.

    Args:
        space: The search space; its crop is the size of the training pictures.
        dataset: Training pictures.
        output: Run folder.
        config: The training.
        progress: Told about every step.
        checkpoint_steps: Steps between saved states; a kill loses at most as many.

    Returns:
        Path of the finished weights.

    Raises:
        CheckpointError: The folder holds the state of another training.
        TrainingError: The gradients are no longer finite.
        UsageError: Another training is at work in the folder.
    """
    with exclusive(output, "training"):
        return _train(space, dataset, output, config, progress, checkpoint_steps)


def _train(
    space: SearchSpace,
    dataset: SegmentationSet,
    output: Path,
    config: TrainConfig,
    progress: Progress,
    checkpoint_steps: int,
) -> Path:
    supernet = Supernet(space, torch.Generator().manual_seed(config.seed)).train()
    # A quarter faster on a CPU. The stubs do not know this overload.
    supernet = supernet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = SGD(_parameter_groups(supernet, config), lr=config.learning_rate, momentum=config.momentum)
    start = _restore(supernet, optimizer, output / STATE_FILE, dataset, config)
    weights = class_weights(dataset)
    progress.start("training", config.steps, start)
    stream = batches(dataset, crop=space.preset.crop, batch_size=config.batch_size, seed=config.seed, start_step=start)
    with _tensorboard(output / "tensorboard", start) as log, stream:
        for step in range(start, config.steps):
            losses = _step(supernet, optimizer, next(stream), weights, config)
            for name, value in losses.items():
                log.add_scalar(f"loss/{name}", value, step)
            progress.advance(note=f"loss {losses['largest']:.3f}")
            # Never in the middle of a step, also not at Ctrl-C: going on from there would not be exact.
            if (step + 1) % checkpoint_steps == 0 or step + 1 == config.steps:
                _save_state(supernet, optimizer, output / STATE_FILE, dataset, config, step + 1)
    finished = output / SUPERNET_FILE
    save_supernet(finished, supernet, _info(space, dataset, config, config.steps))
    return finished


def _step(supernet: Supernet, optimizer: SGD, batch: Batch, weights: Tensor, config: TrainConfig) -> dict[str, float]:
    """One optimiser step over all networks of the step; returns the loss of the first and of the last of them."""
    networks = networks_of_step(config, supernet.space, batch.step)
    size = supernet.space.input_size(networks[0])
    pictures = F.interpolate(batch.images, size=size, mode="bilinear", align_corners=False, antialias=True)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    labels = resize_labels(batch.masks, size)
    optimizer.zero_grad()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(config, batch.step)
    losses, teacher = [], None
    for network in networks:
        outputs = supernet(pictures, network)
        loss = segmentation_loss(outputs, labels, weights, config.auxiliary)
        losses.append(float(loss.detach()))
        if teacher is None:
            teacher = outputs[0].detach()
        else:
            loss = loss + config.distillation * distillation_loss(outputs[0], teacher)
        (loss / len(networks)).backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(supernet.parameters(), config.gradient_norm)
    if not norm.isfinite():
        raise TrainingError(
            f"The training diverged at step {batch.step}: the norm of the gradients is {norm.item()}.",
            known=f"The learning rate there is {learning_rate(config, batch.step):.4g}.",
            fix="Start again with a smaller --learning-rate and another --output.",
        )
    optimizer.step()
    return {"largest": losses[0], "smallest": losses[-1], "learning_rate": learning_rate(config, batch.step)}


def _parameter_groups(supernet: Supernet, config: TrainConfig) -> list[dict[str, object]]:
    """Decay is for convolution weights alone; it would pull norms and biases to zero."""
    kernels = [parameter for parameter in supernet.parameters() if parameter.dim() == 4]
    others = [parameter for parameter in supernet.parameters() if parameter.dim() != 4]
    return [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _info(space: SearchSpace, dataset: SegmentationSet, config: TrainConfig, step: int) -> SupernetInfo:
    return SupernetInfo(space=space, data=dataset.name, step=step, training=asdict(config))


def _save_state(
    supernet: Supernet, optimizer: SGD, path: Path, dataset: SegmentationSet, config: TrainConfig, step: int
) -> None:
    tensors = dict(supernet.network.state_dict())
    for name, parameter in supernet.network.named_parameters():
        if "momentum_buffer" in optimizer.state[parameter]:
            tensors[_MOMENTUM + name] = optimizer.state[parameter]["momentum_buffer"]
    write_tensors(path, tensors, _STATE_FORMAT, _info(supernet.space, dataset, config, step))


def _restore(supernet: Supernet, optimizer: SGD, path: Path, dataset: SegmentationSet, config: TrainConfig) -> int:
    """Loads weights and momentum of an earlier run; returns the step to go on from."""
    if not path.exists():
        return 0
    tensors, info = read_tensors(path, _STATE_FORMAT)
    before = info.training | {"space": info.space.name, "data": info.data, "digest": info.space.digest}
    now = asdict(config) | {
        "space": supernet.space.name,
        "data": dataset.name,
        "digest": supernet.space.digest,
    }
    changed = [name for name, value in now.items() if before.get(name) != value]
    if changed:
        raise CheckpointError(
            f"{path.parent} holds another training: its {changed[0]} was {before.get(changed[0])}.",
            known=f"It stands at step {info.step}.",
            fix="Repeat its settings to go on with it, or choose another --output.",
        )
    load_weights(supernet, {n: t for n, t in tensors.items() if not n.startswith(_MOMENTUM)}, path)
    for name, parameter in supernet.network.named_parameters():
        if _MOMENTUM + name in tensors:
            optimizer.state[parameter]["momentum_buffer"] = tensors[_MOMENTUM + name]
    return info.step


@contextmanager
def _tensorboard(folder: Path, start: int) -> Iterator[SummaryWriter]:
    writer = SummaryWriter(str(folder), purge_step=start)
    try:
        yield writer
    finally:
        writer.close()
