"""Words in pictures: captions, legends, and the table of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mosegedge.data.metrics import ConfusionMatrix

_SIZE, _LINE, _MARGIN = 14, 22, 8
_INK, _PAPER, _FAINT = (30, 30, 30), (255, 255, 255), (150, 150, 150)
_DEEP = np.array([8, 69, 148])
"""Colour of a cell that holds its whole row."""

_CELL = 34


def caption(text: str, width: int) -> NDArray[np.uint8]:
    """A line of text, 30 pixels high."""
    page, draw = _page(width, _LINE + _MARGIN)
    draw.text((_MARGIN, _MARGIN), text, fill=_INK, font=_font())
    return np.array(page)


def legend(names: Sequence[str], colours: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Names beside patches of their colours, in as many lines as they need.

    Args:
        names: Class names.
        colours: A colour for each, K x 3.
        width: Of the result in pixels.
    """
    font = _font()
    places, x, y = [], _MARGIN, _MARGIN
    for name in names:
        needed = _LINE + round(font.getlength(name)) + 2 * _MARGIN
        if x > _MARGIN and x + needed > width:
            x, y = _MARGIN, y + _LINE
        places.append((x, y))
        x += needed
    page, draw = _page(width, y + _LINE + _MARGIN)
    for name, colour, (left, top) in zip(names, colours.tolist(), places, strict=True):
        draw.rectangle((left, top + 2, left + 14, top + 16), fill=tuple(colour), outline=_FAINT)
        draw.text((left + _LINE, top), name, fill=_INK, font=font)
    return np.array(page)


def confusion_picture(matrix: ConfusionMatrix, classes: Sequence[str]) -> NDArray[np.uint8]:
    """The confusion matrix as a table: a row for each true class, darker where more of its pixels went.

    A cell holds the share of the true class's pixels in per cent, where it is at least half a per cent. The row of a
    class that does not occur is grey.

    Args:
        matrix: Counts over a data set.
        classes: Class names.
    """
    shares = matrix.shares()
    font, small = _font(), _font(11)
    heading = "true \\ predicted, %"
    # Short names leave less room than the heading of the corner takes.
    side = round(max(small.getlength(heading), *(font.getlength(name) for name in classes))) + 3 * _MARGIN
    extent = side + _CELL * len(classes)
    page, draw = _page(extent + _MARGIN, extent + _MARGIN)
    for k, name in enumerate(classes):
        start = side + k * _CELL
        draw.text((side - _MARGIN, start + _CELL / 2), name, fill=_INK, font=font, anchor="rm")
        page.paste(_upright(name, side - _MARGIN), (start + (_CELL - _LINE) // 2, 0))
        for j in range(len(classes)):
            left, share = side + j * _CELL, shares[k, j]
            box = (left, start, left + _CELL - 1, start + _CELL - 1)
            draw.rectangle(box, fill=(236, 236, 236) if np.isnan(share) else _shade(share))
            if share >= 0.005:
                ink = _PAPER if share > 0.45 else _INK
                middle = (left + _CELL / 2, start + _CELL / 2)
                draw.text(middle, f"{100 * share:.0f}", fill=ink, font=small, anchor="mm")
    draw.text((_MARGIN, _MARGIN), heading, fill=_INK, font=small)
    return np.array(page)


def _shade(share: float) -> tuple[int, int, int]:
    red, green, blue = np.rint(255 + (_DEEP - 255) * share**0.5).astype(int).tolist()
    return red, green, blue


def _upright(text: str, length: int) -> Image.Image:
    """Text that is read from below."""
    page, draw = _page(length, _LINE)
    draw.text((0, _LINE / 2), text, fill=_INK, font=_font(), anchor="lm")
    return page.rotate(90, expand=True)


def _page(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("RGB", (width, height), _PAPER)
    return page, ImageDraw.Draw(page)


def _font(size: int = _SIZE) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # what Pillow gives when a size is named
    return font
