"""A network as a user names it: by its code, or as one of the networks that a search chose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mosegedge.errors import ArchitectureError, SearchError, UsageError
from mosegedge.space import Architecture

_Content = TypeVar("_Content")


def network_and_profile(text: str) -> tuple[Architecture, str | None]:
    """Reads `CODE` or `RUN:k`.

    Args:
        text: A code, or the folder of a finished search, a colon and a number counted from 1.

    Returns:
        The network, and the profile that the search used (None for a code).

    Raises:
        UsageError: The run has no such network, or is not finished.
        SearchError: A file of the run is damaged.
        ArchitectureError: The text is neither.
    """
    folder, _, number = text.rpartition(":")
    if not folder or not number.isdecimal():
        return Architecture.parse(_digits(text)), None
    front = Path(folder) / "front.json"
    if not front.is_file():
        raise UsageError(
            f"{folder} has no finished search: there is no {front}.",
            fix=f"Finish it: mosegedge search --output {folder} (with the settings that it was started with).",
        )
    codes = _read(front, lambda record: [str(network["code"]) for network in record["chosen"]])
    if not 1 <= int(number) <= len(codes):
        raise UsageError(f"{text} does not exist.", known=f"The search chose the networks 1 to {len(codes)}.")
    profile = _read(Path(folder) / "run.json", lambda record: str(record["profile"]["reference"]))
    return Architecture.parse(codes[int(number) - 1]), profile


class SearchedSupernet(NamedTuple):
    """The checkpoint that a search scored its networks with.

    Attributes:
        path: Where it was.
        digest: Its SHA-256.
    """

    path: str
    digest: str


def supernet_of(text: str) -> SearchedSupernet | None:
    """The supernet of the search that `RUN:k` names, which `network_and_profile` has read; None for a code.

    Raises:
        SearchError: The run's manifest is damaged.
    """
    folder, _, number = text.rpartition(":")
    if not folder or not number.isdecimal():
        return None
    return _read(
        Path(folder) / "run.json",
        lambda record: SearchedSupernet(str(record["supernet"]["path"]), str(record["supernet"]["digest"])),
    )


def _digits(text: str) -> str:
    """The text where it can be meant as a code; a path with a slip in it cannot."""
    if set(text) <= set("0123456789 -"):
        return text
    raise ArchitectureError(
        f"{text!r} is no code{'' if Path(text).exists() else ', and no file or folder of this name is there'}.",
        known="A code is 29 digits, as 0-00-001100-001100-00111100-001100.",
        fix="Or name the k-th network that a search chose: RUN:k.",
    )


def _read(path: Path, field: Callable[[Any], _Content]) -> _Content:
    try:
        return field(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, RecursionError, FileNotFoundError) as error:
        raise SearchError(
            f"{path} is missing or damaged: {error!r}.", fix="Restore the file from a copy, or search again."
        ) from error
