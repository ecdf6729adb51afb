"""The FPS card: one line with the figures that a data sheet would carry, and what they hold for."""

from __future__ import annotations

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
    """Clocks, temperature and throttling over all that was timed, in words."""
    clocks = [mhz for found in timing.conditions for mhz in _numbers(found.get("clock_mhz"))]
    heat = [celsius for found in timing.conditions for celsius in _numbers(found.get("temperature_c"))]
    reasons = ", ".join(timing.throttled)
    parts = [f"clocks {_range_text(clocks, 'MHz')}"]
    parts += [f"temperature {_range_text(heat, 'C')}"] if heat else []
    parts += [f"NOT A CLEAN RESULT: throttled ({reasons})"] if reasons else []
    return ", ".join(parts)


def _numbers(value: Any) -> list[float]:
    """All numbers in what an agent tells: one, a list, or several by name."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def _range_text(values: list[float], unit: str) -> str:
    if not values:
        return "not measured"
    low, high = round(min(values)), round(max(values))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
