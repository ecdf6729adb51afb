"""A search in several processes: which of them talks, and what all but the first do."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from mosegedge.errors import MosegedgeError, RankLostError, UsageError
from mosegedge.search.ranks.place import ALONE, Place, place_from

if TYPE_CHECKING:
    from mosegedge.search.scoring import Scoring


def place_of(arguments: Sequence[str], environ: Mapping[str, str]) -> Place:
    """The place of this process; no other command than the search looks whether there are more."""
    return place_from(environ) if arguments[:1] == ["search"] else ALONE


@contextmanager
def quiet_unless_first(place: Place) -> Iterator[None]:
    """Lets nothing be printed inside by any process but the first."""
    if place.rank == 0:
        yield
        return
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def may_say(place: Place, error: MosegedgeError) -> bool:
    """Whether this process tells the user of an error: the first does, or the second of the loss of the first."""
    return place.rank == 0 or (place.rank == 1 and isinstance(error, RankLostError))


def require_one_process(place: Place, command: str) -> None:
    """Raises UsageError where a command was started several times at once."""
    if place.size > 1:
        raise UsageError(
            f"mosegedge {command} was started as {place.size} processes; there is nothing to share.",
            fix=f"Start it without torchrun: mosegedge {command} ...",
        )


def help_out(place: Place, scoring: Callable[[], Scoring]) -> None:
    """Evaluates what the first process asks for, until the search is over."""
    from mosegedge.search.ranks.helping import help_first

    help_first(place, lambda: scoring().alone())
