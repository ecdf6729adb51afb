"""Whether a line of a journal holds what its kind must hold, so that who reads the numbers need not ask again."""

from __future__ import annotations

from typing import Any

_NUMBERS = ("warmup_ns", "samples_ns", "device_ns", "preempted")
_AMOUNTS = ("bytes", "wall_s", "build_s")
_TEXTS = ("key", "sha256", "format", "reason", "error", "text")
_LARGEST = 2**63


def checked_record(record: Any) -> dict[str, Any]:
    """The line, once it is known to be sound.

    Raises:
        ValueError: It is no object, or a field of it is not what it must be; the message names the field.
    """
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        raise ValueError("it is no object with a type")
    for name in _TEXTS:
        if name in record and not isinstance(record[name], str):
            raise ValueError(f"{name} is no text")
    if record["type"] in ("burst", "sentinel", "probe"):
        _check_samples(record)
    if record["type"] == "conditions" and not isinstance(record.get("values"), dict):
        raise ValueError("values is no object")
    for name in _AMOUNTS:
        value = record.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LARGEST:
            raise ValueError(f"{name} is no amount")
    for name in ("visits", "notes"):
        if name in record and not isinstance(record[name], list):
            raise ValueError(f"{name} is no list")
    for visit in record.get("visits", ()):
        if not (isinstance(visit, list) and len(visit) == 2 and isinstance(visit[0], str) and _is_count(visit[1])):
            raise ValueError("visits holds something that is no key with a number")
    return record


def _check_samples(record: dict[str, Any]) -> None:
    if record["type"] != "sentinel" and not _is_count(record.get("visit")):
        raise ValueError("visit is no number")
    for name in _NUMBERS:
        numbers = record.get(name)
        if numbers is None and name == "device_ns":
            continue  # a device without a clock of its own
        if not isinstance(numbers, list) or not all(map(_is_count, numbers)):
            raise ValueError(f"{name} holds something that is no count")
    samples = record.get("samples_ns")
    if not samples or 0 in samples:
        raise ValueError("samples_ns holds no time")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST
