"""The raw record of a check: which networks were drawn, and every burst of each, so that a check can go on.

{"type": "begin", "profile": ..., "codes": [...], ...}  first line: whose check, its settings, the seed, the anchors
{"type": "model", "code": ..., "sha256": ...}           a network was built and is on the device
{"type": "burst", "code": ..., "round": 0, ...}         raw samples; each (code, round) counts once
{"type": "round", "round": 0, "wall_s": ...}            a round is complete; how long it took this time
{"type": "throttled", "codes": [...], "reason": ...}    the device was throttled while these were timed
{"type": "crash", "code": ...}                          the agent died with this network in its hands
{"type": "failed", "code": ..., "error": ...}           the device cannot run this network
{"type": "event", "time": ..., "text": ...}             the agent or the connection was lost, and why
{"type": "resumed", "time": ..., "text": ...}           the check went on after that
{"type": "end", "rounds": ...}                          nothing more will be measured
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mosegedge.devices.replies import Burst
from mosegedge.errors import MosegedgeError, ProfileError
from mosegedge.files import Journal
from mosegedge.profiling.measurement import Measurement

_FIX = "Start again with --restart; the old record is set aside."


class CheckRecord:
    """Reads what an earlier run left, and appends to it.

    Args:
        path: The file; absent for a new check.

    Raises:
        ProfileError: It cannot be read, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path)
        self.begin: dict[str, Any] | None = None
        self.models: dict[str, tuple[str, str]] = {}
        self.failed: dict[str, str] = {}
        self.throttled: dict[str, str] = {}
        self.crashes: Counter[str] = Counter()
        self.spent_s = 0.0
        self.ended = False
        self._bursts: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        try:
            for record in self._journal.read():
                self._take(record)
        except OSError as error:
            raise ProfileError(f"{path} cannot be read: {error.strerror}.") from error
        except MosegedgeError as error:
            raise ProfileError(error.what, known=error.known, fix=_FIX) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ProfileError(f"{path} holds something that is no record of a check: {error!r}.", fix=_FIX) from error

    @property
    def bursts(self) -> int:
        """Number of bursts on record."""
        return sum(len(rounds) for rounds in self._bursts.values())

    def has(self, code: str, number: int) -> bool:
        """Whether this network was timed in this round."""
        return number in self._bursts.get(code, {})

    def add(self, kind: str, **values: Any) -> None:
        """Records something other than a burst, by the kinds above."""
        self._append({"type": kind, **values})

    def add_burst(self, code: str, number: int, burst: Burst) -> None:
        """Records raw samples."""
        samples = burst.model_dump(mode="json", include={"warmup_ns", "samples_ns", "device_ns", "preempted"})
        self._append({"type": "burst", "code": code, "round": number, **samples})

    def add_crash(self, code: str) -> int:
        """Records that the agent died with a network in its hands; returns how often since that one was last timed."""
        self.add("crash", code=code)
        return self.crashes[code]

    def add_event(self, text: str) -> None:
        """Records that the agent or the way to it was lost, which a reader of the numbers should know."""
        self.add("event", time=_now(), text=text)

    def add_resumed(self, text: str) -> None:
        """Records that the check went on."""
        self.add("resumed", time=_now(), text=text)

    def measurement(self, code: str, *, clock: str) -> Measurement | None:
        """All bursts of a network by one clock, round by round; None where there is none."""
        rounds = self._bursts.get(code)
        if not rounds:
            return None
        ordered = [rounds[number] for number in sorted(rounds)]
        name = "device_ns" if clock == "device" else "samples_ns"
        preempted = sum(1 for burst in ordered for count in burst["preempted"] if count)
        bursts_ns = tuple(tuple(burst[name]) for burst in ordered)
        return Measurement(f"network {code}", bursts_ns, preempted, self.throttled.get(code, ""))

    def set_aside(self) -> None:
        """Renames the file, so that a new check starts from nothing and the old samples stay."""
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        self.path.rename(target)

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._journal.append(record)
        except OSError as error:
            raise ProfileError(
                f"{self.path} cannot be written: {error.strerror}.",
                known=f"{self.bursts} bursts are kept.",
                fix="Free some disk space, then start the same command again.",
            ) from error
        self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        match record["type"]:
            case "begin":
                self.begin = record
            case "model":
                self.models[record["code"]] = (record["sha256"], record["format"])
            case "burst":
                self._bursts[record["code"]][record["round"]] = record
                self.crashes.pop(record["code"], None)
            case "crash":
                self.crashes[record["code"]] += 1
            case "event" | "resumed":
                pass
            case "round":
                self.spent_s += float(record["wall_s"])
            case "throttled":
                self.throttled.update(dict.fromkeys(record["codes"], record["reason"]))
            case "failed":
                self.failed[record["code"]] = record["error"]
            case "end":
                self.ended = True
            case unknown:
                raise ValueError(unknown)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
