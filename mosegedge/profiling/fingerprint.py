"""Whether two descriptions are of the same device, and how they differ."""

from __future__ import annotations

from typing import Any

_Facts = dict[str, Any]


def difference(before: Any, after: Any) -> str:
    """What differs between two fingerprints, with both values; empty where nothing does.

    Inside the sections of what the vendor tells (versions, chip, board), a fact that only one of them has is no
    difference: some are read from tools that do not always answer in time.

    Args:
        before: Of the device when the measurement was begun.
        after: Of the device now.
    """
    if not isinstance(before, dict) or not isinstance(after, dict):
        return _first(before, after)
    sections = [fingerprint.get("vendor") for fingerprint in (before, after)]
    if not all(isinstance(vendor, dict) for vendor in sections):
        return _first(before, after)
    return _first({**before, "vendor": _common(*sections)}, {**after, "vendor": _common(*reversed(sections))})


def _common(vendor: Any, other: Any) -> _Facts:
    """A vendor's facts, in each section those that the other description has too."""
    return {
        name: {key: value for key, value in section.items() if key in _section(other, name)}
        if isinstance(section, dict)
        else section
        for name, section in vendor.items()
    }


def _section(vendor: Any, name: str) -> _Facts:
    section = vendor.get(name)
    return section if isinstance(section, dict) else {}


def _first(before: Any, after: Any) -> str:
    """The first field that differs."""
    if before == after:
        return ""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                return f"{name}: {_first(before.get(name), after.get(name))}"
    return f"{before} then, {after} now"
