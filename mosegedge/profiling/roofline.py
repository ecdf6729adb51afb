"""What a device can do at best: multiply-adds a second, bytes a second, and what a run costs that computes nothing.

Three kinds of probes are timed beside the layers, on the same device in the same way:

    empty          one element; what it takes is the launch
    convolution    convolutions of several shapes that compute much and move little; the best one is the peak
    copy           one pass over a tensor, every element read once and one written; bytes by the time are the bandwidth

A device may be a thousand times as fast as another, so each probe comes in several sizes: a larger one is timed only
where the one before was over too soon to say anything, or may have fitted into a cache. The launch is taken off the
time of the others. Bytes are those of the elements read and written, in the precision of the device; what a processor
reads from memory only to overwrite it is not counted, just as it is not counted for layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ELEMENT_BYTES: Mapping[str, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}

# A run this long is far longer than a launch, and moves more than a cache could hold.
LONG_ENOUGH_MS = 2.0
# Below this many launches, what is left after the launch was taken off is mostly the launch's own spread.
_LAUNCHES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec:
    """One probe.

    Attributes:
        kind: What it tells.
        channels: Of its input and its output.
        kernel: Side of the convolution's kernel; 0 where there is none.
        height: Of its input and its output.
        width: Of its input and its output.
    """

    kind: Literal["empty", "convolution", "copy"]
    channels: int = 1
    kernel: int = 0
    height: int = 1
    width: int = 1

    @property
    def key(self) -> str:
        """Canonical readable name, unique among all models."""
        kernel = f"k{self.kernel} " if self.kernel else ""
        return f"probe {self.kind} {kernel}c{self.channels} @{self.height}x{self.width}"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """N x C x H x W of its input, and of its output."""
        return 1, self.channels, self.height, self.width

    @property
    def elements(self) -> int:
        """Number of elements of its input, and of its output."""
        return self.channels * self.height * self.width

    @property
    def multiply_adds(self) -> int:
        """Those of the convolution, 0 where there is none."""
        return self.elements * self.channels * self.kernel**2


def _convolutions(channels: int, kernel: int, height: int, width: int) -> tuple[ProbeSpec, ...]:
    """A convolution of some 200 million multiply-adds, and the same with 16 and 256 times as many."""
    return tuple(
        ProbeSpec(
            kind="convolution", channels=wider * channels, kernel=kernel, height=larger * height, width=larger * width
        )
        for wider, larger in ((1, 1), (2, 2), (2, 8))
    )


EMPTY = ProbeSpec(kind="empty")
# Smaller sizes first. All widths are multiples of 64, which suits the vector and matrix units of all known devices.
LADDERS: tuple[tuple[ProbeSpec, ...], ...] = (
    (EMPTY,),
    _convolutions(64, 3, 64, 96),
    _convolutions(128, 3, 32, 48),
    _convolutions(256, 3, 16, 24),
    _convolutions(256, 1, 48, 64),
    (
        ProbeSpec(kind="copy", channels=64, height=512, width=512),
        ProbeSpec(kind="copy", channels=64, height=1024, width=2048),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """What a device can do at best.

    Attributes:
        peak_gmacs_per_s: Billions of multiply-adds a second that a convolution reached.
        bandwidth_gb_per_s: Billions of bytes a second that were read and written.
        launch_ms: What a run takes that computes nothing.
        convolution: The convolution that reached the peak.
        copied_mib: What was read and written for the bandwidth, together; it has to be more than caches hold.
    """

    peak_gmacs_per_s: float
    bandwidth_gb_per_s: float
    launch_ms: float
    convolution: str
    copied_mib: float

    def compute_ms(self, multiply_adds: float) -> float:
        """The least time for so many multiply-adds."""
        return multiply_adds / self.peak_gmacs_per_s / 1e6

    def memory_ms(self, bytes_moved: float) -> float:
        """The least time to move so many bytes."""
        return bytes_moved / self.bandwidth_gb_per_s / 1e6

    @property
    def ridge(self) -> float:
        """Multiply-adds a byte at which both take equally long."""
        return self.peak_gmacs_per_s / self.bandwidth_gb_per_s


def roofline_of(times_ms: Mapping[ProbeSpec, float], precision: str) -> Roofline | str:
    """The roofline that follows from the times of probes.

    Args:
        times_ms: Of those that were timed.
        precision: Number format of the device.

    Returns:
        The roofline, or why there is none: a kind of probe is missing, or was over too soon.
    """
    launch_ms = times_ms.get(EMPTY)
    if launch_ms is None:
        return "the empty model was not timed"
    busy_ms = {spec: time_ms - launch_ms for spec, time_ms in times_ms.items() if time_ms > (1 + _LAUNCHES) * launch_ms}
    convolutions, copies = ([spec for spec in busy_ms if spec.kind == kind] for kind in ("convolution", "copy"))
    if not convolutions or not copies:
        return f"no {'copy' if convolutions else 'convolution'} took much longer than an empty model"
    largest = max(copies, key=lambda spec: spec.elements)
    gmacs_per_s = {spec: spec.multiply_adds / busy_ms[spec] / 1e6 for spec in convolutions}
    best = max(convolutions, key=lambda spec: gmacs_per_s[spec])
    copied = bytes_copied(largest, precision)
    return Roofline(
        peak_gmacs_per_s=gmacs_per_s[best],
        bandwidth_gb_per_s=copied / busy_ms[largest] / 1e6,
        launch_ms=launch_ms,
        convolution=best.key.removeprefix("probe convolution "),
        copied_mib=copied / 2**20,
    )


def bytes_copied(spec: ProbeSpec, precision: str) -> int:
    """Bytes that a copy reads and writes."""
    return 2 * spec.elements * ELEMENT_BYTES[precision]
