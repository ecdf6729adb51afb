"""The FPS card: one line with the figures that a data sheet would carry, and what they hold for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mosegedge.devices import Device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.export.bundle import Bundle
from mosegedge.export.measuring import Timing

_DIGITS = 12


def card_of(bundle: Bundle, device: Device, description: DeviceDescription, timing: Timing, created: datetime) -> str:
    """Writes the card of a verified network.

    Args:
        bundle: The exported network.
        device: Where it ran.
        description: What its agent said about it.
        timing: What was measured.
        created: When.
    """
    height, width = bundle.input_size
    vendor, latency = description.vendor, timing.counted
    versions = [f"{name} {version}" for name, version in vendor.get("runtime", {}).items()]
    runtime = ", ".join([*versions, str(vendor.get("accelerator", device.backend))])
    processor = description.hardware.get("cpu", "unknown processor")
    network = f"{bundle.space.preset.name} {bundle.architecture.slug}"
    _, model_format, sha256 = bundle.deployed()
    card = (
        f"{network} on {device.name} ({processor}; {runtime}): "
        f"latency {latency.median_ms:.2f} ms median, {latency.p95_ms:.2f} ms p95 by the {timing.clock}'s clock, "
        f"{1000 / latency.median_ms:.1f} images/s, n {latency.samples}, input 1x3x{height}x{width}, batch 1, "
        f"{device.precision}, {device.threads} thread(s), {model_format} {sha256[:_DIGITS]}, "
        f"{conditions_text(timing)}, host IO not included, {created:%Y-%m-%d}"
    )
    if vendor.get("origin") == "simulated":
        return f"SIMULATED, not measured: {card}"
    return card


def conditions_text(timing: Timing) -> str:
    """Clocks, temperature, power and throttling over all that was timed, in words."""
    parts = [_clocks_text(timing.conditions)]
    for name, field, unit in (("temperature", "temperature_c", "C"), ("power", "power_w", "W")):
        values = [value for found in timing.conditions for value in _numbers(found.get(field))]
        parts += [f"{name} {_range_text(values, unit)}"] if values else []
    reasons = ", ".join(timing.throttled)
    parts += [f"NOT A CLEAN RESULT: throttled ({reasons})"] if reasons else []
    return ", ".join(parts)


def _clocks_text(conditions: Sequence[dict[str, Any]]) -> str:
    """The accelerator's clocks by name where they are known, else those of the processor."""
    by_name: dict[str, list[float]] = {}
    for found in conditions:
        for name, value in (found.get("clocks") or {}).items():
            by_name.setdefault(name.removesuffix("_mhz").replace("_", " "), []).extend(_numbers(value))
    if by_name:
        return "clocks " + ", ".join(f"{name} {_range_text(values, 'MHz')}" for name, values in by_name.items())
    cores = [value for found in conditions for value in _numbers(found.get("clock_mhz"))]
    return f"CPU clock {_range_text(cores, 'MHz')}" if cores else "clocks not measured"


def _numbers(value: Any) -> list[float]:
    """One number or a list of them, as agents tell; anything else is none."""
    values = value if isinstance(value, list) else [value]
    return [float(item) for item in values if isinstance(item, (int, float)) and not isinstance(item, bool)]


def _range_text(values: list[float], unit: str) -> str:
    low, high = round(min(values, default=0)), round(max(values, default=0))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
