"""Looks through a whole split in files and says everything that is wrong with it, not only the first thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.census import Census, Tally
from mosegedge.data.dataset import Split
from mosegedge.data.decode import read_labels, read_picture
from mosegedge.data.filed import check_sizes, in_words, strange_in_words
from mosegedge.data.layout import Layout
from mosegedge.data.parallel import in_order
from mosegedge.data.walk import Pair, walk
from mosegedge.errors import DataError
from mosegedge.progress import Progress

Kind = Literal["missing picture", "missing labels", "unreadable", "another size", "labels without a meaning"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is wrong with a split.

    Attributes:
        kind: What sort of problem.
        file: The file it is about.
        detail: In words.
    """

    kind: Kind
    file: Path
    detail: str


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a split holds and what is wrong with it.

    Attributes:
        split: Which one.
        pairs: Pictures with labels that were found.
        expected: Pictures that the complete data set has; None where that is not known.
        sizes: Number of pictures of each size `WIDTHxHEIGHT`, of those that were read.
        census: Counts of classes over the pictures that were read.
        problems: What is wrong, in the order of the names.
    """

    split: Split
    pairs: int
    expected: int | None
    sizes: Mapping[str, int]
    census: Census
    problems: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """One pair, looked at; no array of it is kept but the counts."""

    size: str
    counts: NDArray[np.int64] | None
    problem: Problem | None


def check_split(
    layout: Layout, split: Split, root: Path, progress: Progress, *, workers: int, limit: int | None = None
) -> Findings:
    """Reads every picture and mask of a split.

    Args:
        layout: How the data set lies on disk.
        split: Which part.
        root: Its folder.
        progress: Told about every picture.
        workers: Threads that read.
        limit: Only so many pictures from the first on; pairs are looked for in all of it.

    Raises:
        DataError: A list of names is missing.
    """
    found = walk(layout, split, root)
    problems = [
        Problem(
            kind="missing picture" if file.what == "picture" else "missing labels",
            file=file.expected,
            detail=f"{file.name} has no {'picture' if file.what == 'picture' else 'labels'}; expected {file.expected}.",
        )
        for file in found.missing
    ]
    pairs = found.pairs[:limit]
    progress.start(f"Reading {layout.data}/{split}", len(pairs))
    sizes: Counter[str] = Counter()
    tally = Tally(len(layout.classes))
    for looked in in_order(lambda pair: _look_at(pair, layout), pairs, workers=workers):
        if looked.counts is not None:
            sizes[looked.size] += 1
            tally.add(looked.counts)
        if looked.problem is not None:
            problems.append(looked.problem)
        progress.advance()
    return Findings(
        split=split,
        pairs=len(found.pairs),
        expected=layout.counts.get(split),
        sizes=dict(sizes.most_common()),
        census=tally.census,
        problems=tuple(problems),
    )


def _look_at(pair: Pair, layout: Layout) -> _Looked:
    try:
        picture = read_picture(pair.picture).shape[:2]
    except DataError as error:
        return _wrong("unreadable", pair.picture, error)
    try:
        mask, strange = layout.values.mask_of(read_labels(pair.labels, layout.values))
    except DataError as error:
        return _wrong("unreadable", pair.labels, error)
    try:
        check_sizes(pair, layout, picture, mask.shape)
    except DataError as error:
        return _wrong("another size", pair.labels, error)
    problem = None
    if strange:
        held = strange_in_words(strange, layout.values)
        problem = Problem(kind="labels without a meaning", file=pair.labels, detail=f"{pair.labels} holds {held}.")
    return _Looked(size=in_words(mask.shape), counts=np.bincount(mask.ravel(), minlength=256), problem=problem)


def _wrong(kind: Kind, file: Path, error: DataError) -> _Looked:
    problem = Problem(kind=kind, file=file, detail=f"{error.what} {error.known}".strip())
    return _Looked(size="", counts=None, problem=problem)
