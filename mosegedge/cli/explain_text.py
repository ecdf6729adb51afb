"""What is printed about why a network is slow: values for `--json`, and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mosegedge.profiling.explain import Digit, DigitCost, Explanation


def explain_result(found: Explanation) -> dict[str, Any]:
    """Everything that is known about the network."""
    from mosegedge.profiling.explain_words import layer_words, summary_words

    roofline = found.roofline
    return {
        "summary": summary_words(found),
        "roofline": None if roofline is None else asdict(roofline),
        "layers": [
            {
                "slot": layer.slot,
                "key": layer.spec.key,
                "words": layer_words(layer.spec),
                "latency_ms": layer.latency_ms,
                "share": layer.share,
                "isolated_ms": layer.isolated_ms,
                "multiply_adds": layer.multiply_adds,
                "bytes_moved": layer.bytes_moved,
                "intensity": layer.intensity,
                "bound": layer.bound,
                "roof_ms": layer.roof_ms,
                "efficiency": layer.efficiency,
            }
            for layer in found.layers
        ],
        "outside_ms": found.outside_ms,
        "digits": [_digit_result(found, digit) for digit in found.digits],
        "best_saving": _step_result(found.best_saving),
    }


def explain_text(found: Explanation) -> str:
    """The same in words and two tables."""
    from mosegedge.profiling.explain_words import summary_words

    blocks = [" ".join(summary_words(found)), _layer_table(found), *_roof_lines(found), _digit_table(found)]
    return "\n\n".join(blocks)


def _digit_result(found: Explanation, digit: Digit) -> dict[str, Any]:
    from mosegedge.space.architecture import DIGITS

    return {
        "position": digit.position,
        "name": DIGITS[digit.position].name,
        "digit": found.architecture.digits[digit.position],
        "down": _step_result(digit.down),
        "up": _step_result(digit.up),
    }


def _step_result(cost: DigitCost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {
        "position": cost.neighbour.position,
        "step": cost.neighbour.step,
        "code": str(cost.neighbour.architecture),
        "delta_ms": cost.delta_ms,
        "follows": list(cost.neighbour.follows),
    }


def _layer_table(found: Explanation) -> str:
    from mosegedge.profiling.explain_words import layer_words

    head = ("layer", "ms", "share", "alone ms", "M MACs", "KiB", "MACs/B", "bound by", "of the roof", "what it is")
    rows: list[tuple[str, ...]] = [
        (
            layer.slot.removeprefix("encoder."),
            f"{layer.latency_ms:.3f}",
            f"{layer.share:.1%}",
            "-" if layer.isolated_ms is None else f"{layer.isolated_ms:.3f}",
            f"{layer.multiply_adds / 1e6:.1f}",
            f"{layer.bytes_moved / 1024:.0f}",
            f"{layer.intensity:.1f}",
            layer.bound or "?",
            "?" if layer.efficiency is None else f"{layer.efficiency:.0%}",
            layer_words(layer.spec),
        )
        for layer in found.layers
    ]
    rows += [
        (name, f"{cost_ms:.3f}", f"{cost_ms / found.latency_ms:.1%}", *[""] * 7)
        for name, cost_ms in found.outside_ms.items()
        if cost_ms
    ]
    rows.append(("total", f"{found.latency_ms:.3f}", "100.0%", *[""] * 7))
    return _table(head, rows, left=(0, 7, 9))


def _roof_lines(found: Explanation) -> list[str]:
    from mosegedge.profiling.explain_words import CACHED

    if found.roofline is None:
        return []
    roofline = found.roofline
    beyond = any((layer.efficiency or 0.0) > 1 for layer in found.layers)
    text = (
        f"Roof: {roofline.peak_gmacs_per_s:.1f} billion multiply-adds/s ({roofline.convolution}), "
        f"{roofline.bandwidth_gb_per_s:.1f} GB/s ({roofline.copied_mib:.0f} MiB copied), "
        f"{roofline.launch_ms:.4f} ms for a model that computes nothing. Below {roofline.ridge:.1f} multiply-adds a "
        "byte the memory is the limit."
    )
    return [f"{text} {CACHED}" if beyond else text]


def _digit_table(found: Explanation) -> str:
    from mosegedge.space.architecture import DIGITS

    digits = found.architecture.digits
    rows = [
        (
            DIGITS[digit.position].name,
            str(digits[digit.position]),
            _step_text(digit.down),
            _step_text(digit.up),
            _follow_text(digit),
        )
        for digit in found.digits
        if digit.down is not None or digit.up is not None
    ]
    return _table(("one digit more or less", "now", "less, ms", "more, ms", ""), rows, left=(0, 4))


def _step_text(cost: DigitCost | None) -> str:
    if cost is None:
        return "-"
    return "not in profile" if cost.delta_ms is None else f"{cost.delta_ms:+.3f}"


def _follow_text(digit: Digit) -> str:
    from mosegedge.profiling.explain_words import follow_words

    return ", ".join(words for cost in (digit.down, digit.up) if cost is not None and (words := follow_words(cost)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> str:
    """Columns as wide as they have to be, numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    )
