"""A drawing: where the time of some networks goes, one stacked bar a network, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mosegedge.profiling.explain import Explanation, LayerTime
from mosegedge.profiling.explain_words import part_words
from mosegedge.report.html import Markup, join, tag
from mosegedge.report.roofline import layer_title
from mosegedge.report.scale import Scale

_WIDTH, _LEFT, _RIGHT, _TOP = 680.0, 34.0, 126.0, 6.0
_ROW, _BAR = 46.0, 34.0
_WIDE_ENOUGH = 52.0
PARTS = ("stem", "stage1", "stage2", "stage3", "stage4", "decoder")
OUTSIDE = "outside"


def shares_chart(networks: Sequence[Explanation]) -> Markup:
    """Bars in milliseconds; each part has its colour, and thin lines part its layers. Several bars are numbered."""
    height = shares_height(len(networks))
    longest = max(sum(max(cost_ms, 0.0) for cost_ms in found.parts_ms.values()) for found in networks)
    scale = Scale(low=0.0, high=longest, start=_LEFT, end=_WIDTH - _RIGHT)
    rows = [
        _row(found, str(k) if len(networks) > 1 else "", scale, _TOP + _ROW * (k - 1))
        for k, found in enumerate(networks, start=1)
    ]
    label = f"Latency of {len(networks)} network{'s' if len(networks) > 1 else ''}, part by part."
    view = {"class": "chart wide", "viewBox": f"0 0 {_WIDTH:g} {height:g}", "role": "img", "aria-label": label}
    return tag("svg", view, *rows)


def shares_height(networks: int) -> float:
    """Height of the drawing in its own units."""
    return _TOP + _ROW * networks + 4


def shares_legend() -> Markup:
    """The colours of the parts, which the roofline shares."""
    entries = []
    for part in (*PARTS, OUTSIDE):
        square = tag("rect", {"class": f"layer {part}", "x": 4, "y": 2, "width": 12, "height": 12})
        view = {"class": "symbol", "viewBox": "0 0 20 16", "aria-hidden": "true"}
        words = "no layer" if part == OUTSIDE else part_words(part).removeprefix("the ")
        entries.append(tag("span", {"class": "entry"}, tag("svg", view, square), words))
    return tag("p", {"class": "legend"}, *entries)


def _row(found: Explanation, name: str, scale: Scale, top: float) -> Markup:
    middle = top + _BAR / 2
    marks = [tag("text", {"x": 4, "y": middle, "dy": "0.35em", "class": "strong"}, name)]
    start_ms = 0.0
    for part, layers in groupby(found.layers, key=lambda layer: layer.part):
        members = list(layers)
        marks += _part(part, members, scale, start_ms, top)
        start_ms += sum(max(layer.latency_ms, 0.0) for layer in members)
    outside_ms = sum(found.outside_ms.values())
    if outside_ms > 0:
        marks.append(_box(scale, start_ms, outside_ms, top, OUTSIDE, f"belongs to no layer: {outside_ms:.3f} ms"))
        start_ms += outside_ms
    end: dict[str, str | float] = {"x": scale(start_ms) + 8, "y": middle, "dy": "0.35em"}
    marks.append(tag("text", end, f"{found.latency_ms:.2f} ms"))
    return join(marks)


def _part(part: str, layers: list[LayerTime], scale: Scale, start_ms: float, top: float) -> list[Markup]:
    marks, at_ms = [], start_ms
    for layer in layers:
        cost_ms = max(layer.latency_ms, 0.0)
        marks.append(_box(scale, at_ms, cost_ms, top, part, layer_title(layer)))
        at_ms += cost_ms
    width = scale(at_ms) - scale(start_ms)
    if width >= _WIDE_ENOUGH:
        share = sum(layer.share for layer in layers)
        place: dict[str, str | float] = {
            "class": f"inside {part}", "x": scale(start_ms) + width / 2, "y": top + _BAR / 2, "dy": "0.35em",
            "text-anchor": "middle",
        }  # fmt: skip
        marks.append(tag("text", place, f"{share:.0%}"))
    return marks


def _box(scale: Scale, start_ms: float, cost_ms: float, top: float, name: str, title: str) -> Markup:
    place: dict[str, str | float] = {
        "class": f"layer {name}", "x": scale(start_ms), "y": top, "width": scale(start_ms + cost_ms) - scale(start_ms),
        "height": _BAR,
    }  # fmt: skip
    return tag("rect", place, tag("title", None, title))
