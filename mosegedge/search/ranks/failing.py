"""What both kinds of ranks do with one network, and with what goes wrong there."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mosegedge.errors import MosegedgeError, RankLostError


@contextmanager
def failing_as(rank: int, size: int) -> Iterator[None]:
    """Turns any error inside into the loss of this rank, in one line.

    Raises:
        RankLostError: Something went wrong, the loss of another rank among it.
    """
    try:
        yield
    except RankLostError:
        raise
    except Exception as error:  # handed over to whoever tells the user, not swallowed
        raise RankLostError(f"Rank {rank} of {size} failed: {_in_one_line(error)}") from error


def _in_one_line(error: Exception) -> str:
    """What happened, and where unless the error is one that speaks for itself."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    last = traceback.extract_tb(error.__traceback__)[-1]
    return text if isinstance(error, MosegedgeError) else f"{text} ({Path(last.filename).name}, line {last.lineno})"
