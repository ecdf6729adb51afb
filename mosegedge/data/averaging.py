"""Slower, better predictions: the average over several sizes of a picture and its mirror image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from mosegedge.data.dataset import Sample
from mosegedge.data.transforms import field_of, to_batch
from mosegedge.errors import UsageError

Predict = Callable[[Tensor], Tensor]
"""Batch of normalised pictures N x 3 x h x w to logits N x K x h' x w'."""

USUAL_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
"""Sizes that papers on semantic segmentation report "multi-scale" results with."""

_STRIDE = 32
_LARGEST = 8.0


@dataclass(frozen=True, kw_only=True)
class Looks:
    """How often a network looks at a picture before it says what is where.

    Attributes:
        scales: Sizes of its input relative to the usual one; sides are rounded to multiples of 32.
        flip: Looks at the mirror image too, at every size.

    Raises:
        UsageError: There is no scale, or one that is not above 0 and at most 8.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        strange = [scale for scale in self.scales if not 0 < scale <= _LARGEST]
        if strange or not self.scales:
            raise UsageError(
                f"A picture cannot be looked at in the scale {strange[0]:g}." if strange else "There is no scale.",
                known=f"Scales are above 0 and at most {_LARGEST:g}; 1 is the network's own input size.",
                fix=f"The usual ones are --scales {','.join(f'{scale:g}' for scale in USUAL_SCALES)}",
            )

    @property
    def once(self) -> bool:
        """Whether it is one look at the usual size."""
        return self.scales == (1.0,) and not self.flip

    @property
    def count(self) -> int:
        """Number of looks."""
        return len(self.scales) * (2 if self.flip else 1)

    def sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Height and width of the input at each scale, where `size` is the usual one."""
        return [(_rounded(size[0] * scale), _rounded(size[1] * scale)) for scale in self.scales]


def mean_probabilities(predict: Predict, sample: Sample, size: tuple[int, int], looks: Looks) -> Tensor:
    """Class probabilities of one picture, averaged over all looks at the size of its labels.

    Every look reads the picture itself, so large scales see details that the usual input is too small for.

    Args:
        predict: The network, for inputs of any multiples of 32.
        sample: The picture; of its mask only the size is used.
        size: Height and width of the usual input.
        looks: Which sizes, and whether mirrored.

    Returns:
        K x H x W.
    """
    total: Tensor | None = None
    for view in looks.sizes(size):
        picture = to_batch([sample], view)
        for mirrored in (False, True) if looks.flip else (False,):
            logits = predict(picture.flip(3)).flip(3) if mirrored else predict(picture)
            shares = at_label_size(logits, sample.mask.shape, view).softmax(dim=1)[0]
            total = shares if total is None else total + shares
    assert total is not None  # there is at least one scale
    return total / looks.count


def at_label_size(logits: Tensor, shape: tuple[int, ...], size: tuple[int, int]) -> Tensor:
    """Logits at the size of a picture's labels, resized bilinearly.

    Args:
        logits: N x K x h x w.
        shape: Height and width of the labels.
        size: Height and width of the input that the picture was brought to.

    Returns:
        N x K x height x width, without what lay beyond the picture in the input.
    """
    field = field_of(shape, size)
    if tuple(logits.shape[2:]) != field:
        logits = F.interpolate(logits, size=field, mode="bilinear", align_corners=False)
    return logits[:, :, : shape[0], : shape[1]]


def _rounded(side: float) -> int:
    return max(_STRIDE, round(side / _STRIDE) * _STRIDE)
