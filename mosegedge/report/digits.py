"""A drawing: what one step of each digit of a network costs or saves, the largest effect on top."""

from __future__ import annotations

from mosegedge.profiling.explain import Digit, DigitCost, Explanation
from mosegedge.profiling.explain_words import follow_words, step_words
from mosegedge.report.html import Attributes, Markup, join, tag
from mosegedge.report.scale import Scale
from mosegedge.space.architecture import DIGITS, SCALE

_WIDTH, _LEFT, _RIGHT, _TOP = 440.0, 150.0, 8.0, 26.0
_ROW, _BAR, _GAP = 19.0, 12.0, 0.5
_NUMBER, _STUB = 48.0, 0.15


def digits_chart(found: Explanation) -> Markup:
    """A row a digit: to the left what is saved, to the right what it costs more."""
    rows = _rows(found)
    # The scale changes every layer: drawn in full, it would leave nothing to see of the others.
    deltas = [cost.delta_ms or 0.0 for digit in rows if digit.position != SCALE for cost in _steps(digit)]
    bottom = _TOP + _ROW * len(rows)
    # Room for a number at both ends.
    start, end = _LEFT + _NUMBER, _WIDTH - _RIGHT - _NUMBER
    # A side that only the scale goes to gets a stub, or its bar would have no width at all.
    every = [cost.delta_ms or 0.0 for digit in rows for cost in _steps(digit)]
    stub_ms = _STUB * max([abs(delta) for delta in deltas], default=1.0)
    low = min([*deltas, -stub_ms if min(every, default=0.0) < 0 else 0.0])
    high = max([*deltas, stub_ms if max(every, default=0.0) > 0 else 1e-9])
    scale = Scale(low=low, high=high, start=start, end=end)
    zero = scale(0.0)
    marks = [tag("path", {"class": "axis", "d": f"M{zero:.1f} {_TOP - 4:g}V{bottom:g}"})]
    marks += [_row(found, digit, scale, _TOP + _ROW * place) for place, digit in enumerate(rows)]
    marks.append(_text(4, _TOP - 16, "one step of a digit, ms more (right) or less (left)", "start", "label"))
    label = f"What one step of each of {len(rows)} digits of network {found.architecture} costs or saves."
    view = {"class": "chart digits", "viewBox": f"0 0 {_WIDTH:g} {digits_height(found):g}"}
    return tag("svg", {**view, "role": "img", "aria-label": label}, *marks)


def digits_height(found: Explanation) -> float:
    """Height of the drawing in its own units."""
    return _TOP + _ROW * len(_rows(found)) + 6


def _rows(found: Explanation) -> list[Digit]:
    return [digit for digit in found.digits if digit.effect_ms > 0]


def _steps(digit: Digit) -> list[DigitCost]:
    return [cost for cost in (digit.down, digit.up) if cost is not None and cost.delta_ms]


def _row(found: Explanation, digit: Digit, scale: Scale, top: float) -> Markup:
    middle = top + _ROW / 2
    name = DIGITS[digit.position].name.replace("expansion of ", "")
    marks = [_text(_LEFT - 8, middle, f"{name}: {found.architecture.digits[digit.position]}", "end")]
    costs = _steps(digit)
    if len(costs) == 2 and (costs[0].delta_ms or 0.0) * (costs[1].delta_ms or 0.0) > 0:
        # Both to the same side: one above the other, and a number for the longer one.
        half = _BAR / 2 - _GAP
        marks += [_bar(found, costs[0], scale, middle - _BAR / 2, half), _bar(found, costs[1], scale, middle, half)]
        costs = [max(costs, key=lambda cost: abs(cost.delta_ms or 0.0))]
    else:
        marks += [_bar(found, cost, scale, middle - _BAR / 2, _BAR) for cost in costs]
    return join([*marks, *(_number(cost, scale, middle, 2 if found.latency_ms >= 2 else 3) for cost in costs)])


def _bar(found: Explanation, cost: DigitCost, scale: Scale, top: float, height: float) -> Markup:
    delta_ms = cost.delta_ms or 0.0
    drawn_ms = _drawn(delta_ms, scale)
    low, high = sorted((scale(0.0), scale(drawn_ms)))
    follows = follow_words(cost)
    title = f"{step_words(found, cost)}: {cost.delta_ms:+.3f} ms{'; ' + follows if follows else ''}\n"
    title += str(cost.neighbour.architecture)
    step = "less" if cost.neighbour.step < 0 else "more"
    place: Attributes = {"x": low, "y": top, "width": max(high - low, 0.5), "height": height}
    bar = tag("rect", {"class": f"step {step}", **place}, tag("title", None, title))
    if drawn_ms == delta_ms:
        return bar
    x = scale(drawn_ms) - (10 if delta_ms > 0 else -10)
    return join([bar, tag("path", {"class": "cut", "d": f"M{x - 3:.1f} {top + height + 2:.1f}l6 {-height - 4:g}"})])


def _drawn(delta_ms: float, scale: Scale) -> float:
    """A bar that is longer than the drawing ends with it, and shows a cut."""
    return min(max(delta_ms, scale.low), scale.high)


def _number(cost: DigitCost, scale: Scale, middle: float, decimals: int) -> Markup:
    delta_ms = cost.delta_ms or 0.0
    sign, anchor = (-1, "end") if delta_ms < 0 else (1, "start")
    words = f"{delta_ms:+z.{decimals}f}".replace("-", "\u2212")
    return _text(scale(_drawn(delta_ms, scale)) + 5 * sign, middle, words, anchor, "quiet")


def _text(x: float, y: float, words: str, anchor: str, name: str = "") -> Markup:
    named = {"class": name} if name else {}
    return tag("text", {**named, "x": x, "y": y, "dy": "0.35em", "text-anchor": anchor}, words)
