"""Help texts of all commands at the width of a usual terminal."""

from __future__ import annotations

import itertools

from typer.testing import CliRunner

from mosegedge.cli.main import app


def test_prose_of_help_texts_fills_the_lines() -> None:
    prose = [
        line.strip()
        for command in ("search", "train", "evaluate")
        for line in CliRunner()
        .invoke(app, [command, "--help"], env={"COLUMNS": "80"})
        .stdout.split("╭")[0]
        .splitlines()
    ]
    # A line ends early only where the next word has no room, or a paragraph ends.
    for line, following in itertools.pairwise(prose):
        assert not line or not following or len(f"{line} {following.split()[0]}") > 78, line
