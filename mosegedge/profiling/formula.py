"""The formula of the latency model: how isolated layers add up to a network.

A sum of isolated layers is nearly right, and wrong in a systematic way. In a whole network a layer takes its input in
whatever memory layout the layer before left (it costs less than in isolation, in proportion to the elements handed
over); it shares one run of the runtime with the others (less, by a constant a layer); and it finds its weights pushed
out of the caches by the other layers (more, in proportion to its weights). The last of these has a threshold where
nothing else wants the caches: up to some size all weights of a network stay in the last-level cache from one run to
the next, and only what lies beyond has to be fetched. So

    latency = a * sum of layers + b * layers + c * elements handed over + d * weights
              + e * weights beyond what the cache holds + constant

with the constant common to all scales or one for each. Where no layer was measured, multiply-adds stand for the sum of
layers, and the factor is the time of a million of them. `fit` chooses the terms. All but the overflow are a number per
layer, so the result is still a table: one cost per layer, a constant, and one rate for what the cache cannot hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from mosegedge.space import BottleneckSpec, DecoderSpec, LayerSpec, SearchSpace, StemSpec

Floats = NDArray[np.float64]

SUM, FLOPS = "sum_of_layers", "multiply_adds_million"
LAYERS, WEIGHTS, BOUNDARIES = "layers", "weights_million", "boundary_elements_million"
_PICTURE_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class Overflow:
    """What weights cost that the cache cannot hold.

    Attributes:
        held_million: Weights of a network that stay in the cache, in millions.
        ms_per_million: Cost of each further million.
    """

    held_million: float
    ms_per_million: float

    def cost_ms(self, weights_million: Floats) -> Floats:
        """Cost of networks by their weights."""
        return self.ms_per_million * beyond(weights_million, self.held_million)


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A fitted formula.

    Attributes:
        coefficients: Milliseconds (for the sum: a factor) by the name of the term.
        overflow: The term with a threshold, None where there is none.
        constants_ms: The constant by scale digit; scales without networks are absent.
    """

    coefficients: Mapping[str, float]
    overflow: Overflow | None = None
    constants_ms: Mapping[int, float]


def beyond(weights_million: Floats, held_million: float) -> Floats:
    """Weights that the cache cannot hold."""
    return np.maximum(0.0, weights_million - held_million)


def entry_terms(space: SearchSpace, entry_ms: Floats) -> dict[str, Floats]:
    """Every term's number for each row of the look-up table.

    Args:
        space: The search space.
        entry_ms: Isolated latency of each row, NaN where it was not measured.
    """
    boundaries = np.array([_elements_handed_over(spec) for spec in space.entries])
    return {
        SUM: entry_ms,
        FLOPS: space.entry_flops / 1e6,
        LAYERS: np.ones(len(entry_ms)),
        WEIGHTS: space.entry_params / 1e6,
        BOUNDARIES: boundaries / 1e6,
    }


def entry_costs(terms: Mapping[str, Floats], coefficients: Mapping[str, float]) -> Floats:
    """What each row of the table adds to the latency of a network."""
    costs: Floats = np.sum([coefficient * terms[name] for name, coefficient in coefficients.items()], axis=0)
    return costs


def _elements_handed_over(spec: LayerSpec) -> int:
    """Elements that a layer takes from and gives to other layers; the picture and the logits are nobody's boundary."""
    inputs = sum(prod(shape) for shape in spec.input_shapes if shape[1] != _PICTURE_CHANNELS)
    match spec:
        case StemSpec():
            return inputs + spec.out_channels * (spec.height // 4) * (spec.width // 4)
        case BottleneckSpec():
            return inputs + spec.out_channels * (spec.height // spec.stride) * (spec.width // spec.stride)
        case DecoderSpec():
            return inputs
