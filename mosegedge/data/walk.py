"""The one walk over a data set's folders: which pictures there are, and which have labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mosegedge.data.dataset import Split
from mosegedge.data.layout import HoldOut, Layout, NameList, Part
from mosegedge.errors import DataError

_NAME = "{name}"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A picture and its labels.

    Attributes:
        name: Its name in the data set.
        picture: File of the picture.
        labels: File of the labels.
    """

    name: str
    picture: Path
    labels: Path


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A file that should be there.

    Attributes:
        name: Of the picture.
        what: `picture` or `labels`.
        expected: Where it was looked for first.
    """

    name: str
    what: str
    expected: Path


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What a split holds.

    Attributes:
        pairs: Pictures that have labels, sorted by name.
        missing: Files without which the others are no pair.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[Missing, ...]


def walk(layout: Layout, split: Split, root: Path) -> Walk:
    """Looks through the folders of a split; no file is opened but lists of names.

    Raises:
        DataError: A list of names is missing.
    """
    if split == "val":
        return _walk_part(layout, layout.val, root)
    if isinstance(layout.guide, Part):
        return _walk_part(layout, layout.guide if split == "guide" else layout.train, root)
    return _divided(_walk_part(layout, layout.train, root), layout.guide, guide=split == "guide")


def _divided(whole: Walk, rule: HoldOut, *, guide: bool) -> Walk:
    # The rule sees incomplete pairs too, so that a missing file moves no other picture to another split.
    names = sorted({pair.name for pair in whole.pairs} | {file.name for file in whole.missing})
    held_out = rule.choose(names)
    return Walk(
        pairs=tuple(pair for pair in whole.pairs if (pair.name in held_out) == guide),
        missing=tuple(file for file in whole.missing if (file.name in held_out) == guide),
    )


def _walk_part(layout: Layout, part: Part, root: Path) -> Walk:
    pictures, labels = _files(root, part.pictures), _files(root, part.labels)
    names = _listed(layout, part.lists, root) if part.lists else pictures.keys() | labels.keys()
    pairs, missing = [], []
    for name in sorted(name for name in names if part.belongs is None or part.belongs(name)):
        if name in pictures and name in labels:
            pairs.append(Pair(name=name, picture=pictures[name], labels=labels[name]))
            continue
        for what, found, patterns in (("picture", pictures, part.pictures), ("labels", labels, part.labels)):
            if name not in found:
                missing.append(Missing(name=name, what=what, expected=root / patterns[0].replace(_NAME, name)))
    return Walk(pairs=tuple(pairs), missing=tuple(missing))


def _files(root: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """Name and path of every file that fits a pattern; of several for one name, that of the first pattern."""
    found: dict[str, Path] = {}
    for pattern in reversed(patterns):
        folder_text, _, ending = pattern.partition(_NAME)
        folder = root / folder_text
        for place, _, files in os.walk(folder):
            below = Path(place).relative_to(folder).as_posix()
            inside = "" if below == "." else f"{below}/"
            for file in files:
                if file.lower().endswith(ending.lower()):
                    found[f"{inside}{file[: len(file) - len(ending)]}"] = Path(place, file)
    return found


def _listed(layout: Layout, lists: Sequence[NameList], root: Path) -> set[str]:
    for candidate in lists:
        if all((root / file).is_file() for file in candidate.include + candidate.exclude):
            included = {name for file in candidate.include for name in _names_in(root / file)}
            return included - {name for file in candidate.exclude for name in _names_in(root / file)}
    wanted = "; or ".join(", ".join(candidate.include + candidate.exclude) for candidate in lists)
    raise DataError(
        f"{layout.title} in {root} has no list of the names of its pictures.",
        known=f"Looked for: {wanted}. {layout.described}",
        fix="Copy the missing file from the data set.",
    )


def _names_in(file: Path) -> list[str]:
    """Names of a list; a line may also be the path of a picture, and of its labels after it."""
    lines = (line.split() for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    return [Path(words[0]).stem if "/" in words[0] else words[0] for words in lines if words]
