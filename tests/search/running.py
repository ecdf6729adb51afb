"""Whole searches on the stand-ins, also as a process of its own to be killed: `python running.py FOLDER`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from standin import PROVENANCE, QUICK, SPACE, Latency, evaluate

from mosegedge.search.config import SearchConfig
from mosegedge.search.loop import Search
from mosegedge.space import Architecture


def run_in(folder: Path, config: SearchConfig = QUICK, score: Callable[[Architecture], float] = evaluate):
    """A search with the paper's predictor."""
    return Search(SPACE, Latency(), config, folder, PROVENANCE).run(score)


def slowly(architecture: Architecture) -> float:
    """Leaves time to be killed in."""
    time.sleep(0.02)
    return evaluate(architecture)


if __name__ == "__main__":
    run_in(Path(sys.argv[1]), score=slowly)
