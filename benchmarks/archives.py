"""Networks with known accuracy, from a run folder, a pool of `benchmarks.pool`, or an archive of residual networks.

A residual archive is a JSON list of `[{"d": [4], "e": [16], "w": [5]}, mIoU, latency in ms]`: depth digits, expansion
ratios and width digits of elastic ResNet-34 networks, which have at most (3, 4, 6, 3) blocks in their stages and
(1, 1, 2, 1) at depth digit 0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError
from mosegedge.files import Journal
from mosegedge.search.archive import Archive, evaluated
from mosegedge.search.domain import Domain
from mosegedge.search.manifest import read_manifest
from mosegedge.search.predictors.description import CodeDescription, Switch
from mosegedge.search.predictors.spaces import describe
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.codes import Codes, encode

Floats = NDArray[np.float64]

_RATIOS = (0.65, 0.8, 1.0)
_MOST_BLOCKS, _BASE_BLOCKS = (3, 4, 6, 3), (1, 1, 2, 1)
_CHANNELS = (64, 128, 256, 512)
_FIRST_BLOCK = (4, 7, 11, 17)
_WIDTHS = slice(20, 25)


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """Networks with known accuracy.

    Attributes:
        description: Of their codes.
        codes: N x D.
        miou: Their accuracies.
        log_flops: Logarithms of their multiply-adds, up to a constant.
        latency_ms: Their latencies, where the source has them.
    """

    description: CodeDescription
    codes: Codes
    miou: Floats
    log_flops: Floats
    latency_ms: Floats | None = None


def load(path: Path) -> Evaluations:
    """Reads whichever of the three the path is.

    Raises:
        MosegedgeError: It is none of them, or of a space that cannot be loaded by its name.
    """
    if path.is_dir():
        return _from_run(path)
    try:
        return _residual(path) if path.read_text()[:1] == "[" else _from_pool(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def residual_description() -> CodeDescription:
    """Codes of residual archives: 4 depth digits, 16 expansion digits, 5 width digits (the stem's first)."""
    return CodeDescription.of_choices(
        [3, 4, 5, 3, *[3] * 21],
        switches=tuple(
            Switch(depth=stage, base=base, positions=tuple(range(first, first + most)))
            for stage, (base, most, first) in enumerate(zip(_BASE_BLOCKS, _MOST_BLOCKS, _FIRST_BLOCK, strict=True))
        ),
        values=(
            *(tuple(float(digit) for digit in range(count)) for count in (3, 4, 5, 3)),
            *[_RATIOS] * 21,
        ),
        aggregates=residual_costs,
    )


def residual_costs(codes: Codes) -> Floats:
    """Logarithms of the multiply-adds of the four stages and of all together, and of the parameters.

    Proportional to those of the encoder's 3x3 convolutions and projections; heads are left out.
    """
    ratios = np.array(_RATIOS)
    widths = ratios[codes[:, _WIDTHS]]
    incoming = 64 * widths[:, 0]
    params = []
    for stage, (base, most, first) in enumerate(zip(_BASE_BLOCKS, _MOST_BLOCKS, _FIRST_BLOCK, strict=True)):
        outgoing = _CHANNELS[stage] * widths[:, stage + 1]
        cost = incoming * outgoing
        for block in range(most):
            hidden = outgoing * ratios[codes[:, first + block]]
            cost = cost + np.where(block < base + codes[:, stage], 9 * hidden * (incoming + outgoing), 0.0)
            incoming = outgoing
        params.append(cost)
    table = np.stack(params, axis=1)
    flops = table / 4.0 ** np.arange(4)
    return np.asarray(np.log(np.column_stack([flops, flops.sum(axis=1), table.sum(axis=1)])))


def _residual(path: Path) -> Evaluations:
    try:
        rows = json.loads(path.read_bytes())
        codes = np.array([_residual_code(row[0]) for row in rows], dtype=np.int64)
        miou, latency_ms = (np.array([float(row[column]) for row in rows]) for column in (1, 2))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(f"{path} is no archive of residual networks: {error}.") from error
    description = residual_description()
    codes = description.checked(codes)
    log_flops = residual_costs(codes)[:, 4]
    return Evaluations(description=description, codes=codes, miou=miou, log_flops=log_flops, latency_ms=latency_ms)


def _residual_code(record: dict[str, list[float]]) -> list[int]:
    ratios = [_RATIOS.index(ratio) for ratio in record["e"]]
    return [*(int(depth) for depth in record["d"]), *ratios, *(int(width) for width in record["w"])]


def _from_run(folder: Path) -> Evaluations:
    said = read_manifest(folder)["space"]
    space = SearchSpace.load(said["name"])
    if space.digest != said["digest"]:
        raise UsageError(f"{folder} was searched in {said['name']}, whose numbers have changed since.")
    done = evaluated(Archive(folder / "archive.jsonl").candidates)
    miou = np.array([candidate.miou for candidate in done], dtype=np.float64)
    latency_ms = np.array([candidate.latency_ms for candidate in done], dtype=np.float64)
    return _ours(space, [candidate.architecture for candidate in done], miou, latency_ms)


def _from_pool(path: Path) -> Evaluations:
    try:
        header, *records = Journal(path).read()
        space = SearchSpace.load(header["space"])
        architectures = [Architecture.parse(record["code"]) for record in records]
        miou = np.array([float(record["miou"]) for record in records])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no pool of evaluated networks: {error}.") from error
    return _ours(space, architectures, miou, None)


def _ours(
    space: SearchSpace, architectures: list[Architecture], miou: Floats, latency_ms: Floats | None
) -> Evaluations:
    codes = encode(architectures)
    return Evaluations(
        description=describe(Domain(space)),
        codes=codes,
        miou=miou,
        log_flops=np.log(space.flops(codes)),
        latency_ms=latency_ms,
    )
