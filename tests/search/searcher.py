"""A search as a process of its own, to be killed: `python searcher.py FOLDER SECONDS_PER_EVALUATION`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from standin import PROVENANCE, QUICK, SPACE, Latency, Linear, fails_sometimes

from mosegedge.search.loop import Search


def slowly(architecture):
    time.sleep(float(sys.argv[2]))
    return fails_sometimes(architecture)


if __name__ == "__main__":
    Search(SPACE, Latency(), QUICK, Path(sys.argv[1]), PROVENANCE, predictor_for=Linear).run(slowly)
