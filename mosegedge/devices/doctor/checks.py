"""What an examination of a device finds: one check a question, each failure with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mosegedge.devices.inventory import BUILT_IN, Device
from mosegedge.errors import MosegedgeError

# Asked of every device, in this order; its backend asks more after "runtime".
COMMON_NAMES = (
    *("environment", "interpreter", "disk", "memory", "agent", "runtime"),
    *("precision", "opset", "clock", "speed", "load", "energy", "users"),
)

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: What was looked at.
        status: `skipped` where an earlier check that it needs failed, or nothing there tells.
        found: What is there, or why it was skipped.
        fix: What to do, where something is wrong.
    """

    name: str
    status: Status
    found: str
    fix: str = ""


def failure(name: str, error: MosegedgeError, *, fix: str) -> Check:
    """An error as a failed check.

    Args:
        name: What was looked at.
        error: What happened.
        fix: What to do where the error itself does not say.
    """
    return Check(name, "failed", " ".join(part for part in (error.what, error.known) if part), error.fix or fix)


def line_to_write(device: Device, line: str) -> str:
    """How to change a field of a device, for a fix."""
    place = "devices.toml" if device.source == BUILT_IN else device.source
    return f"Write {line} under [{device.name}] in {place}."
