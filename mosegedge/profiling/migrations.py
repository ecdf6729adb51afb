"""Profiles of older schemas, brought up to date while they are read; files on disk stay as they are.

`MIGRATIONS[n]` turns the content of schema n into that of schema n + 1. Each is a pure function with a name that says
what it changes; none is ever edited once a release has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mosegedge.errors import ProfileError

Content = dict[str, Any]
Migration = Callable[[Content], Content]


def state_clock_settings_and_notes(content: Content) -> Content:
    """Schema 1 knew one clock, the host's, and no settings of a backend or words of a compiler."""
    return {
        **content,
        "device": _with(content.get("device"), settings={}),
        "protocol": _with(content.get("protocol"), clock="host"),
        "notes": [],
    }


def state_certificate_and_spreads(content: Content) -> Content:
    """Schema 2 knew no standard errors, one spread for all predictions, and no coverage of the model's intervals."""
    rest = {name: value for name, value in content.items() if name != "error"}
    return {
        **rest,
        "entries": _rows_with_columns(content.get("entries")),
        "networks": _rows_with_columns(content.get("networks")),
        "protocol": _with(content.get("protocol"), affinity=None, stopping="after the same passes for every model"),
        "model": _model_with_spreads(content.get("model")),
        "certificate": _certificate_of(content.get("error"), content.get("created")),
        "roofline": None,
        "effort": None,
        "journal_sha256": None,
    }


def _rows_with_columns(rows: Any) -> Any:
    if not isinstance(rows, list):
        return rows
    return [_with(row, se_ms=0.0, energy_mj=None, memory_mib=None) for row in rows]


def _model_with_spreads(model: Any) -> Any:
    if not isinstance(model, dict):
        return model
    rest = {name: value for name, value in model.items() if name != "relative_sd"}
    return {
        **rest,
        "method": "both",
        "additivity_sd": 0.0,
        "constant_sd_ms": 0.0,
        "network_sd": model.get("relative_sd"),
    }


def _certificate_of(error: Any, created: Any) -> Any:
    """What schema 2 said of its error, None where no network judged the model."""
    if not isinstance(error, dict):
        return {}  # damaged, which the reader says
    if error.get("networks") == 0:
        return None
    return {
        **error,
        "source": "held-out",
        "measured": str(created)[:10],
        "coverage90": None,
        "repeatability_kendall_tau": None,
        "by_scale_repeatability_kendall_tau": None,
    }


def _with(section: Any, **fields: Any) -> Any:
    """The section with more fields; what is damaged stays as it is, and the reader of the result says where."""
    return {**section, **fields} if isinstance(section, dict) else section


CURRENT_SCHEMA = 3
MIGRATIONS: Mapping[int, Migration] = {1: state_clock_settings_and_notes, 2: state_certificate_and_spreads}


def migrate(
    content: Content,
    source: str,
    *,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    current: int = CURRENT_SCHEMA,
) -> Content:
    """The content in the current schema.

    Args:
        content: What the file holds.
        source: The file's name, for messages.
        migrations: The functions by the schema that they start from.
        current: The schema to arrive at.

    Raises:
        ProfileError: The schema is unknown, or newer than this version of mosegedge.
    """
    schema = content.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise ProfileError(f"{source} is no profile: its schema is {str(schema)[:40]!r}, not a number from 1 on.")
    if schema > current:
        raise ProfileError(
            f"{source} has schema {schema}, this version of mosegedge reads up to {current}.",
            fix="Install a newer mosegedge: pip install --upgrade mosegedge",
        )
    for number in range(schema, current):
        content = {**migrations[number](content), "schema": number + 1}
    return content
