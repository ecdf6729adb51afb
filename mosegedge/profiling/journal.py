"""The raw record of one profile: what was measured, line by line, and what happened meanwhile.

{"type": "begin", "plan": ..., "fingerprint": ...}      first line; `run` names the run to the agents on the device
{"type": "model", "key": ..., "sha256": ...}            a model was built and sent; `notes` say what the host knew of it
{"type": "built", "key": ..., "notes": ...}             what the device's compiler said of it
{"type": "burst", "key": ..., "visit": 0, ...}          raw samples; each (key, visit) counts once
{"type": "sentinel", "key": ..., ...}                   raw samples of a layer that tells how fast the device is now
{"type": "batch", "wall_s": ...}                        a few dozen bursts are done, and took this long
{"type": "spent", "wall_s": ..., "build_s": ...}        time that went by otherwise, and how much of it made models
{"type": "discard", "visits": ..., "reason": ...}       bursts that do not count: the device was slow or throttled
{"type": "throttled", "visits": ..., "reason": ...}     bursts that count all the same: waiting did not help
{"type": "crash", "key": ...}                           the agent died with this model in its hands
{"type": "failed", "key": ..., "error": ...}            the device cannot run this model
{"type": "probe" | "refused" | "died" | "no probes"}    of the roofline, see `probe_record`
{"type": "event", "time": ..., "text": ...}             the agent or the connection was lost, and why
{"type": "resumed", "time": ..., "text": ...}           measuring went on after that, or after another start
{"type": "conditions", ...}                             clocks, temperature and load; a round of bursts begins
{"type": "cool", "bursts": 48}                          the device was not throttled during the bursts before this line
{"type": "end", ...}                                    nothing more will be measured

Bursts survive the end of this program at once and that of the machine from the end of their batch on; all else is on
disk before anything follows. What is lost is measured again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mosegedge.devices.agent_client import new_run
from mosegedge.devices.replies import Artefact, Burst, DeviceDescription
from mosegedge.errors import MosegedgeError, ProfileError
from mosegedge.files import Journal
from mosegedge.profiling.fingerprint import require_same
from mosegedge.profiling.journal_record import checked_record
from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.plan import Plan
from mosegedge.profiling.probe_record import ProbeRecord
from mosegedge.profiling.windows import Windows


class ProfileJournal:
    """Reads what an earlier run left, and appends to it.

    Args:
        path: The file; absent for a new profile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path)
        self.models: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.formats: dict[str, str] = {}
        self.throttled: dict[str, str] = {}
        self.crashes: dict[str, int] = {}
        self.events: list[str] = []
        self.conditions: list[dict[str, Any]] = []
        self.begin_record: dict[str, Any] | None = None
        self.ended = False
        self.windows = Windows()
        self.probes = ProbeRecord(self._append, self.windows)
        self.built_bytes: dict[str, int] = {}
        self._bursts: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self._sent: dict[str, list[str]] = {}
        self._built: dict[str, list[str]] = {}
        self._early: list[dict[str, Any]] = []
        self._tells_of_heat = False
        self._unconfirmed: dict[tuple[str, int], None] = {}
        self._read()
        kept = self.begin_record.get("run") if self.begin_record else None
        self.run = str(kept) if kept else new_run()

    @property
    def notes(self) -> dict[str, int]:
        """What compilers and tables of operators said, with the number of models that they said so of."""
        keys = {*self._sent, *self._built}
        return dict(Counter(note for key in keys for note in {*self._sent.get(key, []), *self._built.get(key, [])}))

    @property
    def bursts(self) -> int:
        """Number of bursts on record."""
        return sum(len(visits) for visits in self._bursts.values())

    @property
    def unconfirmed(self) -> list[tuple[str, int]]:
        """Bursts of a device that tells when it is throttled, which has not told of these yet."""
        return list(self._unconfirmed)

    @property
    def passes(self) -> int:
        """How often the models were timed, at least; models with several visits a pass have more bursts."""
        return min((len(visits) for visits in self._bursts.values()), default=0)

    def begin(self, plan: Plan, description: DeviceDescription, *, command: str, host_compiler: str = "") -> None:
        """Starts the record, or makes sure that an earlier run with the same plan on the same device started it.

        Args:
            plan: What is measured.
            description: What the device says of itself.
            command: How to go on.
            host_compiler: Which compiler on this machine makes its models, empty for none; another one makes others.

        Raises:
            ProfileError: The journal belongs to another plan, or the device has changed meanwhile.
        """
        record = {
            "type": "begin",
            "plan": plan.digest,
            "space": plan.space.name,
            "fingerprint": description.fingerprint | ({"host_compiler": host_compiler} if host_compiler else {}),
            "command": command,
            "run": self.run,
        }
        if self.begin_record is None:
            self._append(record)
            for early in self._early:
                self._append(early)
            return
        require_same(self.begin_record, record, path=self.path, device=plan.device.name)

    def has(self, key: str, visit: int) -> bool:
        """Whether this burst is on record."""
        return visit in self._bursts.get(key, {})

    def visits(self, key: str) -> int:
        """Number of bursts of one model that count."""
        return len(self._bursts.get(key, {}))

    def next_visit(self, key: str) -> int:
        """Number of the next burst of a model: the first one that is missing."""
        taken = self._bursts.get(key, {})
        return next(number for number in range(len(taken) + 1) if number not in taken)

    def add_model(self, key: str, sha256: str, model_format: str, notes: Sequence[str] = ()) -> None:
        """Records that a model is on the device, as ONNX or in the format of its compiler."""
        said = {"notes": list(notes)} if notes else {}
        self._append({"type": "model", "key": key, "sha256": sha256, "format": model_format, **said})

    def add_built(self, key: str, artefact: Artefact) -> None:
        """Records what the device made of a model."""
        values = artefact.model_dump(include={"sha256", "bytes", "build_s", "cached", "notes"})
        self._append({"type": "built", "key": key, **values})

    def add_burst(self, key: str, visit: int, burst: Burst) -> None:
        """Records raw samples."""
        self._append({"type": "burst", "key": key, "visit": visit, **burst.raw}, wait=False)

    def add_sentinel(self, key: str, burst: Burst) -> None:
        """Records raw samples of a sentinel; they say how fast the device is and count for no entry."""
        self._append({"type": "sentinel", "key": key, **burst.raw}, wait=False)

    def end_batch(self, *, wall_s: float) -> None:
        """Ends a batch of bursts; they are on disk from here on."""
        self._append({"type": "batch", "wall_s": round(wall_s, 3)})

    def add_spent(self, *, wall_s: float, build_s: float = 0.0) -> None:
        """Records time that no batch holds."""
        self._append({"type": "spent", "wall_s": round(wall_s, 3), "build_s": round(build_s, 3)})

    def discard(self, visits: Iterable[tuple[str, int]], *, reason: str) -> None:
        """Has bursts measured again; their samples stay in the file."""
        self._append({"type": "discard", "visits": [list(visit) for visit in visits], "reason": reason})

    def add_throttled(self, visits: Iterable[tuple[str, int]], *, reason: str) -> None:
        """Records bursts that count although the device was throttled, since waiting did not help."""
        self._append({"type": "throttled", "visits": [list(visit) for visit in visits], "reason": reason})

    def confirm(self) -> None:
        """Records that the device was not throttled during the bursts since it was last asked."""
        if self._unconfirmed:
            self._append({"type": "cool", "bursts": len(self._unconfirmed)})

    def add_failure(self, key: str, error: str) -> None:
        """Records that the device cannot run a model."""
        self._append({"type": "failed", "key": key, "error": error})

    def add_crash(self, key: str) -> int:
        """Records that the agent died with a model in its hands; returns how often since that model was last timed."""
        self._append({"type": "crash", "key": key})
        return self.crashes[key]

    def add_event(self, text: str) -> None:
        """Records that the agent or the way to it was lost, which a reader of the numbers should know."""
        self._append_dated("event", text)

    def add_resumed(self, text: str) -> None:
        """Records that measuring went on."""
        self._append_dated("resumed", text)

    def add_conditions(self, conditions: dict[str, Any]) -> None:
        """Records what the device was doing."""
        self._append({"type": "conditions", "values": conditions})

    def end(self, *, reason: str) -> None:
        """Records that nothing more will be measured."""
        self._append({"type": "end", "reason": reason})

    def measurement(self, key: str, *, clock: str = "host") -> Measurement | None:
        """All bursts of a model by one clock, in the order of their visits; None where there is none."""
        visits = self._bursts.get(key)
        if not visits:
            return None
        ordered = [visits[visit] for visit in sorted(visits)]
        preempted = sum(sum(1 for count in burst["preempted"] if count) for burst in ordered)
        bursts_ns = tuple(tuple(burst["device_ns" if clock == "device" else "samples_ns"]) for burst in ordered)
        throttled, rounds = self.throttled.get(key, ""), tuple(burst["round"] for burst in ordered)
        return Measurement(key, bursts_ns, preempted, throttled, rounds)

    def set_aside(self) -> None:
        """Renames the file, so that a new measurement starts from nothing and the old samples stay."""
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        self.path.rename(target)

    def _append_dated(self, kind: str, text: str) -> None:
        """Records what happened and when; before the journal has begun it waits for its first line."""
        record = {"type": kind, "time": datetime.now(UTC).isoformat(timespec="seconds"), "text": text}
        if self.begin_record is None:
            self._early.append(record)
        else:
            self._append(record)

    def _append(self, record: dict[str, Any], *, wait: bool = True) -> None:
        try:
            self._journal.append(record, wait=wait)
        except OSError as error:
            raise ProfileError(
                f"{self.path} cannot be written: {error.strerror}.",
                known=f"{self.bursts} bursts are kept.",
                fix="Free some disk space, then start the same command again.",
            ) from error
        self._take(record)

    def _read(self) -> None:
        fix = "Start again with --restart; the old journal is set aside."
        try:
            records = self._journal.read()
        except OSError as error:
            raise ProfileError(f"{self.path} cannot be read: {error.strerror}.") from error
        except MosegedgeError as error:
            raise ProfileError(error.what, known=error.known, fix=fix) from error
        for record in records:
            try:
                self._take(checked_record(record))
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                what = f"{self.path} holds a record that is no part of a journal: {str(record)[:120]}."
                raise ProfileError(what, fix=fix) from error

    def _take(self, record: dict[str, Any]) -> None:
        match record["type"]:
            case "begin":
                self.begin_record = record
            case "model":
                self.models[record["key"]] = record["sha256"]
                self.formats[record["key"]] = record.get("format", "onnx")
                self._sent[record["key"]] = list(record.get("notes", []))
            case "built":
                self._built[record["key"]] = list(record["notes"])
                self.built_bytes[record["key"]] = record.get("bytes", 0)
            case "crash":
                self.crashes[record["key"]] = self.crashes.get(record["key"], 0) + 1
            case "throttled":
                self.throttled.update({key: record["reason"] for key, _ in record["visits"]})
                self._unconfirmed.clear()
            case "cool":
                self._unconfirmed.clear()
            case "discard":
                for key, visit in record["visits"]:
                    self._bursts[key].pop(visit, None)
                    self._unconfirmed.pop((key, visit), None)
                self.windows.discard([(key, visit) for key, visit in record["visits"]])
            case "burst":
                # Rounds begin with their conditions.
                self._bursts[record["key"]][record["visit"]] = record | {"round": len(self.conditions)}
                self.windows.add_burst(record)
                self.crashes.pop(record["key"], None)
                if self._tells_of_heat:
                    self._unconfirmed[record["key"], record["visit"]] = None
            case "probe" | "refused" | "died" | "no probes":
                self.probes.take(record)
            case "failed":
                self.failed[record["key"]] = record["error"]
            case "event":
                self.events.append(record["text"])
            case "conditions":
                self.conditions.append(record["values"])
                self._tells_of_heat = "throttled" in record["values"]
            case "resumed":
                pass
            case "sentinel" | "batch" | "spent":
                self.windows.take(record)
            case "end":
                self.ended = True
            case unknown:
                raise ValueError(unknown)
