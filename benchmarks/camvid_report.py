"""What `benchmarks.camvid` found: its record, as Markdown and as pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.camvid_networks import BISENET, SEARCHED, UNIFORM, Contender, Kind, contender_of
from mosegedge.errors import UsageError
from mosegedge.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Counts = NDArray[np.int64]
Pixels = NDArray[np.uint8]

_RESAMPLES = 1000
_STYLES = {SEARCHED: ("C0", "o", "-"), BISENET: ("C3", "s", ":"), UNIFORM: ("C7", "D", "--")}
_LABELS = {SEARCHED: "finalists of the search", BISENET: "BiSeNet with ResNet-18", UNIFORM: "uniform width"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One trained network.

    Attributes:
        contender: Which.
        params: Parameters.
        flops: Multiply-adds.
        latency_ms: Measured.
        halves_ms: The same from every second load, and from the others.
        miou: On `val`.
        miou_sd: Standard deviation of the mIoU over bootstraps of the pictures.
        ahead: mIoU of the finalist beside it minus its own, and the standard deviation over the same bootstraps.
        iou: Of each class; None where it does not occur.
    """

    contender: Contender
    params: int
    flops: int
    latency_ms: float
    halves_ms: tuple[float, float]
    miou: float
    miou_sd: float
    ahead: tuple[float, float] | None
    iou: Mapping[str, float | None]


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


def record_of(
    contenders: Sequence[Contender],
    counts: Mapping[str, Counts],
    costs: Mapping[str, tuple[int, int]],
    latencies: Mapping[str, Any],
    *,
    classes: Sequence[str],
    facts: Mapping[str, Any],
) -> Record:
    """The record of the networks that were trained.

    Args:
        contenders: Which are compared.
        counts: Confusion matrix of each picture, P x K x K, by the name of the network; not all need be there.
        costs: Parameters and multiply-adds of each.
        latencies: Milliseconds of each, `latency_ms` and `halves_ms`.
        classes: Their names.
        facts: For the record.
    """
    finalists = {one.rank: one.name for one in contenders if one.kind == SEARCHED}
    sampled = {name: bootstrapped(pictures) for name, pictures in counts.items()}
    entries = []
    for one in sorted(contenders, key=lambda one: (one.rank, list(_STYLES).index(one.kind))):
        if one.name not in counts:
            continue
        whole = counts[one.name].sum(axis=0)
        finalist, ahead = finalists[one.rank], None
        if one.kind != SEARCHED and finalist in counts:
            difference = float(mean_iou(counts[finalist].sum(axis=0)) - mean_iou(whole))
            ahead = round(difference, 6), round(float(np.std(sampled[finalist] - sampled[one.name])), 6)
        entries.append(
            Entry(
                contender=one,
                params=costs[one.name][0],
                flops=costs[one.name][1],
                latency_ms=latencies[one.name]["latency_ms"],
                halves_ms=tuple(latencies[one.name]["halves_ms"]),
                miou=round(float(mean_iou(whole)), 6),
                miou_sd=round(float(np.std(sampled[one.name])), 6),
                ahead=ahead,
                iou={
                    name: None if np.isnan(value) else round(float(value), 6)
                    for name, value in zip(classes, ious(whole), strict=True)
                },
            )
        )
    return Record(facts=facts, entries=tuple(entries))


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


def table(record: Record) -> str:
    """All networks as Markdown, each finalist before its company."""
    lines = [
        "| network | input | latency, ms | mIoU on val | finalist ahead by | multiply-adds, M | parameters, k |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in record.entries:
        one = entry.contender
        apart = abs(entry.halves_ms[0] - entry.halves_ms[1]) / 2
        ahead = f"{entry.ahead[0]:+.4f} ({entry.ahead[1]:.4f})" if entry.ahead else "-"
        cells = [
            f"{one.kind}: {one.title}" if one.code else one.title,
            f"{one.size[0]}x{one.size[1]}",
            f"{entry.latency_ms:.3f} ({apart:.3f})",
            f"{entry.miou:.4f} ({entry.miou_sd:.4f})",
            ahead,
            f"{entry.flops / 1e6:.1f}",
            f"{entry.params / 1e3:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def class_table(record: Record) -> str:
    """IoU of every class in per cent, as Markdown."""
    classes = list(record.entries[0].iou) if record.entries else []
    lines = [f"| network | {' | '.join(classes)} |", "|---" * (len(classes) + 1) + "|"]
    for entry in record.entries:
        cells = ["-" if value is None else f"{100 * value:.1f}" for value in entry.iou.values()]
        lines.append(f"| {entry.contender.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(record: Record, path: Path) -> None:
    """Draws mIoU against latency; networks of one kind are connected."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots()
    for kind in _STYLES:
        _kind(axes, kind, [entry for entry in record.entries if entry.contender.kind == kind])
    axes.set(xscale="log", xlabel="latency, ms", ylabel="mIoU on val")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(
        f"{record.facts['data']}, {record.facts['steps']} steps from random weights; {record.facts['runtime']}, "
        f"{record.facts['threads']} thread(s)\nbars: standard deviation over bootstraps of the pictures",
        fontsize=10,
    )
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _kind(axes: Axes, kind: Kind, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    colour, marker, line = _STYLES[kind]
    found = sorted(entries, key=lambda entry: entry.latency_ms)
    axes.errorbar(
        [entry.latency_ms for entry in found],
        [entry.miou for entry in found],
        [entry.miou_sd for entry in found],
        fmt=marker,
        ls=line,
        color=colour,
        ms=6,
        lw=1.2,
        elinewidth=0.8,
        capsize=2,
        label=_LABELS[kind],
    )


def draw_samples(
    rows: Sequence[tuple[Pixels, Pixels, Sequence[Pixels]]],
    titles: Sequence[str],
    classes: Mapping[str, Pixels],
    path: Path,
) -> None:
    """Pictures, their labels and what networks say, in rows.

    Args:
        rows: Picture H x W x 3, and class numbers H x W: the labels, and one array for each network.
        titles: Of the networks.
        classes: Colour of each class.
        path: The file.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from mosegedge.data.labels import colorize

    palette = np.array(list(classes.values()), np.uint8)
    columns = 2 + len(titles)
    height, width = rows[0][0].shape[:2]
    figure = Figure(figsize=(2.6 * columns, 2.6 * height / width * len(rows) + 0.9), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (picture, labels, guesses) in zip(grid, rows, strict=True):
        known = labels < len(palette)
        shown = [picture, colorize(labels, palette)]
        # Where no class is given, none is scored: black in all of them, so that they can be compared.
        shown += [colorize(np.where(known, guess, len(palette)), palette) for guess in guesses]
        for place, pixels in zip(axes, shown, strict=True):
            place.imshow(pixels, interpolation="nearest")
            place.set_axis_off()
    for place, title in zip(grid[0], ["picture", "labels", *titles], strict=True):
        place.set_title(title, fontsize=9)
    patches = [Patch(color=colour / 255, label=name) for name, colour in zip(classes, palette, strict=True)]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 6), fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
