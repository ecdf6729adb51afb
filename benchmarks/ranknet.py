"""How well RankNet orders networks that it was not fitted on, beside LightGBM with its defaults and log FLOPs.

Every archive is split at random, again and again: N networks to fit on, the others to order. Archives are run folders
of `mosegedge search` (or folders of such), or JSON files with rows `[{"d": [4], "e": [16], "w": [5]}, mIoU, latency]`
of an elastic ResNet-34, where d is the depth of four stages, e the expansion of 16 blocks, w five widths.

Example: python -m benchmarks.ranknet runs/search --sizes 50,100 --repeats 9
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from mosegedge.search.archive import Archive, evaluated, objectives
from mosegedge.search.config import RankNetSettings
from mosegedge.search.manifest import read_manifest
from mosegedge.search.predictor import CodeSpace, RankNet
from mosegedge.search.teachers import GradientBoosting
from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes, encode

Floats = NDArray[np.float64]
Order = Callable[[Codes, Floats, Codes, int], Floats]
_FEWEST_TO_TEST = 20
_RATIOS = (0.65, 0.8, 1.0)


@dataclass(frozen=True)
class Rows:
    """One archive: codes, accuracies, cost, and what a predictor must know about the codes."""

    name: str
    space: CodeSpace
    codes: Codes
    miou: Floats
    log_flops: Floats


class ResNetCodes:
    """The 25 digits of the elastic ResNet-34: 4 depths, 16 expansions, 5 widths; one-hot in 78 columns."""

    choices = np.array([3, 4, 5, 3] + [3] * 21)
    base_depth = (1, 1, 2, 1)
    first_block = (0, 3, 7, 13, 16)

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Uniformly random digits."""
        return rng.integers(0, self.choices, size=(count, len(self.choices)))

    def one_hot(self, codes: Codes) -> NDArray[np.float32]:
        """All digits one-hot, those of inactive blocks too."""
        columns = [codes[:, [i]] == np.arange(count) for i, count in enumerate(self.choices)]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def log_flops(self, codes: Codes) -> Floats:
        """Logarithm of the multiply-adds of the residual blocks, up to a constant."""
        ratio = np.array(_RATIOS)
        expansion, width = ratio[codes[:, 4:20]], ratio[codes[:, 20:]]
        total = np.zeros(len(codes))
        incoming = 64 * width[:, 0]
        for stage in range(4):
            outgoing = 64 * 2**stage * width[:, stage + 1]
            total += incoming * outgoing / 4**stage
            for block in range(self.first_block[stage], self.first_block[stage + 1]):
                active = block - self.first_block[stage] < self.base_depth[stage] + codes[:, stage]
                hidden = outgoing * expansion[:, block]
                total += np.where(active, 9 * hidden * (incoming + outgoing), 0.0) / 4**stage
                incoming = np.where(active, outgoing, incoming)
        return np.asarray(np.log(total))


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--sizes", default="50,100,300", help="networks to fit on; those too large are left out")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    results = []
    for path in arguments.archives:
        for rows in read(path):
            results += compare(rows, sizes, arguments.repeats, arguments.seed)
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if arguments.json else table(results))


def read(path: Path) -> Iterator[Rows]:
    """All archives at a path."""
    if path.is_file():
        yield read_resnet(path)
    elif (path / "run.json").is_file():
        space = SearchSpace.load(read_manifest(path)["space"]["name"])
        done = evaluated(Archive(path / "archive.jsonl").candidates)
        codes = encode([candidate.architecture for candidate in done])
        yield Rows(path.name, space, codes, -objectives(done)[:, 1], np.log(space.flops(codes)))
    else:
        for manifest in sorted(path.glob("**/run.json")):
            yield from read(manifest.parent)


def read_resnet(path: Path) -> Rows:
    """An archive of the elastic ResNet-34."""
    records = json.loads(path.read_bytes())
    digits = [[*code["d"], *(_RATIOS.index(ratio) for ratio in code["e"]), *code["w"]] for code, *_ in records]
    space, codes = ResNetCodes(), np.array(digits)
    return Rows(path.stem, space, codes, np.array([miou for _, miou, _ in records]), space.log_flops(codes))


def compare(rows: Rows, sizes: list[int], repeats: int, seed: int) -> list[dict[str, Any]]:
    """Mean and standard deviation of tau for each predictor and size."""

    def ranknet(share: float) -> Order:
        def order(codes: Codes, miou: Floats, test: Codes, repeat: int) -> Floats:
            rng = np.random.default_rng([seed, repeat])
            predictor = RankNet(rows.space, RankNetSettings(synthetic_share=share), rng)
            predictor.fit(codes, miou)
            return predictor.predict(test)

        return order

    def lightgbm(codes: Codes, miou: Floats, test: Codes, _repeat: int) -> Floats:
        boosting = GradientBoosting(seed=0)
        boosting.fit(rows.space.one_hot(codes), miou)
        return boosting.predict(rows.space.one_hot(test))

    predictors = {"ranknet": ranknet(0.5), "ranknet without teachers": ranknet(0.0), "lightgbm": lightgbm}
    results = []
    for size in sizes:
        if size > len(rows.codes) - _FEWEST_TO_TEST:
            continue
        splits = [np.random.default_rng([seed, repeat]).permutation(len(rows.codes)) for repeat in range(repeats)]
        for name, order in predictors.items():
            started = time.perf_counter()
            taus = [
                tau(order(rows.codes[p[:size]], rows.miou[p[:size]], rows.codes[p[size:]], r), rows.miou[p[size:]])
                for r, p in enumerate(splits)
            ]
            results.append(summary(rows, name, size, taus) | {"seconds": (time.perf_counter() - started) / repeats})
        taus = [tau(rows.log_flops[p[size:]], rows.miou[p[size:]]) for p in splits]
        results.append(summary(rows, "log flops", size, taus) | {"seconds": 0.0})
    return results


def tau(expected: Floats, found: Floats) -> float:
    """Kendall's tau; 0 where a predictor says the same of all networks."""
    return float(kendalltau(expected, found).statistic) if np.ptp(expected) else 0.0


def summary(rows: Rows, name: str, size: int, taus: list[float]) -> dict[str, Any]:
    """One line of the table."""
    return {
        "archive": rows.name,
        "rows": len(rows.codes),
        "fitted_on": size,
        "predictor": name,
        "tau": float(np.mean(taus)),
        "sd": float(np.std(taus)),
        "repeats": len(taus),
    }


def table(results: list[dict[str, Any]]) -> str:
    """The results as text."""
    lines = [f"{'archive':<22}{'N':>5}  {'predictor':<26}{'tau':>7}{'sd':>8}{'s':>7}"]
    lines += [
        f"{r['archive']:<22}{r['fitted_on']:>5}  {r['predictor']:<26}{r['tau']:>7.3f}{r['sd']:>8.3f}{r['seconds']:>7.1f}"
        for r in results
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
