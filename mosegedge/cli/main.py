"""The `mosegedge` command: one module a group of commands, errors turned into one message and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mosegedge.cli import data, demo, devices, export, predict, profile, profiles, report, search, supernet, train
from mosegedge.errors import MosegedgeError

app = typer.Typer(
    name="mosegedge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find and deploy the most accurate segmentation network that meets a frame budget on your own board.",
)
for module in (demo, profile, predict, profiles, devices, data, supernet, train, search, report, export):
    module.register(app)

_INTERRUPTED = 130


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from mosegedge import __version__

        sys.stdout.write(f"mosegedge {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda wanted: _print_version(wanted=wanted), is_eager=True)
    ] = False,
) -> None:
    """Find and deploy the most accurate segmentation network that meets a frame budget on your own board."""


def main() -> None:
    """Runs the command line; no traceback reaches the user for an error that is known."""
    try:
        app()
    except MosegedgeError as error:
        _end(str(error), error.exit_code)
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer has turned Ctrl-C into this
            _end("stopped by Ctrl-C; what was done is kept, the same command goes on from there.", _INTERRUPTED)
        raise
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _end(f"{error.strerror or error}{place}. What was done until then is kept.", MosegedgeError.exit_code)


def _end(message: str, code: int) -> None:
    sys.stderr.write(f"mosegedge: {message}\n")
    sys.exit(code)
