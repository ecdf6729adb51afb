"""From samples to torch tensors: resizing, normalisation, and the random changes of training pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mosegedge.data.dataset import Sample
from mosegedge.data.labels import IGNORE
from mosegedge.data.reduced import reduced

MEAN = (0.4, 0.4, 0.4)
STD = (0.25, 0.25, 0.25)
"""Of pixel values in 0..1; the same for every data set, so that an exported network needs to know one pair only."""

_FILL = np.rint(np.array(MEAN) * 255.0).astype(np.uint8)

SCALES = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
"""Zoom of a training view relative to the one that shows the picture whole."""

_MOST_STRETCH = 1.25
"""A picture is stretched to the shape of the input up to this factor. Scales are rounded to multiples of 32, which
stretches pictures of the input's own shape by up to 1.13; borders for that would only cost pixels."""

_GAIN, _CONTRAST, _CHANNEL = 0.2, 0.2, 0.06


def to_batch(samples: Sequence[Sample], size: tuple[int, int]) -> torch.Tensor:
    """Pictures as a network takes them.

    Args:
        samples: Pictures of any size.
        size: Height and width of the network's input.

    Returns:
        N x 3 x h x w, normalised; resized bilinearly with antialiasing where the size differs. A picture of another
        shape lies at the top left of its `field_of` view, the rest has the mean colour.
    """
    fields = ((sample.image, field_of(sample.image.shape, size)) for sample in samples)
    return normalise(torch.cat([_resize(_planes(_cut(image, (0, 0), field, _FILL)), size) for image, field in fields]))


def field_of(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the view in which a network gets a picture.

    Args:
        shape: Of the picture, height and width first.
        size: Height and width of the network's input.

    Returns:
        That of the picture itself where its shape is about that of the input. Else that of the smallest view with the
        input's shape in which the picture has room, so that an upright picture is not squeezed into a wide input.
    """
    height, width = shape[:2]
    wider = (width * size[0]) / (height * size[1])
    if 1 / _MOST_STRETCH <= wider <= _MOST_STRETCH:
        return height, width
    return (round(width * size[0] / size[1]), width) if wider > 1 else (height, round(height * size[1] / size[0]))


def to_targets(samples: Sequence[Sample]) -> torch.Tensor:
    """Masks at label size as N x H x W int64; the samples must be of one size."""
    return torch.from_numpy(np.stack([sample.mask for sample in samples]).astype(np.int64))


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Pixel values 0..255 (N x 3 x h x w) to values of about mean 0 and spread 1."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1) * 255.0
    return (pixels - mean) / (torch.tensor(STD).view(1, 3, 1, 1) * 255.0)


def augment(sample: Sample, crop: tuple[int, int], rng: np.random.Generator) -> tuple[torch.Tensor, NDArray[np.uint8]]:
    """A random view of a sample: flipped, zoomed, cut out, brighter or darker.

    Args:
        sample: A picture with labels.
        crop: Height and width of the result.
        rng: Source of every choice.

    Returns:
        The picture, 1 x 3 x h x w with values 0..255, and its mask; where the view reaches beyond the picture, the
        mean colour and the ignore label.
    """
    sample = reduced(sample, crop)
    scale = SCALES[int(rng.integers(len(SCALES)))]
    view = field_of(sample.mask.shape, crop)
    window = (max(1, round(view[0] / scale)), max(1, round(view[1] / scale)))
    top, left = (_offset(whole, part, rng) for whole, part in zip(sample.mask.shape, window, strict=True))
    image = _cut(sample.image, (top, left), window, _FILL)
    mask = _cut(sample.mask, (top, left), window, np.uint8(IGNORE))
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    pixels = _jitter(_resize(_planes(image), crop), rng)
    return pixels, _nearest(mask, crop)


def _offset(whole: int, part: int, rng: np.random.Generator) -> int:
    low, high = sorted((0, whole - part))
    return int(rng.integers(low, high + 1))


def _cut(
    pixels: NDArray[np.uint8], corner: tuple[int, int], window: tuple[int, int], fill: NDArray[np.uint8] | np.uint8
) -> NDArray[np.uint8]:
    """A window of an array; it may begin before the array and end after it."""
    (top, left), (height, width) = corner, window
    inside = pixels[max(top, 0) : top + height, max(left, 0) : left + width]
    if inside.shape[:2] == window:
        return inside
    whole = np.empty((height, width, *pixels.shape[2:]), np.uint8)
    whole[...] = fill
    down, right = max(-top, 0), max(-left, 0)
    whole[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    return whole


def _jitter(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    gain = 1.0 + _GAIN * (2.0 * rng.random() - 1.0)
    contrast = 1.0 + _CONTRAST * (2.0 * rng.random() - 1.0)
    channels = torch.from_numpy(1.0 + _CHANNEL * (2.0 * rng.random(3) - 1.0)).float().view(1, 3, 1, 1)
    middle = float(np.mean(MEAN)) * 255.0
    return ((pixels - middle) * contrast + middle).mul_(gain * channels).clamp_(0.0, 255.0)


def _nearest(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Masks are only ever resized by taking the nearest label."""
    rows, columns = ((np.arange(n) * 2 + 1) * m // (2 * n) for n, m in zip(size, mask.shape, strict=True))
    return np.asarray(mask[rows[:, None], columns])


def _planes(image: NDArray[np.uint8]) -> torch.Tensor:
    planes: NDArray[Any] = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    return torch.from_numpy(planes)[None]


def _resize(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(pixels.shape[2:]) == tuple(size):
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)
