"""Whether two descriptions are of the same device, and how they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosegedge.errors import ProfileError

_Facts = dict[str, Any]

_LONGEST = 120
_LATER = ("cpu_design", "cpu_features")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that two descriptions of a device do not agree on.

    Attributes:
        place: Where it is told: `vendor.runtime.onnxruntime`.
        before: What the first says; None where it says nothing.
        after: What the second says.
    """

    place: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.place}: {_shown(self.before)} then, {_shown(self.after)} now"


def require_same(before: _Facts, now: _Facts, *, path: Path, device: str) -> None:
    """Compares how a journal began with how it would begin now.

    Args:
        before: First record of the journal.
        now: The same record, made now.
        path: The journal.
        device: Name of the device.

    Raises:
        ProfileError: The journal belongs to another plan, or the device has changed meanwhile.
    """
    if before.get("plan") != now["plan"]:
        raise ProfileError(
            f"{path} is the record of another measurement that was not finished.",
            known=f"It was begun by: {before.get('command') or 'a call of profile_device'}.",
            fix="Finish that one with its own command, or set it aside with --restart.",
        )
    if changed := difference(before.get("fingerprint"), now["fingerprint"]):
        raise ProfileError(
            f"The device {device} has changed since {path} was begun: {changed}.",
            fix="Start again with --restart; numbers of the two cannot be mixed.",
        )


def difference(before: Any, after: Any) -> str:
    """What differs between two fingerprints, with both values; empty where nothing does.

    Inside the sections of what the vendor tells (versions, chip, board), a fact that only one of them has is no
    difference: some are read from tools that do not always answer in time. Neither is what older descriptions of the
    hardware do not tell.

    Args:
        before: Of the device when the measurement was begun.
        after: Of the device now.
    """
    return _first(*_comparable(before, after))


def differences(before: Any, after: Any) -> list[Fact]:
    """Everything that differs between two fingerprints, by the same rule, in the order of places."""
    return list(facts_apart(*_comparable(before, after)))


def facts_apart(before: Any, after: Any, place: str = "") -> Iterator[Fact]:
    """All leaves of two trees of facts that are not equal."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from facts_apart(before.get(name), after.get(name), f"{place}.{name}" if place else str(name))
    else:
        yield Fact(place, before, after)


def _comparable(before: Any, after: Any) -> tuple[Any, Any]:
    """Both fingerprints, each without the vendor's and the later facts that the other lacks."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return before, after
    before, after = _without_later(before, after), _without_later(after, before)
    sections = [fingerprint.get("vendor") for fingerprint in (before, after)]
    if not all(isinstance(vendor, dict) for vendor in sections):
        return before, after
    return {**before, "vendor": _common(*sections)}, {**after, "vendor": _common(*reversed(sections))}


def _without_later(fingerprint: _Facts, other: _Facts) -> _Facts:
    """Without the facts about hardware that the other may be too old to tell."""
    ours, theirs = fingerprint.get("hardware"), other.get("hardware")
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return fingerprint
    return {**fingerprint, "hardware": {key: ours[key] for key in ours if key not in _LATER or key in theirs}}


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)[:_LONGEST]


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
