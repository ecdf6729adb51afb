"""Pictures no larger than training can use, small enough to stay in memory."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import Sample, SegmentationSet, Split

_ROOM = 3 << 30

_MOST_ZOOM = 2.0
"""The strongest zoom of a training view: at it, a picture of twice the crop is shown pixel by pixel."""


class Reduced:
    """A data set whose pictures are reduced to what views of a crop can show; those it reduced stay in memory.

    Args:
        dataset: Where the pictures come from.
        crop: Height and width of the views.
        most_bytes: Of pictures and masks that are kept. What is read after that is read again each time.
    """

    def __init__(self, dataset: SegmentationSet, crop: tuple[int, int], *, most_bytes: int = _ROOM) -> None:
        self._inner, self._crop, self._room = dataset, crop, most_bytes
        self._held: dict[int, Sample] = {}
        self._one_at_a_time = threading.Lock()
        self.name: str = dataset.name
        self.split: Split = dataset.split
        self.classes = dataset.classes

    @property
    def label_size(self) -> tuple[int, int] | None:
        """None: it follows from each picture."""
        return None

    @property
    def palette(self) -> NDArray[np.uint8]:
        """K x 3 colours to show the classes with."""
        return self._inner.palette

    def __len__(self) -> int:
        return len(self._inner)

    def read(self, index: int) -> Sample:
        """A sample, reduced where it is larger than a view can show."""
        held = self._held.get(index)
        if held is not None:
            return held
        whole = self._inner.read(index)
        sample = reduced(whole, self._crop)
        size = sample.image.nbytes + sample.mask.nbytes
        with self._one_at_a_time:  # several threads make batches
            if sample is not whole and index not in self._held and size <= self._room:
                self._held[index] = sample
                self._room -= size
        return sample


def reduced(sample: Sample, crop: tuple[int, int]) -> Sample:
    """A sample at the size at which the strongest zoom shows it pixel by pixel, if it is larger than that.

    Args:
        sample: A picture with labels.
        crop: Height and width of the views that will be taken of it.

    Returns:
        The picture reduced with antialiasing and the mask by nearest label, both keeping their shape; the sample itself
        where it is small enough. A reduced sample is small enough.
    """
    from PIL import Image

    height, width = sample.mask.shape
    factor = min(height / (_MOST_ZOOM * crop[0]), width / (_MOST_ZOOM * crop[1]))
    size = (round(width / factor), round(height / factor)) if factor > 1 else (width, height)
    if size[0] >= width or size[1] >= height:
        return sample
    image = Image.fromarray(sample.image).resize(size, Image.Resampling.BILINEAR)
    return Sample(np.array(image), np.array(Image.fromarray(sample.mask).resize(size, Image.Resampling.NEAREST)))
