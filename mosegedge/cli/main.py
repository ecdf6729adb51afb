"""The `mosegedge` command: one module a group of commands, errors turned into one message and an exit code."""

from __future__ import annotations

import sys

import typer

from mosegedge.errors import MosegedgeError

app = typer.Typer(
    name="mosegedge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Find and deploy the most accurate segmentation network that meets a frame budget on your own board.",
)


def main() -> None:
    """Runs the command line; no traceback reaches the user for an error that we know."""
    try:
        app()
    except MosegedgeError as error:
        sys.stderr.write(f"mosegedge: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("mosegedge: stopped by Ctrl-C; what was done is kept, the same command goes on from there.\n")
        sys.exit(130)
