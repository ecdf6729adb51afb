"""A small measurement, and what must be equal however often it was disturbed."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import fakeboard
import pytest

from mosegedge.profiling import Profile, ProfileSettings, profile_device
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano")
SETTINGS = ProfileSettings(scales=(0,), networks=24, passes=2)
COMMAND = ["profile", "--device", "board", "--space", "nano", "--scales", "0", "--networks", "24", "--passes", "2"]
JOURNAL = Path("profiles/board/nano-fp32/v1.journal.jsonl")


def bursts(path: Path = JOURNAL) -> Counter[tuple[str, int]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return Counter((record["key"], record["visit"]) for record in records if record["type"] == "burst")


def assert_complete(plan, path: Path = JOURNAL) -> None:
    """Every burst of the plan is on record, and none twice."""
    wanted = {(item.key, visit) for item in plan.items for visit in range(plan.settings.passes)}
    found = bursts(path)
    assert set(found) == wanted
    assert set(found.values()) == {1}


def assert_equal(profile, expected) -> None:
    for field in ("space", "entries", "networks", "failed", "model", "certificate", "repeatability"):
        assert getattr(profile, field) == getattr(expected, field)


def samples(path: Path = JOURNAL) -> dict[tuple[str, int], list[int]]:
    """The raw samples that count, by model and visit."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {(record["key"], record["visit"]): record["samples_ns"] for record in records if record["type"] == "burst"}


class Undisturbed(NamedTuple):
    """What a run finds that nothing disturbed: the profile, its file, and the samples that count."""

    profile: Profile
    text: bytes
    samples: dict[tuple[str, int], list[int]]


@cache
def undisturbed_run() -> Undisturbed:
    """Measures once for all tests of a process."""
    with quick_folder() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        profile = profile_device(fakeboard.install(folder, monkeypatch), SPACE, settings=SETTINGS)
        return Undisturbed(profile, JOURNAL.with_name("v1.json").read_bytes(), samples())


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: a journal waits for the disk thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
