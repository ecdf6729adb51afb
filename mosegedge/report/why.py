"""Section: why the chosen networks take as long as they do."""

from __future__ import annotations

from collections.abc import Sequence

from mosegedge.profiling.explain import Explanation
from mosegedge.profiling.explain_words import CACHED, NO_ROOFLINE, layer_words, summary_words
from mosegedge.report.chart import Legend, figure
from mosegedge.report.digits import digits_chart
from mosegedge.report.html import Markup, details, missing, number, paragraph, reading, section, table, tag
from mosegedge.report.roofline import roofline_chart
from mosegedge.report.run import Missing
from mosegedge.report.shares import shares_chart, shares_legend

_TITLE = "Where the time goes"


def why_section(explained: Sequence[Explanation] | Missing) -> Markup:
    """Shares of the layers, the roof of the device, what a digit costs."""
    if isinstance(explained, Missing):
        return section("why", _TITLE, missing(f"Where the time goes is not shown: {explained.reason}"))
    return section(
        "why",
        _TITLE,
        reading(_reading(explained)),
        tag("figure", None, shares_chart(explained), shares_legend()),
        paragraph(_roof(explained[0])),
        *(_network(k, found) for k, found in enumerate(explained, start=1)),
    )


def _reading(explained: Sequence[Explanation]) -> str:
    first, last = explained[0], explained[-1]
    words = summary_words(first)[0]
    if first is last:
        return words
    return f"Network 1: {words} Network {len(explained)}: {summary_words(last)[0]}"


def _roof(found: Explanation) -> str:
    roofline = found.roofline
    if roofline is None:
        return f"{NO_ROOFLINE} Measure the device again for it."
    return (
        f"The device reached {roofline.peak_gmacs_per_s:.1f} billion multiply-adds a second in its best convolution "
        f"({roofline.convolution}) and {roofline.bandwidth_gb_per_s:.1f} GB a second where {roofline.copied_mib:.0f} "
        f"MiB were read and written; a model that computes nothing took {roofline.launch_ms:.4f} ms. Bytes are "
        f"weights, inputs and outputs of a layer, each once. {CACHED}"
    )


def _network(k: int, found: Explanation) -> Markup:
    code = tag("code", None, str(found.architecture))
    head = tag("h3", None, tag("span", {"class": "number-tag"}, str(k)), " ", code)
    legend: Legend = [("dot", "layer stage2", "a layer in the colour of its part; area: share of the latency")]
    if found.roofline:
        legend.append(("line", "roof", "roof of the device"))
    roof = figure(roofline_chart(found), legend)
    steps: Legend = [("square", "step less", "digit one less"), ("square", "step more", "digit one more")]
    digits = figure(digits_chart(found), steps)
    panels = tag("div", {"class": "panels"}, roof, digits)
    text = tag("p", {"class": "facts"}, " ".join(summary_words(found)))
    return tag("div", {"class": "why-row"}, head, text, panels, details("Layers in numbers", _table(found)))


def _table(found: Explanation) -> Markup:
    columns = ("layer", "what it is", "ms", "share", "alone ms", "M multiply-adds", "KiB", "bound by", "of the roof")
    rows: list[tuple[str, ...]] = [
        (
            layer.slot.removeprefix("encoder."),
            layer_words(layer.spec),
            number(layer.latency_ms, 3),
            f"{layer.share:.1%}",
            "" if layer.isolated_ms is None else number(layer.isolated_ms, 3),
            number(layer.multiply_adds / 1e6, 1),
            number(layer.bytes_moved / 1024, 0),
            layer.bound or "not measured",
            "" if layer.efficiency is None else f"{layer.efficiency:.0%}",
        )
        for layer in found.layers
    ]
    outside = sum(found.outside_ms.values())
    rows.append(("no layer", "", number(outside, 3), f"{outside / found.latency_ms:.1%}", "", "", "", "", ""))
    return table(f"{found.latency_ms:.3f} ms layer by layer", columns, rows)
