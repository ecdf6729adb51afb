"""The spreads of the latency model, from the networks that fit it, by leaving one network out at a time.

Each network is predicted from all others, coefficients and weights alike, which has a closed form; the spreads are
those under which the measured latencies were most likely. So the intervals are as wide as the errors on networks that
the model did not see. A few networks say little about spreads, so very small and very large ones need evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.bayes import Networks, Prior, Table, spread_before
from mosegedge.profiling.formula import WEIGHTS, Formula, Overflow, beyond, entry_costs, entry_terms
from mosegedge.profiling.weights import counts_of, rows_by_scale, weights_of
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE

Floats = NDArray[np.float64]

_ADDITIVITY_SDS = (0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8)
_SHARED = (0.05, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99)
_CONSTANT_SHARES = (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03)  # of the median latency
_NETWORK_SDS = (0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.06, 0.1, 0.2)
_USUAL_ADDITIVITY_SD, _USUAL_NETWORK_SD, _CERTAINTY = 0.03, 0.01, 0.05
_SWEEPS = 6
_MOST_NETWORKS = 150  # the time grows with the third power of their number


@dataclass(frozen=True)
class _Spreads:
    """Values that are looked for one after the other, each among a few."""

    additivity_sd: float
    shared: float
    constant_sd_ms: float
    network_sd: float


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Networks with everything that does not change while spreads are looked for.

    Attributes:
        design: N x coefficients.
        common: Covariance that the parts' deviations give, for an additivity of 1 that is all shared.
        own: The same for an additivity of 1 that each weight has alone.
        isolated: What the errors of isolated measurements give.
        constant: The same for a constant with standard deviation 1.
        measured_ms: Latencies.
        se_ms: Their standard errors.
    """

    design: Floats
    common: Floats
    own: Floats
    isolated: Floats
    constant: Floats
    measured_ms: Floats
    se_ms: Floats

    def covariance(self, spreads: _Spreads) -> Floats:
        """Of the measured latencies."""
        deviations = spreads.shared * self.common + (1 - spreads.shared) * self.own
        noise = np.square(spreads.network_sd * self.measured_ms) + np.square(self.se_ms)
        between = spreads.additivity_sd**2 * deviations + spreads.constant_sd_ms**2 * self.constant
        return np.asarray(between + self.isolated + np.diag(noise))

    def surprise(self, spreads: _Spreads) -> float:
        """Minus the logarithm of the likelihood of each network given the others."""
        inverse = np.linalg.inv(self.covariance(spreads))
        weighted = inverse @ self.design
        # The inverse with the coefficients taken out: they are fitted anew without each network.
        rest = inverse - weighted @ np.linalg.pinv(self.design.T @ weighted) @ weighted.T
        error = (rest @ self.measured_ms) / np.maximum(np.diag(rest), 1e-12 * np.diag(inverse))
        # An interval is for the latency itself: the error of measuring the one left out is no part of it.
        variance = np.maximum(1 / np.diag(inverse) - np.square(self.se_ms), 1e-4 * np.square(self.se_ms) + 1e-18)
        count, coefficients = self.design.shape
        chosen_by_errors = count / max(count - coefficients, 1)
        strangeness = (
            np.log(spreads.additivity_sd / _USUAL_ADDITIVITY_SD) ** 2
            + np.log(spreads.network_sd / _USUAL_NETWORK_SD) ** 2
        )
        likely = np.sum(np.log(variance) + chosen_by_errors * np.square(error) / variance)
        return 0.5 * float(likely) + _CERTAINTY * float(strangeness)

    def coefficients(self, spreads: _Spreads) -> Floats:
        """The best ones, given the spreads."""
        root = np.linalg.cholesky(self.covariance(spreads))
        found: Floats = np.linalg.lstsq(np.linalg.solve(root, self.design), np.linalg.solve(root, self.measured_ms))[0]
        return found


def calibrate(space: SearchSpace, formula: Formula, table: Table, networks: Networks) -> Prior:
    """The spreads around a formula; its coefficients are fitted anew under them.

    Args:
        space: The search space.
        formula: Fitted by least squares.
        table: Isolated layers.
        networks: The networks that it was fitted to.
    """
    evidence = _evidence(space, formula, table, networks)
    few = _evidence(space, formula, table, _some(networks))
    spreads = _most_likely(few)
    refitted = _with_coefficients(formula, evidence.coefficients(spreads))
    terms = entry_terms(space, table.entry_ms)
    rate = refitted.overflow.ms_per_million if refitted.overflow else 0.0
    possible = rate >= 0 and np.nanmin(entry_costs(terms, refitted.coefficients)) > 0
    return Prior(
        formula=refitted if possible else formula,
        additivity_sd=spreads.additivity_sd,
        shared=spreads.shared,
        constant_sd_ms=spreads.constant_sd_ms,
        network_sd=spreads.network_sd,
    )


