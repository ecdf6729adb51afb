"""Help texts of all commands at the width of a usual terminal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from mosegedge.cli.main import app


def commands(group: Any, *before: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and group."""
    yield before
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *before, name)


@pytest.mark.parametrize("words", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_prose_of_a_help_text_fills_the_lines(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    prose = [line.strip() for line in shown.stdout.split("Usage:")[1].split("╭")[0].splitlines()]
    # A line ends early only where the next word has no room, or a paragraph ends.
    for line, following in itertools.pairwise(prose):
        assert not line or not following or len(f"{line} {following.split()[0]}") > 78, line
