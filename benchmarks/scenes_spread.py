"""Are the scenes hard enough to rank networks? Trains the smallest and the largest one alone, equally long.

Example: python -m benchmarks.scenes_spread --steps 250 --seeds 2
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch.nn import functional as F
from torch.optim import SGD

from mosegedge.cli.bars import LineProgress
from mosegedge.data import SegmentationSet, cached, load
from mosegedge.data.batches import batches
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.loss import PixelLoss, class_weights, resize_labels, segmentation_loss
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.schedule import TrainConfig, learning_rate


def main() -> None:
    """Prints mIoU of every training, and the distance of the two networks in standard deviations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--guide-pictures", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space, train, guide = SearchSpace.load(arguments.space), cached(load("scenes", "train")), load("scenes", "guide")
    scores: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        for name, network in (("smallest", space.smallest), ("largest", space.largest)):
            supernet = trained_alone(space, network, train, TrainConfig(steps=arguments.steps, seed=seed))
            evaluator = InheritedEvaluator(supernet, train, guide, guide_pictures=arguments.guide_pictures)
            scores.setdefault(name, []).append(evaluator(network))
            print(f"{name:10}seed {seed}  mIoU {scores[name][-1]:.4f}", flush=True)
    spread = np.mean(scores["largest"]) - np.mean(scores["smallest"])
    noise = np.sqrt(np.mean([np.var(values, ddof=1) for values in scores.values()])) if arguments.seeds > 1 else np.nan
    print(f"spread {spread:.4f}, standard deviation between seeds {noise:.4f}")


def trained_alone(space: SearchSpace, network: Architecture, train: SegmentationSet, config: TrainConfig) -> Supernet:
    """A supernet of which only one network was trained; its slice is what training it alone gives."""
    supernet = Supernet(space, torch.Generator().manual_seed(config.seed)).train()
    optimizer = SGD(supernet.parameters(), lr=config.learning_rate, momentum=config.momentum)
    pixel_loss = PixelLoss(weights=class_weights(train))
    size, progress = space.input_size(network), LineProgress()
    progress.start(f"training {network.slug}", config.steps)
    with batches(train, crop=space.preset.crop, batch_size=config.batch_size, seed=config.seed) as stream:
        for batch in stream:
            if batch.step == config.steps:
                break
            pictures = F.interpolate(batch.images, size=size, mode="bilinear", align_corners=False, antialias=True)
            pictures = pictures.contiguous(memory_format=torch.channels_last)
            optimizer.param_groups[0]["lr"] = learning_rate(config, batch.step)
            optimizer.zero_grad()
            labels = resize_labels(batch.masks, size)
            loss = segmentation_loss(supernet(pictures, network), labels, pixel_loss, config.auxiliary)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(supernet.parameters(), config.gradient_norm)
            optimizer.step()
            progress.advance(note=f"loss {loss.item():.3f}")
    return supernet


if __name__ == "__main__":
    main()
