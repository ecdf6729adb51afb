"""How long it takes to evaluate a network with inherited weights, beside the forward passes alone that this needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.interleaved import Work
from benchmarks.training_steps import LARGEST, SMALLEST
from mosegedge.data.dataset import SPLITS, Sample, Split, check_index
from mosegedge.data.prepared import PictureCache
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.model import Supernet

EVALUATION, PASSES = "evaluation", "passes alone"
_BLOCK = 20  # pixels of equal label in a row, as labels of photographs lie together


class DrawnSet:
    """Noise with labels in blocks, at a size.

    Args:
        split: Which part of a data set it stands for.
        count: Number of pictures.
        classes: Number of classes.
        size: Height and width of pictures and labels.
    """

    name: str = "noise"
    palette: ClassVar[NDArray[np.uint8]] = np.zeros((256, 3), np.uint8)

    def __init__(self, split: Split, count: int, classes: int, size: tuple[int, int]) -> None:
        self.split: Split = split
        self.classes = tuple(f"class {number}" for number in range(classes))
        self.label_size: tuple[int, int] | None = size
        self._count, self._size = count, size

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> Sample:
        """The picture with an index, always the same."""
        rng, (height, width) = np.random.default_rng(check_index(self, index)), self._size
        blocks = rng.integers(len(self.classes), size=(-(-height // _BLOCK), -(-width // _BLOCK)), dtype=np.uint8)
        mask = blocks.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[:height, :width].copy()
        return Sample(rng.integers(256, size=(height, width, 3), dtype=np.uint8), mask)


def evaluation_works(
    space: SearchSpace, device: torch.device, *, networks: int, pictures: int, label_size: tuple[int, int], seed: int
) -> dict[Work, Callable[[], object]]:
    """The evaluation of networks, each at its own input scale, and their passes.

    Args:
        space: The search space.
        device: Where they run.
        networks: How many are drawn, beside the largest and the smallest.
        pictures: How many batch-norm statistics are re-estimated on, and as many others give the score.
        label_size: Height and width of pictures and labels.
        seed: Decides networks and weights.
    """
    drawn = space.decode(space.sample(networks, np.random.default_rng(seed)))
    codes = {LARGEST: space.largest, SMALLEST: space.smallest}
    codes |= {f"random {number}": code for number, code in enumerate(drawn, start=1)}
    train, guide = (DrawnSet(split, pictures, space.classes, label_size) for split in SPLITS[:2])
    supernet = Supernet(space, torch.Generator().manual_seed(seed))
    evaluator = InheritedEvaluator(supernet, train, guide, statistics_pictures=pictures, device=device)
    held = [PictureCache(part, tuple(range(pictures))) for part in (train, guide)]
    works: dict[Work, Callable[[], object]] = {}
    for name, code in codes.items():
        works[Work(name, EVALUATION)] = _evaluation(evaluator, code)
        batches = ([batch.to(device) for batch in part.batches(space.input_size(code))] for part in held)
        works[Work(name, PASSES)] = _passes(evaluator.subnet(code), *batches)
    return works


def _evaluation(evaluator: InheritedEvaluator, code: Architecture) -> Callable[[], float]:
    return lambda: evaluator(code)


def _passes(subnet: SubNet, statistics: list[Tensor], guide: list[Tensor]) -> Callable[[], None]:
    """The same network on the same batches: in training mode for the statistics, in evaluation mode for the score."""

    def run() -> None:
        with torch.no_grad():
            subnet.train()
            for batch in statistics:
                subnet(batch)
            subnet.eval()
            for batch in guide:
                subnet(batch)

    return run
