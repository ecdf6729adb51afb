"""What the journal knows of windows: the bursts between two visits of the sentinels, and where the time went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

Visit = tuple[str, int]


class Windows:
    """Filled by the journal, record by record.

    Attributes:
        visits: For each closed window the bursts in it that still count.
        lows_ns: For each closed window the fastest run of every sentinel.
        discarded: How often a burst was discarded.
        wall_s: Time on record, building and waiting included.
        build_s: Of that, time in which models were made and nothing was timed.
        timed_s: Of that, time inside bursts, warm-up included, whether they count or not.
        bursts: Number of bursts, whether they count or not.
    """

    def __init__(self) -> None:
        self.visits: list[list[Visit]] = []
        self.lows_ns: list[dict[str, int]] = []
        self.discarded: Counter[Visit] = Counter()
        self.wall_s = 0.0
        self.build_s = 0.0
        self.timed_s = 0.0
        self.bursts = 0
        self._seconds: dict[str, list[float]] = {}
        self._visits: list[Visit] = []
        self._lows_ns: dict[str, int] = {}

    def add_burst(self, record: dict[str, Any]) -> None:
        """Takes a burst."""
        self._visits.append((record["key"], record["visit"]))
        self.bursts += 1
        self._seconds.setdefault(record["key"], []).append(self._add_time(record))

    def burst_s(self, key: str) -> float:
        """How long a burst of a model took, warm-up included; 0 where there was none."""
        seconds = self._seconds.get(key, [])
        return sum(seconds) / len(seconds) if seconds else 0.0

    def add_sentinel(self, record: dict[str, Any]) -> None:
        """Takes a burst of a sentinel."""
        key, low = record["key"], min(record["device_ns"] or record["samples_ns"])
        self._lows_ns[key] = min(low, self._lows_ns.get(key, low))
        self._add_time(record)

    def end(self, record: dict[str, Any]) -> None:
        """Takes the end of a window, or time that was spent otherwise."""
        self.wall_s += record["wall_s"]
        self.build_s += record.get("build_s", 0.0)
        if record["type"] == "window":
            self.visits.append(self._visits)
            self.lows_ns.append(self._lows_ns)
            self._visits, self._lows_ns = [], {}

    def discard(self, visits: Iterable[Visit]) -> None:
        """Takes bursts out that do not count."""
        leaving = set(visits)
        self.discarded.update(leaving)
        for window in (*self.visits, self._visits):
            window[:] = [visit for visit in window if visit not in leaving]

    def _add_time(self, record: dict[str, Any]) -> float:
        seconds = (sum(record["warmup_ns"]) + sum(record["samples_ns"])) / 1e9
        self.timed_s += seconds
        return float(seconds)
