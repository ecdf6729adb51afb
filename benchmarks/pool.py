"""A pool of evaluated networks, so that experiments on search strategies replay in minutes.

Half of the codes are drawn uniformly; the digits of the other half lean towards small or large, each network to its own
degree, since uniform digits give networks of nearly equal size. One line a network; the same command goes on where it
was stopped.

Example: python -m benchmarks.pool --supernet demo --data scenes --count 1000 --output benchmarks/data/pool_scenes.jsonl
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from mosegedge.data import cached, load
from mosegedge.errors import MosegedgeError
from mosegedge.files import Journal, sha256_of_file
from mosegedge.space import SearchSpace
from mosegedge.space.codes import LOWER_BOUNDS, UPPER_BOUNDS, Codes
from mosegedge.supernet.checkpoint import checkpoint_path, load_supernet
from mosegedge.supernet.evaluate import InheritedEvaluator


def pool_codes(space: SearchSpace, count: int, seed: int) -> Codes:
    """Distinct codes of the pool; the extremes come first."""
    rng = np.random.default_rng(seed)
    leaning = LOWER_BOUNDS + rng.binomial(UPPER_BOUNDS - LOWER_BOUNDS, rng.random((count, 1)))
    mixed = np.concatenate([space.sample(count, rng), space.repair(leaning, rng)])
    ends = space.encode([space.smallest, space.largest])
    codes = np.concatenate([ends, mixed[rng.permutation(len(mixed))]])
    _, first = np.unique(codes, axis=0, return_index=True)
    distinct: Codes = codes[np.sort(first)][:count]
    return distinct


def main() -> None:
    """Evaluates codes and appends them to the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--supernet", default="demo")
    parser.add_argument("--data", default="scenes")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guide-pictures", type=int)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    path = checkpoint_path(arguments.supernet)
    supernet, info = load_supernet(path)
    info.require_trained(path)
    header = {
        "space": supernet.space.name,
        "data": info.data,
        "supernet_sha256": sha256_of_file(path),
        "guide_pictures": arguments.guide_pictures,
        "seed": arguments.seed,
    }
    journal = Journal(arguments.output)
    known = journal.read()
    if known and known[0] != header:
        raise MosegedgeError(f"{arguments.output} is of another pool: {known[0]}.", fix="Choose another --output.")
    if not known:
        journal.append(header)
    done = {record["code"] for record in known[1:]}
    train, guide = (cached(load(arguments.data, split, arguments.data_root)) for split in ("train", "guide"))
    evaluate = InheritedEvaluator(supernet, train, guide, guide_pictures=arguments.guide_pictures)
    for architecture in supernet.space.decode(pool_codes(supernet.space, arguments.count, arguments.seed)):
        if str(architecture) in done:
            continue
        started = time.perf_counter()
        miou = evaluate(architecture)
        journal.append({"code": str(architecture), "miou": round(miou, 6)})
        print(f"{architecture}  {miou:.4f}  {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
