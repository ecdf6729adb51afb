"""Fitting the formula of the latency model to whole networks, and choosing its terms.

Which terms earn their place depends on the device: all combinations are fitted by least squares of the relative error
and judged by leaving one network out at a time, which has a closed form. The smallest formula within a few percent of
the best one is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError
from mosegedge.profiling.formula import (
    BOUNDARIES,
    LAYERS,
    SUM,
    WEIGHTS,
    Formula,
    Overflow,
    beyond,
    entry_costs,
    entry_terms,
)
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_OPTIONAL = (LAYERS, WEIGHTS, BOUNDARIES)
_GOOD_ENOUGH = 1.03
_NETWORKS_A_COEFFICIENT = 3
_THRESHOLDS = np.linspace(0.1, 0.9, 17)


@dataclass(frozen=True, slots=True)
class Form:
    """A formula before it has numbers.

    Attributes:
        terms: Names of the terms that are a number per layer.
        held_million: Threshold of the overflow term, None for none.
        per_scale: Whether each scale has its own constant.
    """

    terms: tuple[str, ...]
    held_million: float | None
    per_scale: bool

    def size(self, scales: int) -> int:
        """How many numbers the networks have to determine."""
        overflow = 0 if self.held_million is None else 2
        return len(self.terms) + overflow + (scales if self.per_scale else 1)


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
    for form in _forms(totals[WEIGHTS], len(np.unique(scales))):
        formula = _fit_form(form, totals, scales, measured_ms)
        rate = formula.overflow.ms_per_million if formula.overflow else 0.0
        if np.nanmin(entry_costs(terms, formula.coefficients)) > 0 and rate >= 0:
            fitted.append((form.size(len(np.unique(scales))), formula))
    if not fitted:
        raise ProfileError(
            "No latency formula fits the measured networks: all give some layer a negative cost.",
            fix="Measure more: a larger --passes, or a larger --networks.",
        )
    best = min(formula.relative_sd for _, formula in fitted)
    good = [(size, formula) for size, formula in fitted if formula.relative_sd <= _GOOD_ENOUGH * best]
    return min(good, key=lambda candidate: (candidate[0], candidate[1].relative_sd))[1]


def _forms(weights_million: Floats, scales: int) -> Iterator[Form]:
    """All forms that so many networks can carry; the first always."""
    yield Form((SUM,), None, per_scale=False)
    subsets = [(SUM, *chosen) for count in range(len(_OPTIONAL) + 1) for chosen in combinations(_OPTIONAL, count)]
    thresholds = [None, *np.quantile(weights_million, _THRESHOLDS).tolist()]
    for terms, held_million, per_scale in product(subsets, thresholds, (False, True)):
        form = Form(terms, held_million, per_scale)
        carried = len(weights_million) >= _NETWORKS_A_COEFFICIENT * form.size(scales)
        if carried and (scales > 1 or not per_scale):
            yield form


def _fit_form(form: Form, totals: dict[str, Floats], scales: NDArray[np.int64], measured_ms: Floats) -> Formula:
    columns = [totals[name] for name in form.terms]
    if form.held_million is not None:
        columns.append(beyond(totals[WEIGHTS], form.held_million))
    digits = np.unique(scales)
    constant = (scales[:, None] == digits).astype(float) if form.per_scale else np.ones((len(scales), 1))
    solution, errors = _least_squares(np.column_stack([*columns, constant]), measured_ms)
    coefficients, constants = solution[: len(columns)].tolist(), solution[len(columns) :]
    return Formula(
        coefficients=dict(zip(form.terms, coefficients, strict=False)),
        overflow=(
            None
            if form.held_million is None
            else Overflow(held_million=form.held_million, ms_per_million=coefficients[-1])
        ),
        constants_ms=dict(zip(digits.tolist(), np.broadcast_to(constants, len(digits)).tolist(), strict=True)),
        relative_sd=float(np.sqrt(np.mean(errors**2))),
    )


def _least_squares(design: Floats, measured: Floats) -> tuple[Floats, Floats]:
    """Coefficients with the least relative error, and each network's relative error when it is left out."""
    relative = design / measured[:, None]
    inverse = np.linalg.pinv(relative)
    solution = inverse.sum(axis=1)
    leverage = np.minimum(np.einsum("ij,ji->i", relative, inverse), 1 - 1e-9)
    return solution, (relative @ solution - 1) / (1 - leverage)
