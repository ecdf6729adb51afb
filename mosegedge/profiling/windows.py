"""What the journal knows of windows, the bursts between two visits of a sentinel, and of where the time went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Visit = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One visit of a sentinel: which layer, and its fastest run."""

    key: str
    low_ns: int


@dataclass(slots=True)
class Window:
    """Some bursts, with the sentinel before and the one after them; fewer where timing was interrupted.

    Attributes:
        sentinels: Visits around the bursts.
        visits: The bursts that still count.
    """

    sentinels: list[Sentinel] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)


class Windows:
    """Filled by the journal, record by record.

    Attributes:
        found: All windows in order.
        discarded: How often a burst was discarded.
        bursts: Number of bursts, whether they count or not.
        wall_s: Time on record, building and waiting included.
        build_s: Of that, time in which models were made and nothing was timed.
        timed_s: Of that, time inside bursts, warm-up included, whether they count or not.
    """

    def __init__(self) -> None:
        self.found: list[Window] = [Window()]
        self.discarded: Counter[Visit] = Counter()
        self.bursts = 0
        self.wall_s = 0.0
        self.build_s = 0.0
        self.timed_s = 0.0
        self._seconds: dict[str, list[float]] = {}

    def burst_s(self, key: str) -> float:
        """How long a burst of a model took, warm-up included; 0 where there was none."""
        seconds = self._seconds.get(key, [])
        return sum(seconds) / len(seconds) if seconds else 0.0

    def take(self, record: dict[str, Any]) -> None:
        """Takes what is no burst of the plan."""
        if record["type"] == "sentinel":
            self.add_sentinel(record)
        else:
            self.spend(record)

    def add_burst(self, record: dict[str, Any]) -> None:
        """Takes a burst."""
        self.found[-1].visits.append((record["key"], record["visit"]))
        self.bursts += 1
        self._seconds.setdefault(record["key"], []).append(self._add_time(record))

    def add_sentinel(self, record: dict[str, Any]) -> None:
        """Takes a visit of a sentinel, which ends one window and begins the next."""
        sentinel = Sentinel(record["key"], min(record["device_ns"] or record["samples_ns"]))
        self.found[-1].sentinels.append(sentinel)
        self.found.append(Window([sentinel]))
        self._add_time(record)

    def add_probe(self, record: dict[str, Any]) -> None:
        """Takes a burst of a probe of the roofline."""
        self._add_time(record)

    def spend(self, record: dict[str, Any]) -> None:
        """Takes time that went by; what was timed before it has nothing to do with what comes."""
        self.wall_s += record["wall_s"]
        self.build_s += record.get("build_s", 0.0)
        self.found.append(Window())

    def discard(self, visits: Iterable[Visit]) -> None:
        """Takes bursts out that do not count."""
        leaving = set(visits)
        self.discarded.update(leaving)
        for window in self.found:
            if not leaving.isdisjoint(window.visits):
                window.visits = [visit for visit in window.visits if visit not in leaving]

    def _add_time(self, record: dict[str, Any]) -> float:
        seconds = (sum(record["warmup_ns"]) + sum(record["samples_ns"])) / 1e9
        self.timed_s += seconds
        return float(seconds)
