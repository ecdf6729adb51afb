"""Contact sheets: pictures side by side with their masks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.labels import colorize, overlay
from mosegedge.errors import DataError
from mosegedge.files import write_atomic


def contact_sheet(
    dataset: SegmentationSet, indices: Sequence[int], *, columns: int = 2, blend: bool = False
) -> NDArray[np.uint8]:
    """Pairs of picture and mask in a grid.

    Args:
        dataset: Where they come from.
        indices: Which ones; at least one.
        columns: Pairs beside each other.
        blend: Lays the mask over the picture instead of showing it alone.
    """
    if not indices:
        raise DataError("A contact sheet needs at least one picture.")
    pairs = []
    for index in indices:
        sample = dataset.read(index)
        shown = overlay(sample.image, sample.mask, dataset.palette) if blend else colorize(sample.mask, dataset.palette)
        pairs.append(np.hstack([sample.image, shown]))
    columns = max(1, min(columns, len(pairs)))
    blank = np.zeros_like(pairs[0])
    pairs += [blank] * (-len(pairs) % columns)
    return np.vstack([np.hstack(pairs[row : row + columns]) for row in range(0, len(pairs), columns)])


def png_of(picture: NDArray[np.uint8]) -> bytes:
    """A PNG file's content."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes a PNG file, whole or not at all."""
    write_atomic(path, png_of(picture))
