"""Shared settings: one thread for torch, hypothesis without deadlines (timings on shared machines vary)."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("mosegedge", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("mosegedge")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
