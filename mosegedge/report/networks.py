"""Section: the chosen networks, drawn layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mosegedge.report.html import Attributes, Markup, details, missing, number, reading, section, table, tag
from mosegedge.report.run import Missing
from mosegedge.search.archive import Candidate
from mosegedge.search.objectives import LATENCY, objective
from mosegedge.space import Architecture, BottleneckSpec, DecoderSpec, LayerSpec, SearchSpace, StemSpec

_WIDTH, _HEIGHT, _MIDDLE = 680, 176, 70.0
_TALLEST, _SLOT, _GAP, _WIDEST = 124.0, 26.0, 14.0, 22.0
_PICTURE = 52.0
_TITLE = "The chosen networks"


def networks_section(space: SearchSpace | Missing, chosen: Sequence[Candidate]) -> Markup:
    """A drawing of each chosen network."""
    if isinstance(space, Missing):
        return section("networks", _TITLE, missing(f"The networks are not drawn: {space.reason}"))
    return section(
        "networks",
        _TITLE,
        reading(_reading(space, chosen)),
        _key(space),
        *(_network(space, k, candidate) for k, candidate in enumerate(chosen, start=1)),
        details("Numbers of the chosen networks", _table(space, chosen)),
    )


def drawing(space: SearchSpace, architecture: Architecture) -> Markup:
    """One block a layer: height is output channels, width and shade the expansion ratio.

    Broken outlines are the largest network of the space; a slot with nothing in it is a layer that is switched off.
    """
    places = _places(space)
    tallest = max(_channels(layer.spec) for layer in space.layers_of(space.largest))
    layers = space.layers_of(architecture)
    ghosts = (_ghost(places[name], spec, tallest) for name, spec in space.layers_of(space.largest))
    blocks = (_block(space, places[name], name, spec, tallest) for name, spec in layers)
    thread = tag("path", {"class": "thread", "d": f"M{_PICTURE:g} {_MIDDLE:g}H{places['decoder']:g}"})
    label = f"Network {architecture}: {len(layers)} layers from input to decoder."
    view = {"class": "chart wide network", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": label}
    return tag("svg", view, thread, *_picture(space, architecture), *ghosts, *blocks, *_labels(layers, places))


def ratio_of(space: SearchSpace, name: str, spec: BottleneckSpec) -> int:
    """Which of the three expansion ratios a layer of a stage has, 0 to 2."""
    preset, stage = space.preset, int(name.removeprefix("encoder.stage")[0]) - 1
    width = [preset.stage_channels(stage, digit) for digit in range(3)].index(spec.out_channels)
    return [preset.hidden_channels(stage, width, ratio) for ratio in range(3)].index(spec.hidden_channels)


def _places(space: SearchSpace) -> dict[str, float]:
    """Centre of each slot, in the order of execution, with a gap between parts."""
    places, x = {}, _PICTURE
    for _, names in groupby(space.slots, key=_part):
        x += _GAP
        for name in names:
            places[name] = x + _SLOT / 2
            x += _SLOT
    return places


def _part(name: str) -> str:
    return name.removeprefix("encoder.").split(".")[0]


def _channels(spec: LayerSpec) -> int:
    return spec.output if isinstance(spec, DecoderSpec) else spec.out_channels


def _tall(spec: LayerSpec, tallest: int) -> float:
    """Square root, so that both ends of a network can be seen."""
    return float(_TALLEST * (_channels(spec) / tallest) ** 0.5)


def _box(name: str, x: float, width: float, height: float, *inside: Markup) -> Markup:
    place = {"x": x - width / 2, "y": _MIDDLE - height / 2, "width": width, "height": height}
    return tag("rect", {"class": name, **place}, *inside)


def _ghost(x: float, spec: LayerSpec, tallest: int) -> Markup:
    return _box("ghost", x, _WIDEST, _tall(spec, tallest))


def _block(space: SearchSpace, x: float, name: str, spec: LayerSpec, tallest: int) -> Markup:
    if isinstance(spec, BottleneckSpec):
        ratio = ratio_of(space, name, spec)
        ratios = space.preset.expansion_ratios
        width, shade = _WIDEST * ratios[ratio] / ratios[-1], f"block ratio{ratio}"
    else:
        width, shade = _WIDEST, "block other"
    return _box(shade, x, width, _tall(spec, tallest), tag("title", None, f"{_part(name)}: {spec.key}"))


def _picture(space: SearchSpace, architecture: Architecture) -> list[Markup]:
    """The input as a rectangle, within the outline of the largest input."""
    largest_height, largest_width = space.input_size(space.largest)
    height, width = space.input_size(architecture)
    unit = (_PICTURE - 8) / max(largest_width, largest_height)
    middle = _PICTURE / 2
    hover = tag("title", None, f"input {height} \u00d7 {width}")
    return [
        _box("ghost", middle, largest_width * unit, largest_height * unit),
        _box("input", middle, width * unit, height * unit, hover),
        tag("text", {"x": middle, "y": _HEIGHT - 24, "text-anchor": "middle"}, "input"),
    ]


def _labels(layers: Sequence[tuple[str, LayerSpec]], places: dict[str, float]) -> list[Markup]:
    channels = {_part(name): _channels(spec) for name, spec in layers}
    parts = []
    for part, names in groupby(places, key=_part):
        centres = [places[name] for name in names]
        words = {"decoder": "heads", "stem": "stem"}.get(part, part.replace("stage", "stage "))
        place: Attributes = {"x": (centres[0] + centres[-1]) / 2, "text-anchor": "middle"}
        parts.append(tag("text", {**place, "y": _HEIGHT - 24}, words))
        parts.append(tag("text", {**place, "y": _HEIGHT - 4, "class": "quiet"}, str(channels[part])))
    return parts


def _key(space: SearchSpace) -> Markup:
    boxes = []
    for digit, ratio in enumerate(space.preset.expansion_ratios):
        width = 20 * ratio / space.preset.expansion_ratios[-1]
        square: Attributes = {"class": f"block ratio{digit}", "x": 10 - width / 2, "y": 1, "width": width, "height": 14}
        view = {"class": "symbol", "viewBox": "0 0 20 16", "aria-hidden": "true"}
        sample = tag("svg", view, tag("rect", square))
        boxes.append(tag("span", {"class": "entry"}, sample, f"expansion ratio {ratio:g}"))
    words = (
        "height: output channels (square root); numbers below: channels; broken outline: largest network of the space"
    )
    return tag("p", {"class": "legend"}, *boxes, tag("span", {"class": "entry"}, words))


def _network(space: SearchSpace, k: int, candidate: Candidate) -> Markup:
    height, width = space.input_size(candidate.architecture)
    miou = f"mIoU {candidate.miou:.4f}" if candidate.miou is not None else "no accuracy"
    facts = (
        f"{miou} \u00b7 {_latencies(candidate)} \u00b7 "
        f"{candidate.params / 1e6:.2f} M parameters \u00b7 {candidate.flops / 1e6:.0f} M FLOPs \u00b7 "
        f"input {height} \u00d7 {width}"
    )
    code = tag("code", None, str(candidate.architecture))
    head = tag("h3", None, tag("span", {"class": "number-tag"}, str(k)), " ", code)
    return tag(
        "div",
        {"class": "network-row"},
        head,
        tag("p", {"class": "facts"}, facts),
        drawing(space, candidate.architecture),
    )


def _latencies(candidate: Candidate) -> str:
    """On the first device, then on each other."""
    found = [f"{candidate.latency_ms:.2f} \u00b1 {candidate.latency_sd_ms:.2f} ms"]
    for name, (mean, sd) in candidate.costs.items():
        goal = objective(name)
        if goal.kind == LATENCY.kind:
            found.append(f"{mean:.2f} \u00b1 {sd:.2f} ms on {goal.label}")
    return ", ".join(found)


def _reading(space: SearchSpace, chosen: Sequence[Candidate]) -> str:
    if len(chosen) == 1:
        only = chosen[0].architecture
        return f"One network was chosen; it has {len(space.layers_of(only)) - 2} layers between stem and decoder."
    first, last = chosen[0], chosen[-1]
    sizes = [space.input_size(candidate.architecture) for candidate in (first, last)]
    layers = [len(space.layers_of(candidate.architecture)) - 2 for candidate in (first, last)]
    return (
        f"From the fastest to the most accurate of the {len(chosen)} chosen networks the input goes from "
        f"{sizes[0][0]} \u00d7 {sizes[0][1]} to {sizes[1][0]} \u00d7 {sizes[1][1]}, the number of layers between stem "
        f"and decoder from {layers[0]} to {layers[1]}, and FLOPs grow {last.flops / first.flops:.1f}-fold."
    )


def _table(space: SearchSpace, chosen: Sequence[Candidate]) -> Markup:
    rows = []
    for k, candidate in enumerate(chosen, start=1):
        height, width = space.input_size(candidate.architecture)
        layers = space.layers_of(candidate.architecture)
        parts = [[spec for name, spec in layers if _part(name) == f"stage{stage}"] for stage in range(1, 5)]
        stages = [f"{len(specs)} \u00d7 {_channels(specs[-1])}" for specs in parts]
        stem = next(spec for _, spec in layers if isinstance(spec, StemSpec))
        first = f"{stem.out_channels}{', residual' if stem.residual else ''}"
        counts = (number(candidate.params / 1e6), number(candidate.flops / 1e6, 0))
        rows.append((str(k), str(candidate.architecture), f"{height} \u00d7 {width}", first, *stages, *counts))
    columns = ("k", "code", "input", "stem", "stage 1", "stage 2", "stage 3", "stage 4", "M params", "M FLOPs")
    return table("Layers \u00d7 output channels", columns, rows)
