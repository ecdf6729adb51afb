"""The record of `benchmarks.camvid` as Markdown and as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.camvid_networks import BISENET, KINDS, SEARCHED, UNIFORM, Kind
from benchmarks.camvid_record import Entry, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]

_STYLES = {SEARCHED: ("C0", "o", "-"), BISENET: ("C3", "s", ":"), UNIFORM: ("C7", "D", "--")}
_LABELS = {SEARCHED: "finalists of the search", BISENET: "BiSeNet with ResNet-18", UNIFORM: "uniform width"}
_COLUMNS = (
    "network",
    "input",
    "latency, ms",
    "mIoU on val",
    "by seed",
    "finalist ahead by",
    "mIoU on guide",
    "multiply-adds, M",
    "parameters, k",
)


def how_trained(facts: Mapping[str, Any]) -> str:
    """Steps of the trainings and the weights that they start from, in words."""
    steps = facts["steps"]
    if not facts.get("supernet_sha256"):  # older records do not speak of it
        return f"{steps} steps of {facts['batch_size']} from random weights"
    more = facts["supernet_steps"]
    return (
        f"{steps} steps of {facts['batch_size']} from weights of a supernet of {more} steps, "
        f"BiSeNets {steps + more} from random ones"
    )


def table(record: Record) -> str:
    """All networks as Markdown, each finalist before its company."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
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
            ", ".join(f"{value:.3f}" for value in entry.by_seed.values()),
            ahead,
            f"{entry.miou_on_guide:.4f}",
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
    """Draws mIoU against latency, on `val` and on `guide`; means of one kind of networks are connected."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    facts, both = record.facts, figure.subplots(1, 2, sharey=True)
    for axes, part in zip(both, ("val", "guide"), strict=True):
        for kind in KINDS:
            _kind(axes, kind, [entry for entry in record.entries if entry.contender.kind == kind], part)
        axes.set(xscale="log", xlabel="latency, ms")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.set_title(f"{part}, {facts['pictures'][part]} pictures")
    both[0].set_ylabel("mIoU; bars: each training")
    both[1].legend(loc="lower right")
    figure.suptitle(
        f"{facts['data']}, {how_trained(facts)};\n{facts['runtime']} {facts['precision']}, threads: {facts['threads']}",
        fontsize=11,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _kind(axes: Axes, kind: Kind, entries: Sequence[Entry], part: str) -> None:
    colour, marker, line = _STYLES[kind]
    found = sorted(entries, key=lambda entry: entry.latency_ms)
    means = [entry.miou if part == "val" else entry.miou_on_guide for entry in found]
    latencies_ms = [entry.latency_ms for entry in found]
    axes.plot(latencies_ms, means, marker=marker, ls=line, color=colour, ms=6, lw=1.2, label=_LABELS[kind])
    for entry in found if part == "val" else ():
        values = list(entry.by_seed.values())
        axes.plot([entry.latency_ms] * len(values), values, marker="_", ls="-", color=colour, lw=0.8, ms=9)


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
