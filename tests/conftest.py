"""Shared settings: a device lock for each process, any core, one thread for torch, no deadlines (machines vary)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests check results and never timings, so they need not wait for each other or for a measurement that goes on.
os.environ["MOSEGEDGE_LOCK"] = str(Path(tempfile.gettempdir()) / f"mosegedge-test-{os.getpid()}.lock")
# For the same reason agents are not kept to one core: all tests at once would want the same.
os.environ["MOSEGEDGE_CORES"] = "all"

import numpy as np
import pytest
from hypothesis import settings

# Workers take a file at a time. The longest come first, so that none of them is left for one worker at the end.
LONGEST = (
    "boards/test_rehearsal.py",
    "test_end_to_end.py",
    "ssh/test_faults.py",
    "test_wheel.py",
    "search/test_running.py",
    "profiling/test_sensing.py",
    "cli/test_several_devices.py",
    "supernet/test_training.py",
    "backends/test_conformance.py",
)

settings.register_profile("mosegedge", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("mosegedge")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    assert all(path.is_file() for path in places)
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.hookimpl(optionalhook=True)  # not there without pytest-xdist
def pytest_testnodedown(node, error) -> None:
    """Says how a worker ended that was lost: by which signal, or whether it lives on without being heard."""
    if error:
        try:
            ended = f"ended with exit status {node.gateway._io.popen.wait(timeout=5)}"
        except subprocess.TimeoutExpired:
            ended = "still runs"
        sys.stderr.write(f"[{node.gateway.id}] the process of this worker {ended}\n")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
