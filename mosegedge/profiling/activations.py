"""How much memory the feature maps of a network take at once: computed from its layers, not measured.

A runtime that frees a feature map as soon as nothing reads it any more holds, while a layer runs, what that layer reads
and writes and the maps that a later layer waits for (the decoder reads those of earlier stages). Real runtimes hold
more; how much more is fitted to measured networks by whoever uses these numbers.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from mosegedge.space import BottleneckSpec, DecoderSpec, LayerSpec, SearchSpace, StemSpec
from mosegedge.space.codes import Codes
from mosegedge.space.counting import output_elements_of

Floats = NDArray[np.float64]


def peak_elements(space: SearchSpace, codes: Codes) -> Floats:
    """Elements of the feature maps that are alive at the worst moment of a run, for each of N x 29 codes."""
    entries = space.entries_of(codes)
    inside = _padded([_alive_inside(spec) for spec in space.entries])[entries]
    peaks: Floats = (inside + _waiting(space, entries)).max(axis=1)
    return peaks


def _waiting(space: SearchSpace, entries: NDArray[np.int64]) -> Floats:
    """Elements that lie waiting for the decoder while the layer at each slot runs: N x slots."""
    first, second = (
        _padded([prod(spec.input_shapes[place]) if isinstance(spec, DecoderSpec) else 0 for spec in space.entries])
        for place in (0, -2)
    )
    decoders = entries[:, -1]
    is_picture = space.preset.decoder.spatial > 0
    waiting = np.zeros(entries.shape)
    for slot, name in enumerate(space.slots):
        if is_picture or name.startswith(("encoder.stage3", "encoder.stage4")):
            waiting[:, slot] += first[decoders]
        if name.startswith("encoder.stage4"):
            waiting[:, slot] += second[decoders]
    waiting[:, [0, -1]] = 0.0  # the stem and the decoder read what is counted among their inputs
    return waiting


def _padded(values: list[int]) -> Floats:
    """A number per row of the table, with a zero at the end, where the -1 of a layer that is switched off points."""
    return np.array([*values, 0], dtype=float)


def _alive_inside(spec: LayerSpec) -> int:
    """Most elements that a layer holds at once, its inputs and outputs included."""
    inputs = sum(prod(shape) for shape in spec.input_shapes)
    match spec:
        case StemSpec():
            half = (spec.height // 2) * (spec.width // 2)
            steps = [spec.middle_channels, (2 + spec.residual) * spec.middle_channels]
            steps.append(spec.middle_channels + spec.out_channels)
            return max(inputs, max(steps) * half)
        case BottleneckSpec():
            hidden = spec.hidden_channels * spec.height * spec.width
            smaller = spec.hidden_channels * (spec.height // spec.stride) * (spec.width // spec.stride)
            return inputs + max(hidden + smaller, smaller + output_elements_of(spec), 2 * output_elements_of(spec))
        case DecoderSpec():
            eighth = (spec.height // 8) * (spec.width // 8)
            spatial = spec.spatial * (spec.height // 2) * (spec.width // 2)
            fused = (spec.heads * 2 + spec.fusion + spec.output) * eighth
            return inputs + max(spatial, fused, output_elements_of(spec) + spec.output * eighth)
