"""From values to pixels: linear and logarithmic scales with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_ROUND_STEPS: tuple[float, ...] = (1.0, 2.0, 2.5, 5.0, 10.0)
_WHOLE_STEPS: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear map from values to pixels.

    Attributes:
        low: Value at `start`.
        high: Value at `end`; larger than `low`.
        start: Pixel of `low`.
        end: Pixel of `high`; smaller than `start` where pixels grow against values, as upwards in SVG.
        whole: Whether values are whole numbers, and ticks too.
    """

    low: float
    high: float
    start: float
    end: float
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a scale cannot go from {self.low} to {self.high}")

    @classmethod
    def around(
        cls, values: Iterable[float], start: float, end: float, *, margin: float = 0.05, zero: bool = False
    ) -> Scale:
        """A scale that shows all values.

        Args:
            values: What it must show; none at all gives 0 to 1.
            start: Pixel of its low end.
            end: Pixel of its high end.
            margin: Free space on both sides, as a share of the values' range.
            zero: Whether it begins at 0 and has no margin there; for values that are not negative.
        """
        known = list(values) or [0.0, 1.0]
        low, high = (0.0 if zero else min(known)), max(known)
        span = high - low
        if span <= 1e-9 * max(abs(low), abs(high)):
            span = abs(high) or 1.0
            low, high = (low if zero else low - span / 2), high + span / 2
        return cls(low=low if zero else low - margin * span, high=high + margin * span, start=start, end=end)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """At most `most` (2 or more) evenly spaced round numbers inside the scale."""
        steps = _WHOLE_STEPS if self.whole else _ROUND_STEPS
        least = (self.high - self.low) / most
        step = _round_step(max(least, 1.0) if self.whole else least, steps)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        if last - first + 1 > most:
            step = _round_step(step * 1.0001, steps)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def labels(self, most: int = 6) -> list[tuple[float, str]]:
        """Ticks with their text, all with the decimals that tell them apart."""
        values = self.ticks(most)
        decimals = _decimals(values[1] - values[0]) if len(values) > 1 else 2
        return [(value, f"{value + 0.0:.{decimals}f}".replace("-", "\u2212")) for value in values]


@dataclass(frozen=True, kw_only=True)
class LogScale:
    """A logarithmic map from values to pixels.

    Attributes:
        low: Value at `start`, larger than 0.
        high: Value at `end`; larger than `low`.
        start: Pixel of `low`.
        end: Pixel of `high`.
    """

    low: float
    high: float
    start: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.high) and 0 < self.low < self.high):
            raise ValueError(f"a logarithmic scale cannot go from {self.low} to {self.high}")

    @classmethod
    def around(cls, values: Iterable[float], start: float, end: float) -> LogScale:
        """A scale that shows all values, with a third of a factor of two beyond them.

        Args:
            values: What it must show, all larger than 0; none at all gives 1 to 10.
            start: Pixel of its low end.
            end: Pixel of its high end.
        """
        known = list(values) or [1.0, 10.0]
        beyond = 2**0.34
        return cls(low=min(known) / beyond, high=max(known) * beyond, start=start, end=end)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + math.log(value / self.low) / math.log(self.high / self.low) * (self.end - self.start)

    def labels(self, most: int = 6) -> list[tuple[float, str]]:
        """At most `most` powers of ten; between them, as many round numbers as there is room for."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        ticks: list[float] = []
        for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)):
            found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
            inside = [value for value in found if self.low <= value <= self.high]
            if len(inside) <= most or not ticks:
                ticks = inside
        every = math.ceil(len(ticks) / most) if ticks else 1
        return [(value, f"{value:.12g}") for value in ticks[::every]]


Axis = Scale | LogScale


def _round_step(least: float, steps: tuple[float, ...]) -> float:
    """The smallest of the steps, times a power of ten, that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in steps if power * step >= least * (1 - 1e-12))


def _decimals(step: float) -> int:
    """Digits after the point that a multiple of a round step needs."""
    return next((digits for digits in range(12) if math.isclose(round(step, digits), step, rel_tol=1e-6)), 12)
