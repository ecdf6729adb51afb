"""A drawing: what one step of each digit of a network costs or saves, the largest effect on top."""

from __future__ import annotations

from mosegedge.profiling.explain import Digit, DigitCost, Explanation
from mosegedge.profiling.explain_words import follow_words, step_words
from mosegedge.report.html import Attributes, Markup, join, tag
from mosegedge.report.scale import Scale
from mosegedge.space.architecture import DIGITS

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 440.0, 176.0, 14.0, 22.0, 30.0
_ROW, _BAR = 19.0, 12.0
_NUMBER = 46.0


def digits_chart(found: Explanation) -> Markup:
    """A row a digit: to the left what is saved, to the right what it costs more."""
    rows = [digit for digit in found.digits if digit.effect_ms > 0]
    deltas = [cost.delta_ms or 0.0 for digit in rows for cost in (digit.down, digit.up) if cost is not None]
    bottom = _TOP + _ROW * len(rows)
    # Room for a number at both ends.
    scale = Scale(
        low=min([*deltas, 0.0]), high=max([*deltas, 1e-9]), start=_LEFT + _NUMBER, end=_WIDTH - _RIGHT - _NUMBER
    )
    zero = scale(0.0)
    marks = [tag("path", {"class": "axis", "d": f"M{zero:.1f} {_TOP - 4:g}V{bottom:g}"})]
    marks += [_row(found, digit, scale, _TOP + _ROW * place) for place, digit in enumerate(rows)]
    marks.append(_text(zero - 6, _TOP - 8, "faster, ms", "end", "label"))
    marks.append(_text(zero + 6, _TOP - 8, "slower, ms", "start", "label"))
    label = f"What one step of each of {len(rows)} digits of network {found.architecture} costs or saves."
    view = {"class": "chart digits", "viewBox": f"0 0 {_WIDTH:g} {bottom + 6:g}", "role": "img", "aria-label": label}
    return tag("svg", view, *marks)


def _row(found: Explanation, digit: Digit, scale: Scale, top: float) -> Markup:
    middle = top + _ROW / 2
    name = DIGITS[digit.position].name.replace("expansion of ", "")
    marks = [_text(_LEFT, middle, f"{name}: {found.architecture.digits[digit.position]}", "end", "")]
    costs = [cost for cost in (digit.down, digit.up) if cost is not None and cost.delta_ms]
    if len(costs) == 2 and (costs[0].delta_ms or 0.0) * (costs[1].delta_ms or 0.0) > 0:
        # Both to the same side: one above the other, and a number for the longer one.
        marks += [_bar(found, cost, scale, middle + shift) for cost, shift in zip(costs, (-3.25, 3.25), strict=True)]
        costs = [max(costs, key=lambda cost: abs(cost.delta_ms or 0.0))]
    else:
        marks += [_bar(found, cost, scale, middle, _BAR) for cost in costs]
    return join([*marks, *(_number(cost, scale, middle) for cost in costs)])


def _bar(found: Explanation, cost: DigitCost, scale: Scale, middle: float, height: float = _BAR / 2) -> Markup:
    low, high = sorted((scale(0.0), scale(cost.delta_ms or 0.0)))
    follows = follow_words(cost)
    title = f"{step_words(found, cost)}: {cost.delta_ms:+.3f} ms{'; ' + follows if follows else ''}\n"
    title += str(cost.neighbour.architecture)
    step = "less" if cost.neighbour.step < 0 else "more"
    place: Attributes = {"x": low, "y": middle - height / 2, "width": max(high - low, 0.5), "height": height}
    return tag("rect", {"class": f"step {step}", **place}, tag("title", None, title))


def _number(cost: DigitCost, scale: Scale, middle: float) -> Markup:
    delta_ms = cost.delta_ms or 0.0
    sign, anchor = (-1, "end") if delta_ms < 0 else (1, "start")
    return _text(scale(delta_ms) + 5 * sign, middle, f"{delta_ms:+.2f}".replace("-", "\u2212"), anchor, "quiet")


def _text(x: float, y: float, words: str, anchor: str, name: str) -> Markup:
    named = {"class": name} if name else {}
    return tag("text", {**named, "x": x, "y": y, "dy": "0.35em", "text-anchor": anchor}, words)
