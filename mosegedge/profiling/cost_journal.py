"""The raw record of energy and memory of one profile, beside that of its times.

{"type": "begin", "run": ...}                                 the measurement of times that it belongs to
{"type": "sensor", "words": ...}                              what counts energy
{"type": "energy", "key": ..., "energy_mj": ..., ...}         one reading: runs, ns and mj of its burst
{"type": "rest", "rest_w": [...]}                             power without work, before and after some readings
{"type": "memory", "key": ..., "mib": ..., "how": ...}        one model
{"type": "stopped", "cost": "energy", "reason": ...}          nothing more will be measured of it, and why
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mosegedge.devices.replies import EnergyReading
from mosegedge.errors import MosegedgeError, ProfileError
from mosegedge.files import Journal
from mosegedge.profiling.cost_models import Cost


class CostJournal:
    """Reads what an earlier run left, and appends to it.

    Args:
        path: The file; absent for a new profile.
        run: Token of the measurement of times. A record of another one is set aside.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self._journal = Journal(path)
        self._start()
        if records := self._read():
            if records[0].get("run") == run:
                for record in records:
                    self._take(record)
                return
            path.replace(path.with_name(f"{path.name}.old"))
        self._append({"type": "begin", "run": run})

    @property
    def idle_w(self) -> float | None:
        """Power without work, the median of all pauses; None where nothing was measured."""
        return round(float(np.median(self._rest_w)), 3) if self._rest_w else None

    def words(self, cost: Cost) -> str:
        """How a cost was measured, or why it was not."""
        how, stopped = self._words.get(cost, ""), self.stopped.get(cost, "")
        if how and stopped:
            return f"{how}; ended after {len(self.values[cost])} models: {stopped}"
        return how or stopped

    def add_sensor(self, words: str) -> None:
        """Records what counts energy."""
        self._append({"type": "sensor", "words": words})

    def add_energy(self, key: str, reading: EnergyReading) -> None:
        """Records one reading."""
        self._append({"type": "energy", "key": key, **reading.model_dump(exclude={"model"})})

    def add_rest(self, rest_w: Sequence[float]) -> None:
        """Records the power without work."""
        self._append({"type": "rest", "rest_w": list(rest_w)})

    def add_memory(self, key: str, mib: float, how: str) -> None:
        """Records the memory of a model."""
        self._append({"type": "memory", "key": key, "mib": mib, "how": how})

    def stop(self, cost: Cost, reason: str) -> None:
        """Records that nothing more will be measured of a cost."""
        self._append({"type": "stopped", "cost": cost, "reason": reason})

    def _start(self) -> None:
        self.values: dict[str, dict[str, float]] = {"energy": {}, "memory": {}}
        self.stopped: dict[str, str] = {}
        self._words: dict[str, str] = {}
        self._rest_w: list[float] = []

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._journal.append(record)
        except OSError as error:
            raise ProfileError(
                f"{self.path} cannot be written: {error.strerror}.",
                fix="Free some disk space, then start the same command again.",
            ) from error
        self._take(record)

    def _read(self) -> list[dict[str, Any]]:
        try:
            return self._journal.read()
        except OSError as error:
            raise ProfileError(f"{self.path} cannot be read: {error.strerror}.") from error
        except MosegedgeError as error:
            raise ProfileError(error.what, known=error.known, fix=f"Remove {self.path}.") from error

    def _take(self, record: dict[str, Any]) -> None:
        try:
            match record["type"]:
                case "sensor":
                    self._words["energy"] = record["words"]
                case "energy":
                    self.values["energy"][record["key"]] = float(record["energy_mj"])
                case "rest":
                    self._rest_w += [float(watts) for watts in record["rest_w"]]
                case "memory":
                    self.values["memory"][record["key"]] = float(record["mib"])
                    self._words["memory"] = record["how"]
                case "stopped":
                    self.stopped[record["cost"]] = record["reason"]
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(
                f"{self.path} holds a record that is no part of it: {str(record)[:120]}.", fix=f"Remove {self.path}."
            ) from error
