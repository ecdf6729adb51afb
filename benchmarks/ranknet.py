"""How well RankNet orders networks it has not seen: Kendall's tau over random splits.

Beside it: RankNet without synthetic data from teachers, LightGBM with its defaults, log FLOPs without any learning.

Examples:
    python -m benchmarks.ranknet runs/search
    python -m benchmarks.ranknet --archive cityscapes.json --sizes 100,300 --repeats 9

A run folder is one of `mosegedge search`; only its networks with an accuracy count. A file of the second kind is a list
of `[{"d": [4], "e": [16], "w": [5]}, mIoU, latency]`: depth digits, expansion ratios and width digits of residual
networks with at most (3, 4, 6, 3) blocks a stage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from mosegedge.errors import MosegedgeError, UsageError
from mosegedge.search.archive import Archive, evaluated
from mosegedge.search.config import RankNetSettings
from mosegedge.search.manifest import read_manifest
from mosegedge.search.predictor import CodeSpace, RankNet
from mosegedge.search.teachers import GradientBoosting
from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes, encode

Floats = NDArray[np.float64]
PREDICTORS = ("ranknet", "no teachers", "lightgbm", "log_flops")
SIZES = (50, 100, 200, 300)
FEWEST_TEST_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """Networks with known accuracy.

    Attributes:
        space: Samples and encodes codes of their kind.
        codes: N x D.
        miou: Their accuracies.
        flops: Multiply-adds, or something in proportion to them.
    """

    space: CodeSpace
    codes: Codes
    miou: Floats
    flops: Floats


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: mean and standard deviation of tau over the splits."""

    train: int
    test: int
    repeats: int
    predictor: str
    tau: float
    sd: float