def _some(networks: Networks) -> Networks:
    if len(networks.codes) <= _MOST_NETWORKS:
        return networks
    places = np.linspace(0, len(networks.codes) - 1, _MOST_NETWORKS).astype(int)
    return Networks(networks.codes[places], networks.measured_ms[places], networks.se_ms[places])


def _most_likely(evidence: _Evidence) -> _Spreads:
    """Changes one spread at a time until none gets better."""
    median_ms = float(np.median(evidence.measured_ms))
    choices = {
        "additivity_sd": _ADDITIVITY_SDS,
        "shared": _SHARED,
        "constant_sd_ms": tuple(share * median_ms for share in _CONSTANT_SHARES),
        "network_sd": _NETWORK_SDS,
    }
    best = _Spreads(_USUAL_ADDITIVITY_SD, 0.9, 0.002 * median_ms, _USUAL_NETWORK_SD)
    surprise = evidence.surprise(best)
    for _ in range(_SWEEPS):
        before = best
        for name, values in choices.items():
            for value in values:
                other = replace(best, **{name: value})
                found = evidence.surprise(other)
                if found < surprise:
                    best, surprise = other, found
        if best == before:
            break
    return best


def _evidence(space: SearchSpace, formula: Formula, table: Table, networks: Networks) -> _Evidence:
    codes, scales = networks.codes, networks.codes[:, SCALE]
    terms = entry_terms(space, table.entry_ms)
    cost_ms = entry_costs(terms, formula.coefficients)
    exact = Table(table.entry_ms, np.zeros_like(table.se_ms))
    common, own, isolated = (np.zeros((len(codes), len(codes))) for _ in range(3))
    weights = weights_of(space)
    counts = counts_of(space, weights, codes)
    for scale, rows in rows_by_scale(scales):
        some, place = counts[rows, weights.of_scale(scale)], np.ix_(rows, rows)
        for target, additivity, shared, known in (
            (common, 1.0, 1.0, exact),
            (own, 1.0, 0.0, exact),
            (isolated, 0.0, 0.0, table),
        ):
            prior = Prior(formula=formula, additivity_sd=additivity, shared=shared, constant_sd_ms=0, network_sd=0)
            target[place] = spread_before(weights, prior, known, cost_ms, scale).covariance(some, some)
    constant = (scales[:, None] == scales).astype(float)
    design = design_of(space, formula, terms, networks)
    return _Evidence(design, common, own, isolated, constant, networks.measured_ms, networks.se_ms)


def design_of(space: SearchSpace, formula: Formula, terms: dict[str, Floats], networks: Networks) -> Floats:
    """One column a coefficient of a formula: terms, overflow, constants.

    Constants that are equal for all scales are one coefficient.
    """
    columns = [space.total(networks.codes, terms[name]) for name in formula.coefficients]
    if formula.overflow is not None:
        columns.append(beyond(space.total(networks.codes, terms[WEIGHTS]), formula.overflow.held_million))
    if len(set(formula.constants_ms.values())) > 1:
        columns += [(networks.codes[:, SCALE] == scale).astype(float) for scale in formula.constants_ms]
    else:
        columns.append(np.ones(len(networks.codes)))
    return np.column_stack(columns)


def _with_coefficients(formula: Formula, values: Floats) -> Formula:
    """A formula of the same form with the coefficients in the order of `design_of`."""
    terms, rest = values[: len(formula.coefficients)].tolist(), values[len(formula.coefficients) :].tolist()
    overflow = formula.overflow
    if overflow is not None:
        overflow = Overflow(held_million=overflow.held_million, ms_per_million=rest.pop(0))
    constants = rest * len(formula.constants_ms) if len(rest) == 1 else rest
    return replace(
        formula,
        coefficients=dict(zip(formula.coefficients, terms, strict=True)),
        overflow=overflow,
        constants_ms=dict(zip(formula.constants_ms, constants, strict=True)),
    )
