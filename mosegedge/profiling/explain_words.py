"""What an explanation says, in words that the command line and the report share."""

from __future__ import annotations

from mosegedge.profiling.explain import BETWEEN, OVERFLOW, Bound, DigitCost, Explanation
from mosegedge.space import BottleneckSpec, DecoderSpec, LayerSpec, StemSpec
from mosegedge.space.architecture import DIGITS, STAGES

NO_ROOFLINE = "What the device can do at best was not measured, so what keeps a layer from being faster is not known."
CACHED = "Above 100 % data stayed in a cache, which is faster than the memory that the roof stands for."
_SUBSTANTIAL = 0.1
_PARTS = {"stem": "the stem", "decoder": "the decoder", BETWEEN: "what belongs to no layer", OVERFLOW: "cache overflow"}
_BOUNDS: tuple[tuple[Bound, str], ...] = (
    ("compute", "compute-bound"),
    ("memory", "memory-bound"),
    ("launch", "too small for the device"),
)


def layer_words(spec: LayerSpec) -> str:
    """What a layer is: widths, stride, shortcut, size of its input."""
    size = f"{spec.height}x{spec.width}"
    match spec:
        case StemSpec():
            residual = ", residual" if spec.residual else ""
            return f"3-{spec.middle_channels}-{spec.out_channels} channels{residual}, {size}"
        case BottleneckSpec():
            stride = ", stride 2" if spec.stride > 1 else ""
            widths = f"{spec.in_channels}-{spec.hidden_channels}-{spec.out_channels} channels"
            return f"{widths}{stride}{', projection' if spec.projection else ''}, {size}"
        case DecoderSpec():
            return f"{spec.c16} and {spec.c32} to {spec.heads} channels, {spec.classes} classes, {size}"


def part_words(part: str) -> str:
    """A part of a network in a sentence: `stage 3`, `the decoder`."""
    return _PARTS.get(part) or part.replace("stage", "stage ")


def summary_words(found: Explanation) -> list[str]:
    """Where the time goes, what keeps it from being faster, and which digit saves most: one sentence each."""
    part, cost_ms = max(found.parts_ms.items(), key=lambda item: item[1])
    sentences = [f"{cost_ms / found.latency_ms:.0%} of {found.latency_ms:.2f} ms is {part_words(part)}."]
    if found.roofline is None:
        sentences.append(NO_ROOFLINE)
    else:
        sentences += [_bounds(found), *_far_from_roof(found)]
    best = found.best_saving
    if best is not None:
        sentences.append(
            f"One digit that saves most: {step_words(found, best)}, {best.delta_ms:+.2f} ms "
            f"({(best.delta_ms or 0.0) / found.latency_ms:+.0%})."
        )
    return sentences


def step_words(found: Explanation, cost: DigitCost) -> str:
    """A step of a digit, as `scale 3 to 2`."""
    position = cost.neighbour.position
    digit = found.architecture.digits[position]
    return f"{DIGITS[position].name} {digit} to {digit + cost.neighbour.step}"


def follow_words(cost: DigitCost) -> str:
    """Which expansion digits follow a step of a depth digit; empty where none does."""
    if not cost.neighbour.follows:
        return ""
    stage = next(stage for stage in STAGES if cost.neighbour.follows[0] in stage.expansions)
    layers = [str(position - stage.expansions.start + 1) for position in cost.neighbour.follows]
    expansion = cost.neighbour.architecture.digits[cost.neighbour.follows[0]]
    layer = f"layer{'s' if len(layers) > 1 else ''} {' and '.join(layers)}"
    return f"{layer} comes with expansion {expansion}" if expansion else f"{layer} goes"


def _bounds(found: Explanation) -> str:
    counted = [(found.bound_by(bound), words) for bound, words in _BOUNDS]
    if any(count == len(found.layers) for count, _ in counted):
        return f"All {len(found.layers)} layers are {max(counted)[1]}."
    named = [f"{count} {words}" for count, words in sorted(counted, reverse=True) if count]
    return f"Of {len(found.layers)} layers {_listed(named)}."


def _listed(words: list[str]) -> str:
    verb = "is" if words[0].startswith("1 ") else "are"
    count, _, rest = words[0].partition(" ")
    first = f"{count} {verb} {rest}"
    return " and ".join([", ".join([first, *words[1:-1]]), words[-1]] if len(words) > 1 else [first])


def _far_from_roof(found: Explanation) -> list[str]:
    """The substantial part that runs furthest below the roof."""
    shares = {part: cost_ms / found.latency_ms for part, cost_ms in found.parts_ms.items()}
    reached = [(found.efficiency_of(part), part) for part, share in shares.items() if share >= _SUBSTANTIAL]
    known = [(efficiency, part) for efficiency, part in reached if efficiency is not None]
    if not known:
        return []
    efficiency, part = min(known)
    whole = sum(layer.roof_ms or 0.0 for layer in found.layers) / found.latency_ms
    return [f"The network runs at {whole:.0%} of the roof, {part_words(part)} at {efficiency:.0%}."]