class ResidualSpace:
    """Codes of the second kind as 25 columns: 4 depths, 16 expansions, 5 widths; one-hot with 78 columns."""

    ratios = (0.65, 0.8, 1.0)
    counts = np.array([3, 4, 5, 3, *[3] * 21])
    most_blocks = (3, 4, 6, 3)
    base_blocks = (1, 1, 2, 1)
    channels = (64, 128, 256, 512)

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Independent uniform digits."""
        return rng.integers(0, self.counts, size=(count, len(self.counts)))

    def one_hot(self, codes: Codes) -> NDArray[np.float32]:
        """Features of codes, switched-off blocks among them."""
        columns = [codes[:, [place]] == np.arange(count) for place, count in enumerate(self.counts)]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def encode(self, record: dict[str, list[float]]) -> list[int]:
        """One code from its depths, ratios and widths."""
        digits = [int(depth) for depth in record["d"]]
        digits += [self.ratios.index(ratio) for ratio in record["e"]]
        digits += [int(width) for width in record["w"]]
        if len(digits) != len(self.counts) or not all(0 <= d < n for d, n in zip(digits, self.counts, strict=True)):
            raise ValueError(f"not 4 depths, 16 ratios and 5 widths: {record}")
        return digits

    def flops(self, code: NDArray[np.int64]) -> float:
        """In proportion to the multiply-adds of the stages; heads are left out."""
        depth, expansion, width = np.split(code, (4, 20))
        incoming, block, total = 64 * self.ratios[width[0]], 0, 0.0
        for stage, (most, base, channels) in enumerate(
            zip(self.most_blocks, self.base_blocks, self.channels, strict=True)
        ):
            outgoing = channels * self.ratios[width[stage + 1]]
            cost = incoming * outgoing
            for number in range(base + int(depth[stage])):
                hidden = outgoing * self.ratios[expansion[block + number]]
                cost += 9 * hidden * (incoming + outgoing)
                incoming = outgoing
            total += cost / 4**stage
            block += most
        return float(total)


def from_run(folder: Path) -> Evaluations:
    """The evaluated networks of a run folder.

    Raises:
        MosegedgeError: It holds no search, or one over a space that cannot be loaded by its name.
    """
    said = read_manifest(folder)["space"]
    space = SearchSpace.load(said["name"])
    if space.digest != said["digest"]:
        raise UsageError(f"{folder} was searched in {said['name']}, whose numbers have changed since.")
    done = evaluated(Archive(folder / "archive.jsonl").candidates)
    codes = encode([candidate.architecture for candidate in done])
    miou = np.array([candidate.miou for candidate in done], dtype=np.float64)
    return Evaluations(space=space, codes=codes, miou=miou, flops=space.flops(codes).astype(np.float64))


def from_file(path: Path) -> Evaluations:
    """The networks of a file of the second kind.

    Raises:
        UsageError: It is none.
    """
    space = ResidualSpace()
    try:
        rows = json.loads(path.read_bytes())
        codes = np.array([space.encode(row[0]) for row in rows], dtype=np.int64)
        miou = np.array([float(row[1]) for row in rows])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(f"{path} is no list of networks with their accuracy: {error}.") from error
    return Evaluations(space=space, codes=codes, miou=miou, flops=np.array([space.flops(code) for code in codes]))


def taus_of_split(data: Evaluations, train: Codes, test: Codes, rng: np.random.Generator) -> dict[str, float]:
    """Tau of each predictor on the rows `test` after learning from the rows `train`."""
    ranknet = RankNet(data.space, RankNetSettings(), rng)
    ranknet.fit(data.codes[train], data.miou[train])
    alone = RankNet(data.space, RankNetSettings(synthetic_share=0.0), rng)
    alone.fit(data.codes[train], data.miou[train])
    boosting = GradientBoosting(seed=0)
    boosting.fit(data.space.one_hot(data.codes[train]), data.miou[train])
    predicted = {
        "ranknet": ranknet.predict(data.codes[test]),
        "no teachers": alone.predict(data.codes[test]),
        "lightgbm": boosting.predict(data.space.one_hot(data.codes[test])),
        "log_flops": np.log(data.flops[test]),
    }
    return {name: _tau(values, data.miou[test]) for name, values in predicted.items()}


def compare(data: Evaluations, sizes: Sequence[int], repeats: int, seed: int) -> list[Row]:
    """Mean and standard deviation of tau for each number of training rows; a split has the same rows for all."""
    table = []
    for size in sizes:
        taus = []
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, size, repeat])
            order = rng.permutation(len(data.codes))
            taus.append(taus_of_split(data, order[:size], order[size:], rng))
            sys.stderr.write(f"\r{size} rows: split {repeat + 1} of {repeats}  ")
        sys.stderr.write("\n")
        for name in PREDICTORS:
            values = np.array([tau[name] for tau in taus])
            sd = float(values.std(ddof=1)) if repeats > 1 else 0.0
            test = len(data.codes) - size
            mean = round(float(values.mean()), 4)
            table.append(Row(train=size, test=test, repeats=repeats, predictor=name, tau=mean, sd=round(sd, 4)))
    return table


def text_of(table: Sequence[Row]) -> str:
    """One line for each number of training rows."""
    lines = [f"{'train':>5} {'test':>5} " + "".join(f"{name:>18}" for name in PREDICTORS)]
    for start in range(0, len(table), len(PREDICTORS)):
        rows = table[start : start + len(PREDICTORS)]
        cells = "".join(f"{f'{row.tau:.3f} ({row.sd:.3f})':>18}" for row in rows)
        lines.append(f"{rows[0].train:>5} {rows[0].test:>5} {cells}")
    return "\n".join(lines)


def _tau(predicted: Floats, miou: Floats) -> float:
    """Predictors that say the same of all networks order nothing: 0."""
    return float(kendalltau(predicted, miou).statistic) if np.ptp(predicted) else 0.0


def _sizes(text: str, rows: int) -> list[int]:
    try:
        sizes = [int(size) for size in text.split(",")] if text else [n for n in SIZES if n + FEWEST_TEST_ROWS <= rows]
    except ValueError as error:
        raise UsageError(f"--sizes {text} cannot be read.", fix="Write numbers with commas: --sizes 20,30") from error
    if not sizes or min(sizes) < 5 or max(sizes) > rows - 2:
        known = f"{rows} networks have an accuracy; a split needs 5 to learn from and 2 to order."
        raise UsageError(f"Training sizes {sizes} cannot be used.", known=known, fix="Give others: --sizes 20,30")
    return sizes


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("run", type=Path, nargs="?", help="run folder of a search")
    source.add_argument("--archive", type=Path, help="file of the second kind")
    parser.add_argument("--sizes", default="", help="training rows, as 50,100")
    parser.add_argument("--repeats", type=int, default=9, help="random splits of each size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args(arguments)
    try:
        data = from_file(given.archive) if given.archive else from_run(given.run)
        table = compare(data, _sizes(given.sizes, len(data.codes)), max(1, given.repeats), given.seed)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(json.dumps([asdict(row) for row in table], indent=2) if given.as_json else text_of(table))


if __name__ == "__main__":
    main()
