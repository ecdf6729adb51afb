"""Shared settings: a device lock for each process, any core, one thread for torch, no deadlines (machines vary)."""

from __future__ import annotations

import os
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

settings.register_profile("mosegedge", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("mosegedge")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
