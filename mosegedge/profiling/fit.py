"""The formula of the latency model: from isolated layers to whole networks.

A sum of isolated layers is nearly right, and wrong in a systematic way. In a whole network a layer finds its weights
pushed out of the nearest cache by the other layers (it costs more, in proportion to its weights), it takes its input
in whatever memory layout the layer before left (it costs less than in isolation, in proportion to the elements handed
over), and it shares one run of the runtime with the others (less, by a constant a layer). So

    latency = a * sum of layers + b * number of layers + c * weights + d * elements handed over + constant

with the constant common to all scales or one for each. Which of the terms earn their place depends on the device: all
combinations are fitted to the measured networks by least squares of the relative error, and judged by leaving one
network out at a time, which has a closed form. The smallest formula within a few percent of the best one is taken.
Every term is a number per layer, so the result is still a table: one cost per layer, and a constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError
from mosegedge.space import BottleneckSpec, DecoderSpec, LayerSpec, SearchSpace, StemSpec
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

SUM, LAYERS, WEIGHTS, BOUNDARIES = "sum_of_layers", "layers", "weights_million", "boundary_elements_million"
_OPTIONAL = (LAYERS, WEIGHTS, BOUNDARIES)
_GOOD_ENOUGH = 1.03
_NETWORKS_A_COEFFICIENT = 3
_PICTURE_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A fitted formula.

    Attributes:
        coefficients: Milliseconds (for the sum: a factor) by the name of the term.
        constants_ms: The constant by scale digit; scales without networks are absent.
        relative_sd: Standard deviation of measured over predicted, minus 1, from leaving one network out.
    """

    coefficients: Mapping[str, float]
    constants_ms: Mapping[int, float]
    relative_sd: float


def entry_terms(space: SearchSpace, entry_ms: Floats) -> dict[str, Floats]:
    """Every term's number for each row of the look-up table.

    Args:
        space: The search space.
        entry_ms: Isolated latency of each row, NaN where it was not measured.
    """
    boundaries = np.array([_elements_handed_over(spec) for spec in space.entries])
    return {
        SUM: entry_ms,
        LAYERS: np.ones(len(entry_ms)),
        WEIGHTS: space.entry_params / 1e6,
        BOUNDARIES: boundaries / 1e6,
    }


def entry_costs(terms: Mapping[str, Floats], coefficients: Mapping[str, float]) -> Floats:
    """What each row of the table adds to the latency of a network."""
    costs: Floats = np.sum([coefficient * terms[name] for name, coefficient in coefficients.items()], axis=0)
    return costs


def fit_formula(space: SearchSpace, entry_ms: Floats, codes: Codes, measured_ms: Floats) -> Formula:
    """Fits all formulas and chooses one.

    Args:
        space: The search space.
        entry_ms: Isolated latency of each row of the table, NaN where it was not measured.
        codes: Networks, N x 29.
        measured_ms: Their latencies.

    Raises:
        ProfileError: The networks need layers that were not measured, or no formula is physically possible.
    """
    terms = entry_terms(space, entry_ms)
    totals = {name: space.total(codes, values) for name, values in terms.items()}
    if np.isnan(totals[SUM]).any():
        raise ProfileError("Networks to fit the latency model contain layers that were not measured.")
    scales = codes[:, SCALE]
    fitted = []
    for names, per_scale in _forms(len(codes), len(np.unique(scales))):
        constant = _constant_columns(scales, per_scale=per_scale)
        design = np.column_stack([*(totals[name] for name in names), constant])
        solution, errors = _least_squares(design, measured_ms)
        coefficients = dict(zip(names, solution.tolist(), strict=False))
        constants = np.broadcast_to(solution[len(names) :], len(np.unique(scales)))
        if np.nanmin(entry_costs(terms, coefficients)) > 0:
            formula = Formula(
                coefficients=coefficients,
                constants_ms=dict(zip(np.unique(scales).tolist(), constants.tolist(), strict=True)),
                relative_sd=float(np.sqrt(np.mean(errors**2))),
            )
            fitted.append((design.shape[1], formula))
    if not fitted:
        raise ProfileError(
            "No latency formula fits the measured networks: all give some layer a negative cost.",
            fix="Measure more: a larger --passes, or a larger --networks.",
        )
    best = min(formula.relative_sd for _, formula in fitted)
    return min(
        (
            (size, formula.relative_sd, formula)
            for size, formula in fitted
            if formula.relative_sd <= _GOOD_ENOUGH * best
        ),
        key=lambda candidate: candidate[:2],
    )[2]


def _forms(networks: int, scales: int) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Terms, and whether each scale has its own constant; a form that the networks cannot carry is left out."""
    for count in range(len(_OPTIONAL) + 1):
        for chosen in combinations(_OPTIONAL, count):
            for per_scale in (False, True):
                size = 1 + count + (scales if per_scale else 1)
                smallest = count == 0 and not per_scale
                if smallest or (networks >= _NETWORKS_A_COEFFICIENT * size and (scales > 1 or not per_scale)):
                    yield (SUM, *chosen), per_scale


def _constant_columns(scales: NDArray[np.int64], *, per_scale: bool) -> Floats:
    if not per_scale:
        return np.ones((len(scales), 1))
    columns: Floats = (scales[:, None] == np.unique(scales)[None, :]).astype(float)
    return columns


def _least_squares(design: Floats, measured: Floats) -> tuple[Floats, Floats]:
    """Coefficients with the least relative error, and each network's relative error when it is left out."""
    relative = design / measured[:, None]
    inverse = np.linalg.pinv(relative)
    solution = inverse.sum(axis=1)
    leverage = np.minimum(np.einsum("ij,ji->i", relative, inverse), 1 - 1e-9)
    return solution, (relative @ solution - 1) / (1 - leverage)


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
