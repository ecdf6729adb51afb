"""The front of a search beside the networks of uniform width, with the hypervolume of both.

Example: python -m benchmarks.fronts runs/search
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mosegedge.search.archive import Archive, evaluated, front_of, objectives
from mosegedge.search.dominance import hypervolume


def main() -> None:
    """Prints both fronts, and at each uniform network what the search reaches at no more latency."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    found = front_of(Archive(run / "archive.jsonl").candidates)
    uniform = evaluated(Archive(run / "baselines.jsonl").candidates)
    reference = np.concatenate([objectives(found), objectives(uniform)]).max(axis=0)
    for name, front in (("search", found), ("uniform width", front_of(uniform))):
        print(f"{name}: {len(front)} networks, hypervolume {hypervolume(objectives(front), reference):.4f}")
        for candidate in front:
            print(f"  {candidate.architecture.slug}  {candidate.latency_ms:7.3f} ms  mIoU {candidate.miou:.4f}")
    print("at the latency of each uniform network:")
    for candidate in uniform:
        best = max((c.miou or 0 for c in found if c.latency_ms <= candidate.latency_ms), default=float("nan"))
        print(
            f"  {candidate.architecture.slug}  {candidate.latency_ms:7.3f} ms  uniform {candidate.miou:.4f}  "
            f"search {best:.4f}  {best - (candidate.miou or 0):+.4f}"
        )


if __name__ == "__main__":
    main()
