"""Asking for a secret on the terminal, one question at a time for the whole process."""

from __future__ import annotations

import getpass
import os

from mosegedge.progress import TERMINAL

_PATH = "/dev/tty"


def has_terminal() -> bool:
    """Whether there is anybody to ask."""
    try:
        os.close(os.open(_PATH, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ask_secret(prompt: str) -> str:
    """What is typed, unseen; empty where the terminal's end was typed."""
    with TERMINAL.asking():
        try:
            return getpass.getpass(prompt)
        except EOFError:
            return ""
