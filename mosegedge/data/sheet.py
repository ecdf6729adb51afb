"""Contact sheets: pictures side by side with their masks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mosegedge.data.dataset import Sample, SegmentationSet
from mosegedge.data.labels import IGNORE, colorize, overlay
from mosegedge.data.lettering import caption, legend
from mosegedge.errors import DataError
from mosegedge.files import write_atomic

Pixels = NDArray[np.uint8]

_MOST_WIDTH = 480
_PAPER = 255


def contact_sheet(
    dataset: SegmentationSet, indices: Sequence[int], *, columns: int = 2, blend: bool = False
) -> NDArray[np.uint8]:
    """Pairs of picture and mask in a grid, at most 480 pixels wide each.

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
        sample = shrunk(dataset.read(index))
        shown = overlay(sample.image, sample.mask, dataset.palette) if blend else colorize(sample.mask, dataset.palette)
        pairs.append(np.hstack([sample.image, shown]))
    return _grid(pairs, min(columns, len(pairs)))


def overlay_sheet(
    rows: Sequence[tuple[str, Sequence[Sample]]], classes: Sequence[str], palette: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Pictures with their masks laid over them, a row for each group, and a legend of the classes that occur.

    Args:
        rows: Title and samples of each group; at least one sample in all.
        classes: Class names.
        palette: K x 3 colours.
    """
    small = [(title, [shrunk(sample) for sample in samples]) for title, samples in rows if samples]
    if not small:
        raise DataError("A contact sheet needs at least one picture.")
    columns = max(len(samples) for _, samples in small)
    grids = [
        (title, _grid([overlay(sample.image, sample.mask, palette) for sample in samples], columns))
        for title, samples in small
    ]
    width = max(grid.shape[1] for _, grid in grids)
    present = sorted({int(label) for _, samples in small for sample in samples for label in np.unique(sample.mask)})
    shown = [label for label in present if label < len(classes)]
    parts = [part for title, grid in grids for part in (caption(title, width), _padded(grid, grid.shape[0], width))]
    return np.vstack([*parts, legend([classes[label] for label in shown], palette[shown], width)])


def prediction_sheet(
    title: str, pairs: Sequence[tuple[Sample, Pixels]], classes: Sequence[str], palette: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Pictures with their labels, with what a network said, and with only what it said wrongly.

    Args:
        title: Of the first row, before its own.
        pairs: Samples, each with the predicted class numbers at label size.
        classes: Class names.
        palette: K x 3 colours.
    """
    samples = [sample for sample, _ in pairs]
    said = [Sample(sample.image, prediction) for sample, prediction in pairs]
    wrong = [
        Sample(
            sample.image,
            np.where((sample.mask != IGNORE) & (sample.mask != prediction), prediction, IGNORE).astype(np.uint8),
        )
        for sample, prediction in pairs
    ]
    rows = [(f"{title}: labels", samples), ("predictions", said), ("predictions where they are wrong", wrong)]
    return overlay_sheet(rows, classes, palette)


def shrunk(sample: Sample) -> Sample:
    """A sample that is at most 480 pixels wide; its mask by nearest label."""
    height, width = sample.mask.shape
    if width <= _MOST_WIDTH:
        return sample
    size = (_MOST_WIDTH, max(1, round(height * _MOST_WIDTH / width)))
    image = Image.fromarray(sample.image).resize(size, Image.Resampling.BOX)
    return Sample(np.array(image), np.array(Image.fromarray(sample.mask).resize(size, Image.Resampling.NEAREST)))


def png_of(picture: NDArray[np.uint8]) -> bytes:
    """A PNG file's content."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes a PNG file, whole or not at all."""
    write_atomic(path, png_of(picture))


def _grid(cells: Sequence[Pixels], columns: int) -> Pixels:
    """Cells in rows, each on paper of the size of the largest."""
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    even = [_padded(cell, height, width) for cell in cells]
    even += [np.full((height, width, 3), _PAPER, np.uint8)] * (-len(even) % columns)
    return np.vstack([np.hstack(even[row : row + columns]) for row in range(0, len(even), columns)])


def _padded(cell: Pixels, height: int, width: int) -> Pixels:
    page = np.full((height, width, 3), _PAPER, np.uint8)
    page[: cell.shape[0], : cell.shape[1]] = cell
    return page
