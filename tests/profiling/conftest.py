"""A board with a known law in a project folder of its own, and what an undisturbed run finds there."""

from __future__ import annotations

import fakeboard
import pytest
from comparing import quick_folder, undisturbed_run

from mosegedge.profiling import check, collector


@pytest.fixture(scope="session")
def quick_disk():
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def board(quick_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "_WAIT_FOR_LOCK_S", 0)
    monkeypatch.setattr(check, "_WAIT_FOR_LOCK_S", 0)
    return fakeboard.install(quick_disk / tmp_path.name, monkeypatch)


@pytest.fixture(scope="session")
def undisturbed():
    """The profile that every disturbed run has to equal."""
    return undisturbed_run().profile
