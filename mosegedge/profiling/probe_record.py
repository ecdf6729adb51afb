"""The part of a journal that is about the probes of the roofline.

{"type": "probe", "key": ..., "visit": 0, ...}          raw samples of a probe
{"type": "refused", "key": ..., "error": ...}           the device does not take this probe
{"type": "died", "key": ...}                            the agent died with this probe in its hands
{"type": "no probes", "reason": ...}                    no probe will be timed any more
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from mosegedge.devices.replies import Burst
from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.windows import Windows

Record = dict[str, Any]


class ProbeRecord:
    """What is known of the probes.

    Args:
        append: Writes a record to the journal, which hands it to `take`.
        windows: Count the time that was spent.

    Attributes:
        refused: Why the device does not take a probe, by its key.
        given_up: Why no probe is timed any more; empty where nothing speaks against it.
    """

    def __init__(self, append: Callable[[Record], None], windows: Windows) -> None:
        self._append = append
        self._windows = windows
        self._bursts: dict[str, dict[int, Record]] = defaultdict(dict)
        self._deaths: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        self.given_up = ""

    def has(self, key: str, visit: int) -> bool:
        """Whether this burst is on record."""
        return visit in self._bursts.get(key, {})

    def visits(self, key: str) -> int:
        """Number of bursts on record."""
        return len(self._bursts.get(key, {}))

    def add_burst(self, key: str, visit: int, burst: Burst) -> None:
        """Records raw samples."""
        self._append({"type": "probe", "key": key, "visit": visit, **burst.raw})

    def refuse(self, key: str, error: str) -> None:
        """Records that the device does not take a probe."""
        self._append({"type": "refused", "key": key, "error": error})

    def add_death(self, key: str) -> int:
        """Records that the agent died with a probe in its hands; returns how often since that probe was last timed."""
        self._append({"type": "died", "key": key})
        return self._deaths[key]

    def give_up(self, reason: str) -> None:
        """Records that no probe will be timed any more."""
        self._append({"type": "no probes", "reason": reason})

    def take(self, record: Record) -> None:
        """Learns what a record says."""
        match record["type"]:
            case "probe":
                self._bursts[record["key"]][record["visit"]] = record
                self._windows.add_probe(record)
                del self._deaths[record["key"]]
            case "died":
                self._deaths[record["key"]] += 1
            case "refused":
                self.refused[record["key"]] = record["error"]
            case _:
                self.given_up = record["reason"]

    def measurement(self, key: str, *, clock: str = "host") -> Measurement | None:
        """All bursts of a probe by one clock, in the order of their visits; None where there is none."""
        visits = self._bursts.get(key)
        if not visits:
            return None
        ordered = [visits[visit] for visit in sorted(visits)]
        samples = "device_ns" if clock == "device" else "samples_ns"
        preempted = sum(sum(1 for count in burst["preempted"] if count) for burst in ordered)
        return Measurement(key, tuple(tuple(burst[samples]) for burst in ordered), preempted)
