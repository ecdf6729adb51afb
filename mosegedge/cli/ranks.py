"""A search in several processes: which of them talks, and what all but the first do."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from mosegedge.errors import MosegedgeError, RankLostError, UsageError
from mosegedge.supernet.launch import ALONE, Member, member_from

if TYPE_CHECKING:
    from mosegedge.search.scoring import Scoring


def member_of(arguments: Sequence[str], environ: Mapping[str, str]) -> Member:
    """This process among those that share a search; no other command than the search looks whether there are more."""
    return member_from(environ) if arguments[:1] == ["search"] else ALONE


@contextmanager
def quiet_unless_first(member: Member) -> Iterator[None]:
    """Lets nothing be printed inside by any process but the first."""
    if member.rank == 0:
        yield
        return
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def may_say(member: Member, error: MosegedgeError) -> bool:
    """Whether this process tells the user of an error: the first does, or the second of the loss of the first."""
    return member.rank == 0 or (member.rank == 1 and isinstance(error, RankLostError))


def require_one_process(member: Member, command: str) -> None:
    """Raises UsageError where a command was started several times at once."""
    if member.size > 1:
        raise UsageError(
            f"mosegedge {command} was started as {member.size} processes; there is nothing to share.",
            fix=f"Start it without torchrun: mosegedge {command} ...",
        )


def help_out(member: Member, scoring: Callable[[], Scoring]) -> None:
    """Evaluates what the first process asks for, until the search is over."""
    from mosegedge.search.ranks.helping import help_first

    help_first(member, lambda: scoring().alone())
