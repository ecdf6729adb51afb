"""What `benchmarks.camvid` found: scores of all trainings, and the record that is made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.camvid_networks import KINDS, SEARCHED, Contender, contender_of
from mosegedge.errors import UsageError
from mosegedge.files import write_atomic

Counts = NDArray[np.int64]

_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One trained network.

    Attributes:
        contender: Which.
        params: Parameters.
        flops: Multiply-adds.
        latency_ms: Measured.
        halves_ms: The same from every second load, and from the others.
        by_seed: mIoU on `val` after each training, by its seed.
        miou_sd: Standard deviation of their mean over bootstraps of the pictures; it knows nothing of other trainings.
        ahead: By how much the finalist beside it is ahead in mIoU, over the seeds that both have, and the standard
            deviation over the same bootstraps.
        miou_on_guide: mIoU on `guide`, other pictures of the drives that it was trained on; mean over the seeds.
        iou: Of each class on `val`, mean over the seeds; None where it does not occur.
    """

    contender: Contender
    params: int
    flops: int
    latency_ms: float
    halves_ms: tuple[float, float]
    by_seed: Mapping[str, float]
    miou_sd: float
    ahead: tuple[float, float] | None
    miou_on_guide: float
    iou: Mapping[str, float | None]

    @property
    def miou(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(list(self.by_seed.values())))


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything that was found.

    Attributes:
        facts: When, on what, and how it was trained.
        entries: The networks, by finalist.
    """

    facts: Mapping[str, Any]
    entries: tuple[Entry, ...]

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        write_atomic(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Record:
        """Reads `save`'s file; raises UsageError where it is none."""
        try:
            found = json.loads(path.read_text())
            return cls(facts=found["facts"], entries=tuple(_entry_of(one) for one in found["entries"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is no record of these networks: {error}.", fix="Make one: python -m benchmarks.camvid all"
            ) from error


def _entry_of(record: Mapping[str, Any]) -> Entry:
    pairs = {name: record[name] and tuple(record[name]) for name in ("halves_ms", "ahead")}
    return Entry(**{**record, **pairs, "contender": contender_of(record["contender"])})


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How a network did after its trainings.

    Attributes:
        val: Confusion matrix of each picture of `val`, P x K x K, by seed.
        guide: mIoU on `guide` by seed.
    """

    val: Mapping[int, Counts]
    guide: Mapping[int, float]


def record_of(
    contenders: Sequence[Contender],
    scores: Mapping[str, Scores],
    costs: Mapping[str, tuple[int, int]],
    latencies: Mapping[str, Any],
    *,
    classes: Sequence[str],
    facts: Mapping[str, Any],
) -> Record:
    """The record of the networks that were trained.

    Args:
        contenders: Which are compared.
        scores: By the name of the network; not all need be there.
        costs: Parameters and multiply-adds of each.
        latencies: Milliseconds of each, `latency_ms` and `halves_ms`.
        classes: Their names.
        facts: For the record.
    """
    finalists = {one.rank: one.name for one in contenders if one.kind == SEARCHED}
    entries = []
    for one in sorted(contenders, key=lambda one: (one.rank, KINDS.index(one.kind))):
        if one.name not in scores:
            continue
        found, finalist = scores[one.name], scores.get(finalists[one.rank])
        by_class = np.mean([ious(pictures.sum(axis=0)) for pictures in found.val.values()], axis=0)
        entries.append(
            Entry(
                contender=one,
                params=costs[one.name][0],
                flops=costs[one.name][1],
                latency_ms=latencies[one.name]["latency_ms"],
                halves_ms=tuple(latencies[one.name]["halves_ms"]),
                by_seed={str(seed): round(float(mean_iou(of.sum(axis=0))), 6) for seed, of in found.val.items()},
                miou_sd=round(float(np.std(_resampled(found.val.values()))), 6),
                ahead=_ahead(finalist, found) if finalist and one.kind != SEARCHED else None,
                miou_on_guide=round(float(np.mean(list(found.guide.values()))), 6),
                iou={
                    name: None if np.isnan(value) else round(float(value), 6)
                    for name, value in zip(classes, by_class, strict=True)
                },
            )
        )
    return Record(facts=facts, entries=tuple(entries))


def _ahead(finalist: Scores, other: Scores) -> tuple[float, float] | None:
    """Difference of two networks over the seeds that both were trained with."""
    seeds = finalist.val.keys() & other.val.keys()
    if not seeds:
        return None
    sides = [[scores.val[seed] for seed in seeds] for scores in (finalist, other)]
    whole, sampled = (
        [np.mean([mean_iou(one.sum(axis=0)) for one in side]) for side in sides],
        [_resampled(side) for side in sides],
    )
    return round(float(whole[0] - whole[1]), 6), round(float(np.std(sampled[0] - sampled[1])), 6)


def _resampled(trainings: Iterable[Counts]) -> NDArray[np.float64]:
    return np.asarray(np.mean([bootstrapped(pictures) for pictures in trainings], axis=0))


def ious(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union, ... x K, of confusion matrices, ... x K x K; NaN for a class that does not occur."""
    hit = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - hit
    return np.asarray(np.divide(hit, union, out=np.full(hit.shape, np.nan), where=union > 0))


def mean_iou(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the classes that occur."""
    return np.asarray(np.nanmean(ious(counts), axis=-1))


def bootstrapped(counts: Counts) -> NDArray[np.float64]:
    """Scores mIoU over pictures drawn with replacement, the same draws for every network.

    Pictures of one drive resemble each other, so another drive would differ by more.
    """
    pictures = len(counts)
    drawn = np.random.default_rng(0).multinomial(pictures, np.full(pictures, 1 / pictures), size=_RESAMPLES)
    return mean_iou(np.tensordot(drawn, counts, axes=1))
