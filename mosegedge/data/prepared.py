"""Pictures of a data set ready for a network, kept in memory as far as there is room for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mosegedge.data.dataset import Sample, SegmentationSet
from mosegedge.data.parallel import in_order, spare_cores
from mosegedge.data.room import Room, usual_bytes
from mosegedge.data.transforms import to_batch

Masks = NDArray[np.uint8]

BATCH = 8
"""Pictures that a search evaluates at once."""

_AHEAD = 2


@dataclass(frozen=True, eq=False)
class Prepared:
    """A batch for an evaluation.

    Attributes:
        pictures: N x 3 x height x width, normalised, at the input size of a network.
        masks: Labels of each, H x W at label size.
    """

    pictures: Tensor
    masks: tuple[Masks, ...]


class PictureCache:
    """Pictures of one data set in batches of eight, at every input size that is asked for.

    Decoded pictures are kept first, and prepared ones as well while there is room; the others are read and prepared
    again each time, by several threads. What comes out is the same.

    Args:
        dataset: Where they come from.
        indices: Which of its pictures; each is read once here, so that a damaged file is known before anything else.
        room: Memory for them, which may be shared; by default `usual_bytes` of its own.
    """

    def __init__(self, dataset: SegmentationSet, indices: tuple[int, ...], room: Room | None = None) -> None:
        self.dataset = dataset
        self._indices = indices
        self._room = room or Room(usual_bytes())
        self._samples: dict[int, Sample] = {}
        self._prepared: dict[tuple[tuple[int, int], int], Prepared] = {}
        for index, sample in zip(indices, in_order(dataset.read, indices, workers=spare_cores()), strict=True):
            if self._room.take(sample.image.nbytes + sample.mask.nbytes):
                self._samples[index] = sample

    def labelled(self, size: tuple[int, int]) -> Iterator[Prepared]:
        """Batches of eight pictures (the last of as many as are left) for one input size, with their labels."""
        starts = range(0, len(self._indices), BATCH)
        held = {start: self._prepared[size, start] for start in starts if (size, start) in self._prepared}
        absent = [index for start in starts if start not in held for index in self._indices[start : start + BATCH]]
        made = in_order(lambda index: self._make(index, size), absent, workers=spare_cores(), ahead=_AHEAD)
        for start in starts:
            yield held.get(start) or self._joined(size, start, made)

    def batches(self, size: tuple[int, int]) -> Iterator[Tensor]:
        """The pictures of `labelled` alone."""
        return (batch.pictures for batch in self.labelled(size))

    def _make(self, index: int, size: tuple[int, int]) -> Prepared:
        sample = self._samples.get(index) or self.dataset.read(index)
        return Prepared(to_batch([sample], size), (sample.mask,))

    def _joined(self, size: tuple[int, int], start: int, made: Iterator[Prepared]) -> Prepared:
        """A batch of single pictures; it is kept if it fits, with the labels that nobody keeps yet."""
        indices = self._indices[start : start + BATCH]
        singles = [next(made) for _ in indices]
        batch = Prepared(torch.cat([one.pictures for one in singles]), tuple(one.masks[0] for one in singles))
        masks = sum(mask.nbytes for index, mask in zip(indices, batch.masks, strict=True) if index not in self._samples)
        if self._room.take(batch.pictures.nbytes + masks):
            self._prepared[size, start] = batch
        return batch
