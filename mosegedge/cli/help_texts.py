"""Help texts that fill the terminal: typer keeps the line breaks of a docstring's later paragraphs."""

from __future__ import annotations

import inspect

import typer
from typer.models import CommandInfo, TyperInfo


def fill_paragraphs(app: typer.Typer) -> None:
    """Takes the line breaks out of the paragraphs of all help texts, those of groups included."""
    commands: list[CommandInfo | TyperInfo] = [*app.registered_commands]
    if app.registered_callback:
        commands.append(app.registered_callback)
    for command in commands:
        if text := command.help or (command.callback.__doc__ if command.callback else None):
            paragraphs = inspect.cleandoc(text).split("\n\n")
            command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for group in app.registered_groups:
        if group.typer_instance:
            fill_paragraphs(group.typer_instance)
