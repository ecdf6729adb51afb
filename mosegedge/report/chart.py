"""Charts as inline SVG: a frame with axes, marks in it, a legend below. Colours come from the style sheet by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mosegedge.report.html import Attributes, Markup, join, tag
from mosegedge.report.scale import Axis, LogScale, Scale

_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 18.0, 42.0, 62.0

Shape = Literal["dot", "diamond", "square", "line"]
Legend = list[tuple[Shape, str, str]]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Extent of a chart in its own units; `wide` ones get larger letters on a phone."""

    width: float
    height: float
    name: str


WIDE = Size(width=680, height=420, name="wide")
PANEL = Size(width=440, height=370, name="panel")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Two axes.

    Attributes:
        size: Of the whole chart.
        x: Horizontal scale.
        y: Vertical scale.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
    """

    size: Size
    x: Axis
    y: Axis
    x_label: str
    y_label: str

    @property
    def bottom(self) -> float:
        """Pixel of the x axis."""
        return self.size.height - _BOTTOM

    @property
    def right(self) -> float:
        """Pixel of the right end."""
        return self.size.width - _RIGHT


def frame(
    size: Size,
    x_values: Iterable[float],
    y_values: Iterable[float],
    *,
    x_label: str,
    y_label: str,
    from_zero: bool = False,
    whole_x: bool = False,
) -> Frame:
    """A frame that shows all values; with `from_zero` both axes begin at 0, with `whole_x` x counts something."""
    x = Scale.around(x_values, _LEFT, size.width - _RIGHT, zero=from_zero)
    return Frame(
        size=size,
        x=replace(x, whole=whole_x),
        y=Scale.around(y_values, size.height - _BOTTOM, _TOP, zero=from_zero),
        x_label=x_label,
        y_label=y_label,
    )


def log_frame(size: Size, x_values: Iterable[float], y_values: Iterable[float], *, x_label: str, y_label: str) -> Frame:
    """A frame with two logarithmic axes; all values are larger than 0."""
    return Frame(
        size=size,
        x=LogScale.around(x_values, _LEFT, size.width - _RIGHT),
        y=LogScale.around(y_values, size.height - _BOTTOM, _TOP),
        x_label=x_label,
        y_label=y_label,
    )


def chart(axes: Frame, label: str, *marks: Markup) -> Markup:
    """The SVG element; `label` is read aloud in its place."""
    size = axes.size
    view = {"class": f"chart {size.name}", "viewBox": f"0 0 {size.width:g} {size.height:g}"}
    return tag("svg", {**view, "role": "img", "aria-label": label}, _axes(axes), *marks)


def figure(drawing: Markup, legend: Legend) -> Markup:
    """A chart with the meaning of its marks below: pairs of a mark (shape, class) and words."""
    entries = (
        tag("span", {"class": "entry"}, tag("svg", _SYMBOL_VIEW, symbol(shape, 10, 8, name)), words)
        for shape, name, words in legend
    )
    return tag("figure", None, drawing, tag("figcaption", {"class": "legend"}, *entries))


_SYMBOL_VIEW: Attributes = {"class": "symbol", "viewBox": "0 0 20 16", "aria-hidden": "true"}


def symbol(shape: Shape, x: float, y: float, name: str, title: str = "") -> Markup:
    """A mark at a pixel; `title` shows when the pointer rests on it."""
    hover = [tag("title", None, title)] if title else []
    if shape == "line":
        return tag("path", {"class": name, "d": f"M{x - 10:g} {y:g}H{x + 10:g}"}, *hover)
    if shape == "square":
        return tag("rect", {"class": name, "x": x - 4.5, "y": y - 4.5, "width": 9, "height": 9}, *hover)
    if shape == "diamond":
        return tag("path", {"class": name, "d": f"M{x:.1f} {y - 6.5:.1f}l6.5 6.5l-6.5 6.5l-6.5 -6.5z"}, *hover)
    return tag("circle", {"class": name, "cx": x, "cy": y, "r": 4.5}, *hover)


def mark(axes: Frame, shape: Shape, point: tuple[float, float], name: str, title: str) -> Markup:
    """A mark at a value."""
    return symbol(shape, axes.x(point[0]), axes.y(point[1]), name, title)


def flag(axes: Frame, point: tuple[float, float], text: str, title: str) -> Markup:
    """A ring around a point with a short text above it."""
    x, y = axes.x(point[0]), axes.y(point[1])
    ring = tag("circle", {"class": "ring", "cx": x, "cy": y, "r": 9}, tag("title", None, title))
    return tag("g", {"class": "flag"}, ring, tag("text", {"x": x - 10, "y": y - 11, "text-anchor": "end"}, text))


def path(axes: Frame, points: Sequence[tuple[float, float]], name: str) -> Markup:
    """Straight lines from point to point."""
    places = "L".join(f"{axes.x(x):.1f} {axes.y(y):.1f}" for x, y in points)
    return tag("path", {"class": name, "d": f"M{places}"})


def staircase(axes: Frame, points: Sequence[tuple[float, float]], name: str) -> Markup:
    """The best y that is reached up to each x, on to the right end: the edge of what a front dominates."""
    moves = [f"M{axes.x(points[0][0]):.1f} {axes.y(points[0][1]):.1f}"]
    moves += [f"H{axes.x(x):.1f}V{axes.y(y):.1f}" for x, y in points[1:]]
    return tag("path", {"class": name, "d": "".join(moves) + f"H{axes.right:g}"})


def _axes(axes: Frame) -> Markup:
    parts = []
    for value, text in axes.y.labels():
        y = axes.y(value)
        parts.append(tag("path", {"class": "grid", "d": f"M{_LEFT:g} {y:.1f}H{axes.right:g}"}))
        parts.append(tag("text", {"x": _LEFT - 8, "y": y, "dy": "0.35em", "text-anchor": "end"}, text))
    for value, text in axes.x.labels():
        x = axes.x(value)
        parts.append(tag("path", {"class": "grid", "d": f"M{x:.1f} {axes.bottom:g}V{_TOP:g}"}))
        parts.append(tag("text", {"x": x, "y": axes.bottom + 8, "dy": "0.8em", "text-anchor": "middle"}, text))
    parts.append(tag("path", {"class": "axis", "d": f"M{_LEFT:g} {_TOP:g}V{axes.bottom:g}H{axes.right:g}"}))
    below: Attributes = {"class": "label", "x": axes.right, "y": axes.size.height - 10, "text-anchor": "end"}
    parts.append(tag("text", below, axes.x_label))
    parts.append(tag("text", {"class": "label", "x": 4, "y": 22}, axes.y_label))
    return join(parts)
