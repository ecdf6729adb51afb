"""A drawing: every layer of a network against the roof of its device, on logarithmic axes."""

from __future__ import annotations

from mosegedge.profiling.explain import Explanation, LayerTime
from mosegedge.profiling.explain_words import layer_words
from mosegedge.profiling.roofline import Roofline
from mosegedge.report.chart import PANEL, Frame, chart, log_frame, path
from mosegedge.report.html import Attributes, Markup, tag

_SMALLEST, _LARGEST = 3.0, 17.0


def roofline_chart(found: Explanation) -> Markup:
    """One dot a layer: its area is its share of the latency, its colour the part that it belongs to."""
    layers = [layer for layer in found.layers if layer.latency_ms > 0]
    intensities = [layer.intensity for layer in layers]
    reached = [_reached(layer) for layer in layers]
    roof = _corners(found.roofline, intensities) if found.roofline else []
    axes = log_frame(
        PANEL,
        [*intensities, *(x for x, _ in roof)],
        [*reached, *(y for _, y in roof)],
        x_label="multiply-adds for each byte moved",
        y_label="billion multiply-adds a second",
    )
    # Small dots last, so that large ones do not hide them.
    dots = [_dot(axes, layer) for layer in sorted(layers, key=lambda layer: -layer.share)]
    label = f"{len(layers)} layers of network {found.architecture} by arithmetic intensity and by speed"
    label += ", with the roof of the device." if roof else "."
    return chart(axes, label, *(_roof(axes, found.roofline, roof) if found.roofline else []), *dots)


def _reached(layer: LayerTime) -> float:
    return layer.multiply_adds / layer.latency_ms / 1e6


def _corners(roofline: Roofline, intensities: list[float]) -> list[tuple[float, float]]:
    """The roof from the left-most layer to the right-most, with its ridge between, or where it would be."""
    low, high = min([*intensities, roofline.ridge / 2]), max([*intensities, roofline.ridge * 2])
    peak = roofline.peak_gmacs_per_s
    return [(low, low * roofline.bandwidth_gb_per_s), (roofline.ridge, peak), (high, peak)]


def _roof(axes: Frame, roofline: Roofline, corners: list[tuple[float, float]]) -> list[Markup]:
    """The roof with its two numbers."""
    peak: Attributes = {"x": axes.right, "y": axes.y(corners[-1][1]) - 7, "text-anchor": "end"}
    foot: Attributes = {"x": axes.x(corners[0][0]) + 12, "y": axes.y(corners[0][1]) + 4}
    return [
        path(axes, corners, "roof"),
        tag("text", {"class": "quiet", **peak}, f"{roofline.peak_gmacs_per_s:.3g}"),
        tag("text", {"class": "quiet", **foot}, f"{roofline.bandwidth_gb_per_s:.3g} GB/s"),
    ]


def _dot(axes: Frame, layer: LayerTime) -> Markup:
    radius = max(_SMALLEST, _LARGEST * max(layer.share, 0.0) ** 0.5)
    place = {"class": f"layer {layer.part}", "cx": axes.x(layer.intensity), "cy": axes.y(_reached(layer)), "r": radius}
    return tag("circle", place, tag("title", None, layer_title(layer)))


def layer_title(layer: LayerTime) -> str:
    """What shows when the pointer rests on a layer."""
    slot = layer.slot.removeprefix("encoder.")
    bound = f"\n{layer.bound}-bound, {layer.efficiency:.0%} of the roof" if layer.efficiency is not None else ""
    return (
        f"{slot}: {layer_words(layer.spec)}\n{layer.latency_ms:.3f} ms, {layer.share:.1%}; "
        f"{layer.multiply_adds / 1e6:.1f} million multiply-adds, {layer.bytes_moved / 1024:.0f} KiB{bound}"
    )
