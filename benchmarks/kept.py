"""Scores on disk, so that an interrupted benchmark of predictors goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.archives import Evaluations
from benchmarks.splits import Score, Task
from mosegedge.errors import UsageError
from mosegedge.files import Journal, sha256_of_bytes

_OF_A_TASK = ("predictor", "train", "test", "repeat", "seed")


class KeptScores:
    """A journal of the scores on one archive.

    It belongs to one revision of the predictors; nothing in it notices that they were changed.

    Args:
        path: The journal; begun where it is not there.
        data: The archive.

    Raises:
        UsageError: The journal is of another archive.
    """

    def __init__(self, path: Path, data: Evaluations) -> None:
        self._journal = Journal(path)
        header = {"archive_sha256": sha256_of_bytes(data.codes.tobytes() + data.miou.tobytes())}
        records = self._journal.read()
        if not records:
            self._journal.append(header)
        elif records[0] != header:
            raise UsageError(
                f"{path} has scores on other networks.",
                known=f"Its first line is {records[0]}, these networks have {header}.",
                fix="Name another --journal.",
            )
        self._found = {_key(record): record for record in records[1:]}

    def of(self, tasks: Sequence[Task]) -> tuple[list[Score], list[Task]]:
        """The scores of those tasks that were done before, and the tasks that were not."""
        done, rest = [], []
        for task in tasks:
            record = self._found.get(_key(asdict(task)))
            if record is None:
                rest.append(task)
            else:
                values = {name: value for name, value in record.items() if name not in _OF_A_TASK}
                done.append(Score(task=task, **values))
        return done, rest

    def add(self, score: Score) -> None:
        """Keeps a score; it is on disk when this returns."""
        record = asdict(score)
        task = record.pop("task")
        self._journal.append({**{name: task[name] for name in _OF_A_TASK}, **record})


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in _OF_A_TASK)
