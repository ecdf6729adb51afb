"""HTML as values: the one place where text becomes markup, so that nothing is ever escaped twice or not at all."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

Attributes = Mapping[str, str | float]

_VOID = frozenset({"br", "img", "meta"})


class Markup(str):
    """Text that is HTML already; only the functions of this module make it from anything else."""

    __slots__ = ()


def tag(name: str, attributes: Attributes | None = None, *children: str) -> Markup:
    """An element.

    Args:
        name: Its name.
        attributes: Values are escaped; numbers are rounded to two decimals.
        children: Text is escaped, Markup is taken as it is.
    """
    written = "".join(f' {key}="{_value(value)}"' for key, value in (attributes or {}).items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """Elements and text one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part) for part in parts))


def paragraph(*children: str) -> Markup:
    """A paragraph of prose."""
    return tag("p", None, *children)


def reading(text: str) -> Markup:
    """The one sentence that says what a figure shows."""
    return tag("p", {"class": "reading"}, text)


def missing(text: str) -> Markup:
    """Why something is not shown."""
    return tag("p", {"class": "missing"}, text)


def section(name: str, title: str, *children: str) -> Markup:
    """A part of the page with its heading; `name` is its anchor."""
    return tag("section", {"id": name}, tag("h2", None, title), *children)


def beside(figure: Markup, *numbers: Markup) -> Markup:
    """A figure with its numbers beside it, or below it on a narrow screen."""
    return tag("div", {"class": "beside"}, figure, tag("div", None, *numbers))


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str | float]]) -> Markup:
    """A table; numbers are right-aligned, and it scrolls sideways where it does not fit."""
    head = tag("tr", None, *(tag("th", {"scope": "col"}, column) for column in columns))
    body = join(tag("tr", None, *(_cell(value) for value in row)) for row in rows)
    whole = tag("table", None, tag("caption", None, caption), tag("thead", None, head), tag("tbody", None, body))
    return tag("div", {"class": "scroll"}, whole)


def details(summary: str, *children: Markup) -> Markup:
    """Something long that is opened on demand, and always printed."""
    return tag("details", None, tag("summary", None, summary), *children)


def number(value: float, digits: int = 2) -> Markup:
    """A number for a table cell, with thin spaces between thousands."""
    return tag("span", {"class": "number"}, f"{value:,.{digits}f}".replace(",", "\u2009"))


def signed(value: float) -> str:
    """A difference with three decimals and its sign."""
    return f"{value:+.3f}".replace("-", "\u2212")


def _cell(value: str | float) -> Markup:
    return tag("td", None, value if isinstance(value, str) else number(value, 0 if isinstance(value, int) else 2))


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return html.escape(value)
    return f"{round(value, 2):g}" if abs(value) < 1e5 else str(round(value, 2))
