"""What rank 0 does: has networks evaluated by all ranks, and says what is left of the search when one is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mosegedge.errors import RankLostError
from mosegedge.files import Journal
from mosegedge.progress import Progress
from mosegedge.search.evaluating import Share, in_turn
from mosegedge.supernet.launch import Member

_ENDED = "The launcher ended the search (SIGTERM): it was stopped itself, or lost another of its processes."


@contextmanager
def shared_among(member: Member, facts: Mapping[str, Any], folder: Path, progress: Progress) -> Iterator[Share]:
    """Has networks evaluated by all ranks inside; by this process in turn where it has no others.

    Args:
        member: This process; its rank is 0.
        facts: What decides a score; the others must have the same.
        folder: The run folder.
        progress: Told in the end how many networks each rank has evaluated.

    Raises:
        RankLostError: Another rank was lost, or the launcher ended this one. It says what is archived.
    """
    if member.size == 1:
        yield in_turn
        return
    from mosegedge.search.ranks.crew import Crew
    from mosegedge.search.ranks.meeting import gather
    from mosegedge.search.ranks.stopping import Stopped, stopping

    with stopping() as guard:
        crew: Crew | None = None
        try:
            crew = Crew(member, gather(member), facts, guard)
            yield crew
            progress.say(f"Networks evaluated by rank: {', '.join(map(str, crew.evaluated))}.")
        except Stopped:
            raise _told(_ENDED if crew is None else crew.loss() or _ENDED, folder) from None
        except RankLostError as lost:
            guard.disarm()
            raise _told(lost.what, folder) from lost
        finally:
            if crew is not None:
                crew.dismiss()


def _told(what: str, folder: Path) -> RankLostError:
    archived = len(Journal(folder / "archive.jsonl").read())
    return RankLostError(
        what,
        known=f"{archived} evaluated networks are kept in {folder / 'archive.jsonl'}.",
        fix=f"Go on from there, with any number of processes or one: mosegedge search --output {folder} ... "
        "with the same settings.",
    )
