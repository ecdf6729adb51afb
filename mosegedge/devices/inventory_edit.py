"""Adds devices to a devices.toml and takes them out, as text: comments and order of the rest stay as they were.

A statement of TOML is the fewest whole lines that can be read alone, so the standard library's reader finds where one
ends, whatever strings and arrays are in it. Before a file is written, the new text goes through the loader, and all
other tables must be what they were.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from mosegedge.devices.inventory import (
    Definition,
    Device,
    check_device,
    device_files,
    read_inventory,
    template_names,
)
from mosegedge.errors import DeviceError
from mosegedge.files import write_atomic

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NUMBERS = ("port", "threads", "opset")
_FIELDS = ("template", *(item.name for item in fields(Device) if item.name not in ("name", "settings", "source")))


class _Span(NamedTuple):
    """Lines `start` to `end` (excluded) that belong to one device."""

    start: int
    end: int


def add_device(
    name: str,
    values: Mapping[str, str],
    *,
    user_config: bool = False,
    replace: bool = False,
    folder: Path | None = None,
) -> Definition:
    """Writes a table into a devices.toml and returns the device that it makes.

    Args:
        name: Name of the new device, or of a template that it changes.
        values: Fields of a table by name; other names, or `settings.NAME`, are settings of its backend.
        user_config: Into the user's file instead of the project's.
        replace: Put it in the place of a table of that name.
        folder: The project's folder; the current one by default.

    Raises:
        DeviceError: The file has the name already, or the loader would refuse the device; nothing is written then.
    """
    path = device_files(folder)[0 if not user_config else 1]
    text = _read(path)
    if not replace and name in tomllib.loads(text):
        raise DeviceError(f"{path} has a device {name} already.", fix="Choose another name, or add --replace.")
    if "template" not in values and name not in read_inventory(folder=folder).definitions:
        raise DeviceError(
            f"The new device {name} starts from no template.",
            known=f"Templates: {', '.join(template_names())}.",
            fix="Add --template with the one that is closest.",
        )
    changed = _with_table(text, name, _table_text(name, values))
    found = _tried(changed, text, name, path, folder).get(name)
    assert found is not None, "the loader has just read this table"
    device = found.device
    if device.connection == "ssh" and not device.address:
        raise DeviceError(f"The new device {name} has no address: nothing says where it is.", fix="Add --address HOST.")
    check_device(device, folder=folder)
    write_atomic(path.resolve(), changed)
    return found


def remove_device(name: str, *, user_config: bool = False, folder: Path | None = None) -> Path:
    """Takes a table out of a devices.toml, with its settings, and nothing else; returns the file.

    Args:
        name: Name of the table.
        user_config: From the user's file instead of the project's.
        folder: The project's folder; the current one by default.

    Raises:
        DeviceError: There is no such table in that file, or another device starts from it; nothing is written then.
    """
    paths = device_files(folder)
    path, other = (paths[1], paths[0]) if user_config else paths
    text = _read(path)
    if name not in tomllib.loads(text):
        raise _not_written(name, path, other, user_config=user_config)
    changed = _without(text, name)
    try:
        _tried(changed, text, name, path, folder)
    except DeviceError as error:
        raise DeviceError(
            f"{name} cannot be taken out of {path}: {error.what}", known=error.known, fix=error.fix
        ) from error
    write_atomic(path.resolve(), changed)
    return path


def _not_written(name: str, path: Path, other: Path, *, user_config: bool) -> DeviceError:
    what = f"There is no table [{name}] in {path}, so nothing was removed."
    if name in tomllib.loads(_read(other)):
        flag = "Leave --user-config out." if user_config else "Add --user-config."
        return DeviceError(what, known=f"It is in {other}.", fix=flag)
    if name in template_names():
        return DeviceError(
            what,
            known=f"{name} is a built-in template: it comes with mosegedge and cannot be removed.",
            fix=f"A table [{name}] in devices.toml changes it: mosegedge devices add {name} --set threads=2",
        )
    known = ", ".join(tomllib.loads(_read(path))) or "none"
    return DeviceError(what, known=f"Tables there: {known}.", fix="Correct the name: mosegedge devices list")


def _read(path: Path) -> str:
    """The file's text, after the loader has found nothing wrong with it; empty where there is none."""
    if not path.is_file():
        return ""
    try:
        text = path.read_bytes().decode()
        tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"{path} cannot be read as TOML: {error}.", fix="Correct it first.") from error
    return text


