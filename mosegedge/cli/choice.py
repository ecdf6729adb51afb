"""A network as a user names it: by its code, or as one of the networks that a search chose."""

from __future__ import annotations

import json
from pathlib import Path

from mosegedge.errors import UsageError
from mosegedge.space import Architecture


def network_and_profile(text: str) -> tuple[Architecture, str | None]:
    """Reads `CODE` or `RUN:k`.

    Args:
        text: A code, or the folder of a finished search, a colon and a number counted from 1.

    Returns:
        The network, and the profile that the search used (None for a code).

    Raises:
        UsageError: The run has no such network.
        ArchitectureError: The text is neither.
    """
    folder, _, number = text.rpartition(":")
    if not folder or not number.isdigit():
        return Architecture.parse(text), None
    front = Path(folder) / "front.json"
    if not front.is_file():
        raise UsageError(
            f"{folder} has no finished search: there is no {front}.",
            fix=f"Finish it: mosegedge search --output {folder} (with the settings that it was started with).",
        )
    chosen = json.loads(front.read_text())["chosen"]
    if not 1 <= int(number) <= len(chosen):
        raise UsageError(f"{text} does not exist.", known=f"The search chose the networks 1 to {len(chosen)}.")
    manifest = json.loads((Path(folder) / "run.json").read_text())
    return Architecture.parse(chosen[int(number) - 1]["code"]), manifest["profile"]["reference"]
