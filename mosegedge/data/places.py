"""Finds a data set below a root, or says what was expected where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mosegedge.data.layout import Layout
from mosegedge.errors import DataError

_LEVELS = 2
"""How far above and below a wrong root the right one is looked for."""

_FOLDERS = 200
"""So many folders of a level are looked into; a data set's own folders are far fewer."""


def locate(layouts: Sequence[Layout], root: Path) -> Layout:
    """The layout in which a data set lies below a root.

    Args:
        layouts: The layouts that the data set can have, the likeliest first.
        root: The folder that the user named.

    Raises:
        DataError: It lies there in none of them; the message says what is missing, and where the data set is when the
            root is some folders too high or too deep.
    """
    for layout in layouts:
        if _there(layout, root):
            return layout
    title = layouts[0].title
    if not root.is_dir():
        raise DataError(
            f"{title} was looked for in {root}, which {'is no folder' if root.exists() else 'does not exist'}.",
            known=" Or: ".join(layout.described for layout in layouts),
            fix="Name the folder that holds them: --data-root DIR.",
        )
    for place, where in _around(root):
        if any(_there(layout, place) for layout in layouts):
            raise DataError(
                f"{title} is not in {root} itself but in {place}.",
                known=f"The folder named is too {where}.",
                fix=f"Name the right one: --data-root {place}",
            )
    closest = min(layouts, key=lambda layout: len(_missing(layout, root)) / len(layout.landmarks))
    missing = _missing(closest, root)
    raise DataError(
        f"{title} was not found in {root}: {_in_words(missing)} not there.{_elsewhere(missing, root)}",
        known=_known(layouts, closest, missing),
        fix="Name the folder that holds them: --data-root DIR.",
    )


def _there(layout: Layout, root: Path) -> bool:
    return all(_found(root, landmark) for landmark in layout.landmarks)


def _missing(layout: Layout, root: Path) -> list[str]:
    return [landmark for landmark in layout.landmarks if not _found(root, landmark)]


def _found(root: Path, landmark: str) -> bool:
    return next(root.glob(landmark), None) is not None


def _around(root: Path) -> list[tuple[Path, str]]:
    """Folders above and below a root, the nearest first, with what is wrong with the root if they are right."""
    above = [(parent, "deep") for parent in list(root.absolute().parents)[: _LEVELS + 1]]
    level, below = [root], []
    for _ in range(_LEVELS):
        level = [child for folder in level[:_FOLDERS] for child in _folders_of(folder)]
        below += [(child, "high") for child in level]
    return above + below


def _folders_of(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir())
    except PermissionError:
        return []


def _in_words(missing: Sequence[str]) -> str:
    return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'}"


def _elsewhere(missing: Sequence[str], root: Path) -> str:
    """Says where a missing folder is when it lies in a folder beside the others."""
    for landmark in missing:
        for child in _folders_of(root)[:_FOLDERS]:
            if _found(child, landmark):
                return f" There is {child / landmark}, which belongs directly into {root}."
    return ""


def _known(layouts: Sequence[Layout], closest: Layout, missing: Sequence[str]) -> str:
    """The layout that was nearly there; all of them where nothing was."""
    nothing = len(missing) == len(closest.landmarks)
    return " Or: ".join(layout.described for layout in layouts) if nothing else closest.described
