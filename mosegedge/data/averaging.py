"""Slower, better predictions: the average over several sizes of a picture and its mirror image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

USUAL_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
"""Sizes that papers on semantic segmentation report "multi-scale" results with."""

_STRIDE = 32


def averaged(
    predict: Callable[[Tensor], Tensor], *, scales: Sequence[float] = USUAL_SCALES, flip: bool = True
) -> Callable[[Tensor], Tensor]:
    """A prediction that looks at a picture several times.

    Every look gives class probabilities, which are brought to the size of the picture and averaged. One look at scale
    1 without flipping gives the same labels as `predict` alone where its logits have the picture's size.

    Args:
        predict: Batch of pictures, N x 3 x h x w of any multiples of 32, to logits N x K x h' x w'.
        scales: Sizes relative to the picture that comes in; each is rounded to multiples of 32.
        flip: Looks at the mirror image too.

    Returns:
        Batch of pictures to N x K x h x w: logarithms of the averaged probabilities, so logits like any others.

    Raises:
        ValueError: There is no scale, or one that is not above 0.
    """
    if not scales or min(scales) <= 0:
        raise ValueError(f"Scales {tuple(scales)} cannot be looked at; they are numbers above 0.")

    def looked_at(batch: Tensor) -> Tensor:
        height, width = int(batch.shape[2]), int(batch.shape[3])
        total: Tensor | None = None
        looks = 0
        for scale in scales:
            view = _at(batch, (_rounded(height * scale), _rounded(width * scale)))
            for mirrored in (False, True) if flip else (False,):
                logits = predict(view.flip(3)).flip(3) if mirrored else predict(view)
                shares = _at(logits, (height, width)).softmax(dim=1)
                total = shares if total is None else total + shares
                looks += 1
        assert total is not None
        return (total / looks).clamp_min(torch.finfo(total.dtype).tiny).log()

    return looked_at


def _rounded(side: float) -> int:
    return max(_STRIDE, round(side / _STRIDE) * _STRIDE)


def _at(tensor: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(tensor.shape[2:]) == size:
        return tensor
    shrinks = size[0] < tensor.shape[2]
    return F.interpolate(tensor, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
