"""How far a device may be from PyTorch's single precision before it is not rounding any more."""

from __future__ import annotations

from dataclasses import dataclass

from mosegedge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is still rounding, for one number format.

    Attributes:
        golden: Largest difference of the golden output, relative to the largest logit.
        agreement: Share of the pixels of every picture that must get PyTorch's class.
    """

    golden: float
    agreement: float


# The bounds of fp16 and bf16 are about five times what rounding after every operator does to a network of some sixty
# convolutions: five networks of `tiny` with trained weights, run by PyTorch in that format on four pictures each, were
# off by 1.0e-3 to 1.8e-3 (fp16, one rounding is 4.9e-4) and 7.4e-3 to 2.1e-2 (bf16, one rounding is 3.9e-3) of the
# largest logit; 99.86 % and 98.8 % of the pixels of the worst picture kept their class. The margin is for kernels that
# also add up in the short format. A wrong layout, channel order or operator is off by a multiple of these bounds.
_BOUNDS = {
    "fp32": Bounds(golden=1e-4, agreement=0.999),
    "fp16": Bounds(golden=1e-2, agreement=0.993),
    "bf16": Bounds(golden=1e-1, agreement=0.94),
}


def bounds_of(precision: str) -> Bounds:
    """The bounds of a number format.

    Raises:
        UsageError: Networks are not exported in it.
    """
    if precision not in _BOUNDS:
        raise UsageError(
            f"Networks cannot be exported in {precision}.",
            known=f"Precisions: {', '.join(_BOUNDS)}.",
            fix="Set `precision` of the device in devices.toml.",
        )
    return _BOUNDS[precision]
