"""What every command prints and how: results on stdout, prose and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from mosegedge.progress import Progress

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of text.")]


def emit(result: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Prints the result of a command on stdout: the object with `--json`, else the text."""
    sys.stdout.write((json.dumps(result, indent=2) if as_json else text.rstrip("\n")) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Prints a line of prose on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """A live bar with the time left on a terminal, a line every ten seconds elsewhere."""
    from mosegedge.cli.bars import LineProgress, RichProgress

    if sys.stderr.isatty():
        with RichProgress() as bar:
            yield bar
    else:
        yield LineProgress()
