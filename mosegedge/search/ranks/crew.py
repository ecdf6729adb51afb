"""The other ranks as rank 0 sees them: who is idle, who evaluates what, who was lost."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mosegedge.errors import RankLostError
from mosegedge.search.evaluating import Evaluate, Score, score_of, scored
from mosegedge.search.ranks.failing import failing_as
from mosegedge.search.ranks.link import Link
from mosegedge.search.ranks.stopping import Guard
from mosegedge.space import Architecture
from mosegedge.supernet.launch import Member

if TYPE_CHECKING:
    from mosegedge.search.archive import Candidate

SILENCE_S = 120.0  # the others say every few seconds that they live, however long an evaluation takes
_GRACE_S = 1.0  # for a connection to break, once the launcher has noticed a loss
_FAREWELL_S = 2.0


class Crew:
    """The other ranks as the first one sees them: called, it has them evaluate.

    One thread a rank hears what that one says; everything that it learns is under one lock.

    Args:
        member: Rank 0.
        links: To the others, by rank.
        facts: What decides a score here.
        guard: Told when a loss is about to be reported.

    Attributes:
        evaluated: How many networks each rank has evaluated so far.
    """

    def __init__(self, member: Member, links: Mapping[int, Link], facts: Mapping[str, Any], guard: Guard) -> None:
        self._member = member
        self._links = dict(links)
        self._facts = dict(facts)
        self._guard = guard
        self._changed = threading.Condition()
        self._left: deque[Architecture] = deque()
        self._scores: dict[Architecture, Score] = {}
        self._idle: list[int] = []
        self._busy: dict[int, Architecture] = {}
        self._lost = ""
        self._ready: set[int] = set()
        self.evaluated = [0] * member.size
        self._interrupted = self._dismissed = False
        self._ears = {
            rank: threading.Thread(target=self._listen, args=(rank, link), daemon=True) for rank, link in links.items()
        }
        for ear in self._ears.values():
            ear.start()

    def __call__(self, evaluate: Evaluate, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Evaluates candidates on all ranks, and gives each back as soon as all before it are done.

        Raises:
            RankLostError: A rank was lost; what came before is given back first.
        """
        batch = list(candidates)  # what is timed on a device is timed before the processors are busy
        if left := [candidate.architecture for candidate in batch if candidate.failure is None]:
            self._begin(left)
        for candidate in batch:
            if candidate.failure is None:
                yield scored(candidate, self._score(evaluate, candidate.architecture))
            else:
                yield candidate

    def loss(self) -> str:
        """Which rank was lost and how, where that is known or becomes known at once; else empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._lost or self._interrupted, timeout=_GRACE_S)
            return "" if self._interrupted else self._lost

    def dismiss(self) -> None:
        """Tells all others that there is no more to do."""
        with self._changed:
            self._dismissed = True
            idle = set(self._idle)
        for rank, link in self._links.items():
            with contextlib.suppress(OSError):
                link.send({"kind": "end"})
            if rank in idle:
                self._ears[rank].join(_FAREWELL_S)  # it hangs up first, so that nothing it has said is cut off
        for rank, link in self._links.items():
            link.close()
            self._ears[rank].join(_FAREWELL_S)

    def _begin(self, left: Sequence[Architecture]) -> None:
        """Waits for all ranks, as none may turn out to score differently when it is too late; then work begins."""
        with self._changed:
            while len(self._ready) < len(self._links):
                self._require_all()
                self._changed.wait()
            self._left.extend(left)
            idle, self._idle = self._idle, []
            for rank in idle:
                self._hand_out(rank)

    def _score(self, evaluate: Evaluate, wanted: Architecture) -> Score:
        """The score of one network; whatever is left is evaluated here until it is known."""
        while True:
            with self._changed:
                if wanted in self._scores:
                    return self._scores.pop(wanted)
                self._require_all()
                if not self._left:
                    self._changed.wait()
                    continue
                own = self._left.popleft()
            with failing_as(0, self._member.size):
                score = score_of(evaluate, own)
            with self._changed:
                self._scores[own] = score
                self.evaluated[0] += 1

    def _require_all(self) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        if self._lost:
            self._guard.disarm()
            raise RankLostError(self._lost)

    def _listen(self, rank: int, link: Link) -> None:
        try:
            while True:
                self._hear(rank, link.receive(SILENCE_S))
        except TimeoutError:
            self._lose(f"Rank {rank} of {self._member.size} was lost: it has not said a word for {SILENCE_S:.0f} s.")
        except (OSError, ValueError) as error:
            self._lose(f"Rank {rank} of {self._member.size} was lost: {error}.")

    def _hear(self, rank: int, message: dict[str, Any]) -> None:
        with self._changed:
            match message:
                case {"kind": "alive"}:
                    pass
                case {"kind": "ready", "facts": dict(facts)}:
                    if self._agrees(rank, facts):
                        self._ready.add(rank)
                        self._hand_out(rank)
                case {
                    "kind": "score",
                    "code": str(code),
                    "miou": float() | None as miou,
                    "failure": str() | None as failure,
                } if code == str(self._busy.get(rank)):
                    self._scores[self._busy.pop(rank)] = Score(miou, failure)
                    self.evaluated[rank] += 1
                    self._hand_out(rank)
                case {"kind": "interrupted"}:
                    self._interrupted = True
                case {"kind": "failed", "what": str(what)}:
                    self._lose(what)
                case _:
                    raise ValueError(f"it said {str(message)[:80]}")
            self._changed.notify_all()

    def _hand_out(self, rank: int) -> None:
        """Gives a rank that has nothing to do the next network; it waits where there is none."""
        if not self._left:
            self._idle.append(rank)
            return
        self._busy[rank] = self._left.popleft()
        with contextlib.suppress(OSError):  # its ear notices
            self._links[rank].send({"kind": "evaluate", "code": str(self._busy[rank])})

    def _agrees(self, rank: int, facts: Mapping[str, Any]) -> bool:
        """Whether a rank scores networks by the same things; where not, it is of no use."""
        for name in sorted(self._facts.keys() | facts.keys()):
            here, there = self._facts.get(name), facts.get(name)
            if here != there:
                who = f"Rank {rank} of {self._member.size}"
                self._lose(f"{who} would score networks differently: its {name} is {there}, that of rank 0 {here}.")
                return False
        return True

    def _lose(self, what: str) -> None:
        with self._changed:
            if not self._dismissed:
                self._lost = self._lost or what
            self._changed.notify_all()
