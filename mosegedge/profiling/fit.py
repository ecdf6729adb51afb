"""Fitting the latency model to whole networks: first the formula and its terms, then the spreads around it.

Which terms earn their place depends on the device: all combinations are fitted by least squares of the relative error
and judged by leaving one network out at a time, which has a closed form. The smallest formula within a few percent of
the best one is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError
from mosegedge.profiling.bayes import Networks, Prior, Table
from mosegedge.profiling.calibrate import calibrate
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
_ASSUMED_ADDITIVITY_SD, _ASSUMED_SHARED, _ASSUMED_NETWORK_SD = 0.2, 0.9, 0.03

Method = Literal["layers", "networks", "both"]
"""What a latency model is made of: `layers` in isolation, whole `networks`, or `both`."""
METHODS: tuple[Method, ...] = get_args(Method)


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


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A formula with its number of coefficients, and its relative error from leaving one network out."""

    formula: Formula
    size: int
    relative_sd: float


def fit_prior(space: SearchSpace, table: Table, networks: Networks, *, base: str = SUM) -> Prior:
    """Fits the formula and the spreads to whole networks.

    Args:
        space: The search space.
        table: Isolated layers; all NaN where none was measured.
        networks: The networks to fit to.
        base: The term that the formula has in any case: the sum of layers, or multiply-adds where no layer was
            measured.

    Raises:
        ProfileError: The networks need layers that were not measured, or no formula is physically possible.
    """
    formula = fit_formula(space, table.entry_ms, networks.codes, networks.measured_ms, base=base)
    return calibrate(space, formula, table, networks)


def assumed_prior(scales: Iterable[int]) -> Prior:
    """The plain sum of layers, and how far networks are supposed to be from it: nothing measured says so."""
    return Prior(
        formula=Formula(coefficients={SUM: 1.0}, constants_ms=dict.fromkeys(scales, 0.0)),
        additivity_sd=_ASSUMED_ADDITIVITY_SD,
        shared=_ASSUMED_SHARED,
        constant_sd_ms=0.0,
        network_sd=_ASSUMED_NETWORK_SD,
    )


def fit_formula(space: SearchSpace, entry_ms: Floats, codes: Codes, measured_ms: Floats, *, base: str = SUM) -> Formula:
    """Fits all formulas by least squares of the relative error, and chooses one.

    Args:
        space: The search space.
        entry_ms: Isolated latency of each row of the table, NaN where it was not measured.
        codes: Networks, N x 29.
        measured_ms: Their latencies.
        base: The term that every formula has: the sum of layers, or multiply-adds where no layer was measured.

    Raises:
        ProfileError: The networks need layers that were not measured, or no formula is physically possible.
    """
    terms = entry_terms(space, entry_ms)
    totals = {name: space.total(codes, values) for name, values in terms.items()}
    if np.isnan(totals[base]).any():
        raise ProfileError("Networks to fit the latency model contain layers that were not measured.")
    scales = codes[:, SCALE]
    fitted = []
    for form in _forms(base, totals[WEIGHTS], len(np.unique(scales))):
        found = _fit_form(form, totals, scales, measured_ms)
        rate = found.formula.overflow.ms_per_million if found.formula.overflow else 0.0
        if np.nanmin(entry_costs(terms, found.formula.coefficients)) > 0 and rate >= 0:
            fitted.append(found)
    if not fitted:
        raise ProfileError(
            "No latency formula fits the measured networks: all give some layer a negative cost.",
            fix="Measure more: a larger --passes, or a larger --networks.",
        )
    best = min(found.relative_sd for found in fitted)
    good = [found for found in fitted if found.relative_sd <= _GOOD_ENOUGH * best]
    return min(good, key=lambda found: (found.size, found.relative_sd)).formula


def _forms(base: str, weights_million: Floats, scales: int) -> Iterator[Form]:
    """All forms that so many networks can carry; the first always."""
    yield Form((base,), None, per_scale=False)
    subsets = [(base, *chosen) for count in range(len(_OPTIONAL) + 1) for chosen in combinations(_OPTIONAL, count)]
    thresholds = [None, *np.quantile(weights_million, _THRESHOLDS).tolist()]
    for terms, held_million, per_scale in product(subsets, thresholds, (False, True)):
        form = Form(terms, held_million, per_scale)
        carried = len(weights_million) >= _NETWORKS_A_COEFFICIENT * form.size(scales)
        if carried and (scales > 1 or not per_scale):
            yield form


def _fit_form(form: Form, totals: dict[str, Floats], scales: NDArray[np.int64], measured_ms: Floats) -> _Candidate:
    columns = [totals[name] for name in form.terms]
    if form.held_million is not None:
        columns.append(beyond(totals[WEIGHTS], form.held_million))
    digits = np.unique(scales)
    constant = (scales[:, None] == digits).astype(float) if form.per_scale else np.ones((len(scales), 1))
    solution, errors = least_squares(np.column_stack([*columns, constant]), measured_ms)
    coefficients, constants = solution[: len(columns)].tolist(), solution[len(columns) :]
    formula = Formula(
        coefficients=dict(zip(form.terms, coefficients, strict=False)),
        overflow=(
            None
            if form.held_million is None
            else Overflow(held_million=form.held_million, ms_per_million=coefficients[-1])
        ),
        constants_ms=dict(zip(digits.tolist(), np.broadcast_to(constants, len(digits)).tolist(), strict=True)),
    )
    return _Candidate(formula, form.size(len(digits)), float(np.sqrt(np.mean(errors**2))))


def least_squares(design: Floats, measured: Floats) -> tuple[Floats, Floats]:
    """Coefficients with the least relative error, and each network's relative error when it is left out."""
    relative = design / measured[:, None]
    inverse = np.linalg.pinv(relative)
    solution: Floats = inverse.sum(axis=1)
    leverage = np.minimum(np.einsum("ij,ji->i", relative, inverse), 1 - 1e-9)
    return solution, (relative @ solution - 1) / (1 - leverage)
