"""Older formats of bundle.json, brought to the present one; files on disk are never rewritten.

Each step is a pure function from one format to the next, named by what it changes.
"""

from __future__ import annotations

from typing import Any

FORMAT = "mosegedge-bundle-2"


def add_artefact(record: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: bundles had the ONNX file alone, so no device has made anything of it yet."""
    return record | {"format": "mosegedge-bundle-2", "artefact": None}


STEPS = {"mosegedge-bundle-1": add_artefact}


def migrated(record: dict[str, Any]) -> dict[str, Any]:
    """A record of any known format as one of the present format; an unknown one is returned as it is."""
    while isinstance(record.get("format"), str) and record["format"] in STEPS:
        record = STEPS[record["format"]](record)
    return record
