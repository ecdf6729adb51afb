"""What `mosegedge data check` shows of its findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mosegedge.data import Split
    from mosegedge.data.census import Census
    from mosegedge.data.check import Findings
    from mosegedge.data.dataset import Sample, SegmentationSet
    from mosegedge.data.layout import Layout

_SHOWN = 20
"""Problems that are printed; `--json` has all of them."""

_SIZES = 3


@dataclass(frozen=True, kw_only=True)
class About:
    """What a data set is, before anything is counted.

    Attributes:
        name: The name it has here.
        title: The name it has elsewhere.
        described: Its layout.
        guide: How the pictures that guide a search are chosen.
        classes: Class names.
    """

    name: str
    title: str
    described: str
    guide: str
    classes: tuple[str, ...]


def about_layout(layout: Layout) -> About:
    """What a data set in files is."""
    from mosegedge.data.layout import HoldOut

    rule = "a folder of its own"
    if isinstance(layout.guide, HoldOut):
        rule = f"held out from train by a fixed rule: {layout.guide.described}"
    return About(
        name=layout.data,
        title=layout.title,
        described=layout.described,
        guide=rule,
        classes=tuple(layout.classes),
    )


def drawn_findings(dataset: SegmentationSet, census: Census) -> Findings:
    """Findings about pictures that are drawn: there is no file that could be wrong."""
    from mosegedge.data.check import Findings
    from mosegedge.data.filed import in_words

    size = {in_words(dataset.label_size): census.pictures} if dataset.label_size else {}
    return Findings(
        split=dataset.split, pairs=len(dataset), expected=len(dataset), sizes=size, census=census, problems=()
    )


def write_samples(name: str, root: Path | None, splits: Sequence[Split], file: Path, count: int) -> bool:
    """Writes a contact sheet of some pictures of every split, and tells whether there was one that could be read."""
    from mosegedge import data
    from mosegedge.data.sheet import overlay_sheet, save_png

    if name == "scenes":
        sets = [data.load(name, split) for split in splits]
        rows = [(dataset.split, [dataset.read(index) for index in _spread(len(dataset), count)]) for dataset in sets]
        classes, palette = sets[0].classes, sets[0].palette
    else:
        from mosegedge.data.labels import palette_of

        layout, place = data.located(name, root)
        rows = [(split, _readable(layout, split, place, count)) for split in splits]
        classes, palette = tuple(layout.classes), palette_of(dict(layout.classes))
    if not any(found for _, found in rows):
        return False
    save_png(overlay_sheet([(f"{name}/{split}", found) for split, found in rows], classes, palette), file)
    return True


def findings_json(about: About, found: Sequence[Findings]) -> dict[str, Any]:
    """Everything, as one object."""
    return {
        "name": about.name,
        "layout": about.described,
        "guide": about.guide,
        "splits": {findings.split: _split_json(about.classes, findings) for findings in found},
        "problems": [
            {"split": findings.split, "kind": problem.kind, "file": str(problem.file), "detail": problem.detail}
            for findings in found
            for problem in findings.problems
        ],
    }


def findings_text(about: About, found: Sequence[Findings], picture: Path | None) -> str:
    """Everything a person wants to know, the first problems included."""
    lines = [f"{about.title}: {about.described}", ""]
    lines += [f"{'split':<7}{'pictures':>9}{'complete':>10}{'read':>8}  size"]
    for findings in found:
        complete = "-" if findings.expected is None else f"{findings.expected:,}"
        read = f"{findings.census.pictures:,}"
        lines.append(f"{findings.split:<7}{findings.pairs:>9,}{complete:>10}{read:>8}  {_sizes(findings)}")
    if about.guide:
        lines.append(f"guide is {about.guide}.")
    lines += ["", *_class_lines(about.classes, found), ""]
    if picture is not None:
        lines.append(f"Pictures with their masks: {picture}")
    return "\n".join([*lines, *_short_of(found), *_problem_lines(found)])


def _split_json(classes: Sequence[str], findings: Findings) -> dict[str, Any]:
    census = findings.census
    columns = zip(classes, census.shares, census.appearances, strict=True)
    return {
        "pictures": findings.pairs,
        "complete": findings.expected,
        "read": census.pictures,
        "sizes": dict(findings.sizes),
        "ignored_pixels": census.ignored,
        "classes": {
            label: {"pixel_share": float(share), "pictures": int(appearances)} for label, share, appearances in columns
        },
    }


def _class_lines(classes: Sequence[str], found: Sequence[Findings]) -> list[str]:
    widest = max(14, *(len(name) + 1 for name in classes))
    head = "".join(f"{findings.split:>10}{'pictures':>9}" for findings in found)
    lines = [f"{'class':<{widest}}{head}"]
    for number, label in enumerate(classes):
        cells = "".join(
            f"{findings.census.shares[number]:>10.2%}{findings.census.appearances[number]:>9,}" for findings in found
        )
        lines.append(f"{label:<{widest}}{cells}")
    return [*lines, "Shares are of the labelled pixels; pictures are those in which the class occurs."]


def _sizes(findings: Findings) -> str:
    shown = list(findings.sizes)[:_SIZES]
    more = len(findings.sizes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _short_of(found: Sequence[Findings]) -> list[str]:
    return [
        f"Note: {findings.split} has {findings.pairs:,} pictures with labels; complete it has {findings.expected:,}."
        for findings in found
        if findings.expected not in (None, findings.pairs)
    ]


def _problem_lines(found: Sequence[Findings]) -> list[str]:
    problems = [(findings.split, problem) for findings in found for problem in findings.problems]
    if not problems:
        every = all(findings.census.pictures == findings.pairs for findings in found)
        return ["Every file is in order." if every else "Every file that was read is in order."]
    kinds = Counter(problem.kind for _, problem in problems)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    lines = [f"{len(problems):,} problems: {counts}." if len(problems) > 1 else "1 problem:"]
    lines += [f"  {split}: {problem.detail}" for split, problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN:,} more; --json lists all of them.")
    return lines


def _readable(layout: Layout, split: Split, root: Path, count: int) -> list[Sample]:
    from mosegedge.data.filed import read_pair
    from mosegedge.data.walk import walk
    from mosegedge.errors import DataError

    pairs = walk(layout, split, root).pairs
    found = []
    for index in _spread(len(pairs), count):
        try:
            found.append(read_pair(pairs[index], layout)[0])
        except DataError:
            continue  # the check has named it already
    return found


def _spread(size: int, count: int) -> list[int]:
    count = min(count, size)
    return [(2 * place + 1) * size // (2 * count) for place in range(count)]
