"""What one table of a devices.toml may hold, and what is said of one that holds something else."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosegedge.devices.connection import TRANSPORTS
from mosegedge.errors import DeviceError

_TABLE = (
    'A device is a table: its name in brackets, and below it what differs from its template, as template = "local".'
)


@dataclass(frozen=True)
class _Form:
    """What the value of a field looks like.

    Attributes:
        words: For people.
        fits: Whether a value does.
        known: All values, where there are few.
    """

    words: str
    fits: Callable[[Any], bool]
    known: tuple[str, ...] = ()


def _whole_number(low: int, high: int) -> _Form:
    return _Form(f"a whole number from {low} to {high}", lambda value: type(value) is int and low <= value <= high)


def _one_of(*known: str) -> _Form:
    return _Form(f"one of {', '.join(known)}", lambda value: value in known, known)


_TEXT = _Form("a text in quotes", lambda value: isinstance(value, str))
_SETTINGS = _Form("a table of its own, [NAME.settings]", lambda value: isinstance(value, dict))
_FORMS = {
    "template": _TEXT,
    "backend": _TEXT,
    "connection": _one_of(*TRANSPORTS),
    "address": _TEXT,
    "port": _whole_number(0, 65535),
    "user": _TEXT,
    "identity": _TEXT,
    "environment": _TEXT,
    "threads": _whole_number(1, 1024),
    "precision": _one_of("fp32", "fp16", "bf16", "int8"),
    "clock": _one_of("host", "device"),
    "opset": _whole_number(11, 17),
    "interpreter": _TEXT,
    "cache": _TEXT,
    "description": _TEXT,
    "settings": _SETTINGS,
}


def checked_table(name: str, table: Any, path: Path, text: str = "") -> dict[str, Any]:
    """A table whose fields can all be used.

    Args:
        name: Of the device.
        table: What the parser made of it.
        path: The file, for messages.
        text: The file's text, to name the line.

    Raises:
        DeviceError: It is no table, a field is unknown, or its value is not possible; the message names it.
    """
    if not isinstance(table, dict):
        raise DeviceError(
            f"{_place(path, text, '', name)}: {name} = {table!r} belongs to no device.",
            known=_TABLE,
            fix=f"Move the line below the name of its device, or write [{name}].",
        )
    for field, value in table.items():
        if field not in _FORMS:
            raise _unknown(name, field, path, text)
        _require(_FORMS[field], value, f"[{name}] {field}", _place(path, text, name, field))
    for field, value in table.get("settings", {}).items():
        _require(_TEXT, value, f"[{name}.settings] {field}", _place(path, text, f"{name}.settings", field))
    return table


def _require(form: _Form, value: Any, field: str, place: str) -> None:
    if form.fits(value):
        return
    close = difflib.get_close_matches(str(value), form.known, n=1)
    raise DeviceError(
        f"{place}: {field} is {_written(value)}; it has to be {form.words}.",
        fix=f'Did you mean "{close[0]}"?' if close else "Correct that line.",
    )


def _unknown(name: str, field: str, path: Path, text: str) -> DeviceError:
    close = difflib.get_close_matches(field, _FORMS, n=1)
    return DeviceError(
        f"{_place(path, text, name, field)}: [{name}] {field}: a device has no field of this name.",
        known=f"Fields: {', '.join(sorted(_FORMS))}.",
        fix=f"Did you mean {close[0]}?" if close else f"What only its backend knows goes below [{name}.settings].",
    )


def _written(value: Any) -> str:
    """A value as it stands in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _place(path: Path, text: str, table: str, field: str) -> str:
    """The file, and the line where it is written in the usual way: a header, and a key at the beginning of a line."""
    header = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if found := re.match(r"\s*\[([^\[\]]+)\]", line):
            header = re.sub(r"[\s\"']", "", found[1])
        elif header == table and re.match(rf"\s*[\"']?{re.escape(field)}[\"']?\s*=", line):
            return f"{path}, line {number}"
    return str(path)
