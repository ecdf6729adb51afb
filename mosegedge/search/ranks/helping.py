"""What all ranks but the first do: they evaluate what they are given until there is no more."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mosegedge.errors import RankLostError, SearchError
from mosegedge.search.evaluating import Evaluate, score_of
from mosegedge.search.ranks.failing import failing_as
from mosegedge.search.ranks.link import Link
from mosegedge.search.ranks.meeting import join
from mosegedge.search.ranks.stopping import Stopped, stopping
from mosegedge.space import Architecture
from mosegedge.supernet.launch import Member

_HEARTBEAT_S = 10.0
_GRACE_S = 1.0  # for a connection to break, once the launcher has noticed a loss

Work = Callable[[], tuple[Evaluate, Mapping[str, Any]]]


def help_first(member: Member, work: Work) -> None:
    """Evaluates for rank 0 until that one says that there is no more.

    Args:
        member: This process; its rank is not 0.
        work: Makes the evaluation, and the facts that decide a score.

    Raises:
        RankLostError: Rank 0 was lost, or never found.
        SearchError: This rank failed; rank 0 knows and tells.
    """
    with stopping():
        link = join(member)
        with contextlib.closing(link), _heartbeat(link):
            serve(link, member, work)


def serve(link: Link, member: Member, work: Work) -> None:
    """`help_first` on a link that is there."""
    try:
        with _telling(link, member):
            evaluate, facts = work()
        _send(link, {"kind": "ready", "facts": dict(facts)})
        while (architecture := _next(link, member)) is not None:
            with _telling(link, member):
                score = score_of(evaluate, architecture)
            _send(link, {"kind": "score", "code": str(architecture), "miou": score.miou, "failure": score.failure})
    except Stopped:
        _require_first(link, member)
        raise
    except KeyboardInterrupt:
        _send(link, {"kind": "interrupted"})
        raise


@contextlib.contextmanager
def _telling(link: Link, member: Member) -> Iterator[None]:
    """Has rank 0 told of whatever goes wrong inside."""
    try:
        with failing_as(member.rank, member.size):
            yield
    except RankLostError as lost:
        _send(link, {"kind": "failed", "what": lost.what})
        raise SearchError(lost.what) from lost


def _next(link: Link, member: Member) -> Architecture | None:
    """The network to be evaluated next; none when the search is over."""
    try:
        match link.receive(None):
            case {"kind": "evaluate", "code": str(code)}:
                return Architecture.parse(code)
            case {"kind": "end"}:
                return None
            case message:
                raise ValueError(f"it said {str(message)[:80]}")
    except (OSError, ValueError) as error:
        raise _first_lost(member, error) from error


def _require_first(link: Link, member: Member) -> None:
    """Raises RankLostError where rank 0 is gone without having said that the search is over."""
    try:
        while link.receive(_GRACE_S) != {"kind": "end"}:
            pass
    except TimeoutError:
        return  # it lives: the launcher had another reason
    except (OSError, ValueError) as error:
        raise _first_lost(member, error) from error


def _first_lost(member: Member, error: Exception) -> RankLostError:
    return RankLostError(
        f"Rank 0 of {member.size} was lost: {error}.",
        known="It keeps the run folder; whatever was evaluated until then is in its archive.",
        fix="The same command goes on from there, with any number of processes or one.",
    )


def _send(link: Link, message: dict[str, Any]) -> None:
    """Sends; where rank 0 is gone, the next thing that is waited for from it says so."""
    with contextlib.suppress(OSError):
        link.send(message)


@contextlib.contextmanager
def _heartbeat(link: Link) -> Iterator[None]:
    """Says every few seconds that this rank lives, also while it evaluates."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_HEARTBEAT_S):
            _send(link, {"kind": "alive"})

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