def _tried(changed: str, text: str, name: str, path: Path, folder: Path | None) -> dict[str, Definition]:
    """What the loader makes of the new text.

    Raises:
        DeviceError: It refuses the device, or one that it did not refuse before, or another table has changed.
    """
    found, wrong_before = read_inventory(folder=folder, instead={path: changed}), read_inventory(folder=folder).mistakes
    for wrong, error in found.mistakes.items():
        if wrong == name or wrong not in wrong_before:
            raise error
    before, after = tomllib.loads(text), tomllib.loads(changed)
    before.pop(name, None)
    after.pop(name, None)
    if before != after:
        raise DeviceError(f"{path} is written in a way that cannot be changed here.", fix=f"Edit [{name}] by hand.")
    return found.usable


def _table_text(name: str, values: Mapping[str, str]) -> str:
    plain = {field: values[field] for field in _FIELDS if field in values}
    settings = {field.removeprefix("settings."): value for field, value in values.items() if field not in plain}
    lines = [f"[{_key(name)}]", *(f"{field} = {_value(field, value)}" for field, value in plain.items())]
    if settings:
        lines += ["", f"[{_key(name)}.settings]"]
        lines += [f"{_key(setting)} = {_string(value)}" for setting, value in settings.items()]
    return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else _string(text)


def _value(field: str, text: str) -> str:
    """A number where the field is one; what is no number is left for the loader to refuse."""
    return str(int(text)) if field in _NUMBERS and text.isdecimal() and text.isascii() else _string(text)


def _string(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL, which JSON leaves as it is."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DeviceError(f"{text!r} is no text.", fix="Write it as UTF-8.") from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _with_table(text: str, name: str, table: str) -> str:
    """The text with the table in the place of the one it replaces, or at the end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    table = table.replace("\n", newline)
    lines = _lines(text)
    spans = _spans(lines, name)
    if spans and lines[spans[0].start].lstrip().startswith("["):
        for span in reversed(spans[1:]):
            _cut(lines, span)
        lines[spans[0].start : spans[0].end] = [table]
        return "".join(lines)
    kept = _without(text, name)
    if kept and not kept.endswith("\n"):
        kept += newline
    return kept + (newline if kept else "") + table


def _without(text: str, name: str) -> str:
    lines = _lines(text)
    for span in reversed(_spans(lines, name)):
        _cut(lines, span)
    return "".join(lines)


def _cut(lines: list[str], span: _Span) -> None:
    """Removes lines, and one of the blank lines that would now lie next to each other or end the file."""
    start = span.start
    del lines[start : span.end]
    before = start > 0 and not lines[start - 1].strip()
    if start == len(lines):
        if before:
            del lines[start - 1]
    elif not lines[start].strip() and (before or start == 0):
        del lines[start]


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a newline ends a line of TOML."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _spans(lines: list[str], name: str) -> list[_Span]:
    """Where a device is written, from its first line to its last; comments around that belong to the file."""
    found = []
    for owner, statements in groupby(_statements(lines), key=lambda item: item[0]):
        if owner == name:
            spans = [span for _, span in statements]
            found.append(_Span(spans[0].start, spans[-1].end))
    return found


def _statements(lines: list[str]) -> list[tuple[str, _Span]]:
    """Every header and key of the file with the device that it belongs to."""
    found = []
    header: str | None = None
    start = 0
    while start < len(lines):
        end = start + 1
        while (parsed := _parsed("".join(lines[start:end]))) is None:
            end += 1
            assert end <= len(lines), "the whole text was read before"
        if parsed:
            first = next(iter(parsed))
            header = first if lines[start].lstrip().startswith("[") else header
            found.append((first if header is None else header, _Span(start, end)))
        start = end
    return found


def _parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
