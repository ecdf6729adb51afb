"""The explanation of one network as an SVG file of its own, with the style of the report."""

from __future__ import annotations

from importlib import resources

from mosegedge.profiling.explain import Explanation
from mosegedge.profiling.explain_words import summary_words
from mosegedge.report.chart import PANEL
from mosegedge.report.digits import digits_chart, digits_height
from mosegedge.report.html import Attributes, Markup, join, tag
from mosegedge.report.roofline import roofline_chart
from mosegedge.report.shares import PARTS, shares_chart, shares_height

_WIDTH, _MARGIN, _LINE = 940.0, 20.0, 20.0
_FONT = 'svg { font: 13px system-ui, "Segoe UI", Roboto, Arial, sans-serif; background: var(--paper); }'
_LETTERS = "text { fill: var(--ink); } .head { font-size: 17px; font-weight: 600; }"


def explanation_svg(found: Explanation, profile: str) -> str:
    """Where the time goes, the roof of the device, and what a digit costs.

    Args:
        found: The explanation.
        profile: Name of the profile that it rests on.
    """
    style = (resources.files("mosegedge.report") / "style.css").read_text()
    sentences = summary_words(found)
    top = _MARGIN + 26 + _LINE * len(sentences)
    wide, half = _WIDTH - 2 * _MARGIN, (_WIDTH - 3 * _MARGIN) / 2
    bars = shares_height(1) * wide / 680
    below = top + bars + 34
    height = below + max(PANEL.height, digits_height(found)) * half / 440 + _MARGIN
    inside = [
        tag("style", None, Markup(f"{style}\n{_FONT}\n{_LETTERS}")),
        tag("rect", {"width": _WIDTH, "height": height, "fill": "var(--paper)"}),
        _text(_MARGIN, _MARGIN + 8, f"{found.architecture}  on  {profile}", "head"),
        *(_text(_MARGIN, _MARGIN + 12 + _LINE * line, words) for line, words in enumerate(sentences, start=1)),
        _placed(shares_chart([found]), _MARGIN, top, wide, bars),
        _legend(top + bars + 14),
        _placed(roofline_chart(found), _MARGIN, below, half, PANEL.height * half / 440),
        _placed(digits_chart(found), 2 * _MARGIN + half, below, half, digits_height(found) * half / 440),
    ]
    view: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH:g} {height:.0f}", "width": _WIDTH,
        "height": round(height),
    }  # fmt: skip
    return tag("svg", view, *inside) + "\n"


def _placed(chart: Markup, x: float, y: float, width: float, height: float) -> Markup:
    return tag("svg", {"x": x, "y": y, "width": width, "height": height}, chart)


def _legend(y: float) -> Markup:
    marks = []
    for place, part in enumerate((*PARTS, "outside")):
        x = _MARGIN + 8 + 100 * place
        words = "no layer" if part == "outside" else part.replace("stage", "stage ")
        marks += [
            tag("rect", {"class": f"layer {part}", "x": x, "y": y - 10, "width": 12, "height": 12}),
            _text(x + 18, y, words),
        ]
    return join(marks)


def _text(x: float, y: float, words: str, name: str = "") -> Markup:
    return tag("text", {**({"class": name} if name else {}), "x": x, "y": y}, words)
