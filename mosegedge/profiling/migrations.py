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
    device, protocol = content.get("device"), content.get("protocol")
    # What is damaged stays as it is: the reader of the result says where.
    return {
        **content,
        "device": {**device, "settings": {}} if isinstance(device, dict) else device,
        "protocol": {**protocol, "clock": "host"} if isinstance(protocol, dict) else protocol,
        "notes": [],
    }


CURRENT_SCHEMA = 2
MIGRATIONS: Mapping[int, Migration] = {1: state_clock_settings_and_notes}


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
