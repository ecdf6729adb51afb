"""The `mosegedge` command: one module a group of commands, errors turned into one message and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mosegedge.cli import (
    data,
    demo,
    devices,
    evaluate,
    export,
    predict,
    profile,
    profiles,
    report,
    retrain,
    search,
    supernet,
    train,
)
from mosegedge.cli.help_texts import fill_paragraphs
from mosegedge.cli.ranks import may_say, member_of, quiet_unless_first
from mosegedge.errors import MosegedgeError
from mosegedge.supernet.launch import ALONE

app = typer.Typer(
    name="mosegedge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find and deploy the most accurate segmentation network that meets a frame budget on your own board.",
)
for module in (
    demo, profile, predict, profiles, devices, data, supernet, train, retrain, search, report, evaluate, export,
):  # fmt: skip
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
        bool,
        typer.Option(
            "--version", callback=lambda wanted: _print_version(wanted=wanted), is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Find and deploy the most accurate segmentation network that meets a frame budget on your own board."""


fill_paragraphs(app)


def main() -> None:
    """Runs the command line; no traceback reaches the user for an error that is known."""
    member = ALONE
    try:
        member = member_of(sys.argv[1:], os.environ)
        with quiet_unless_first(member):
            app()
    except MosegedgeError as error:
        _end(str(error), error.exit_code, aloud=may_say(member, error))
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer has turned Ctrl-C into this
            text = "stopped by Ctrl-C; what was done is kept, the same command goes on from there."
            _end(text, _INTERRUPTED, aloud=member.rank == 0)
        raise
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        text = f"{error.strerror or error}{where}. What was done until then is kept."
        _end(text, MosegedgeError.exit_code, aloud=member.rank == 0)


def _end(message: str, code: int, *, aloud: bool) -> None:
    if aloud:
        sys.stderr.write(f"mosegedge: {message}\n")
    sys.exit(code)
