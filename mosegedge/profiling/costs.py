"""What networks cost besides time: energy and memory, predicted from whole networks that were measured.

    energy = a * predicted latency + b * multiply-adds + c * weights + constant
    memory = a * weights + b * feature maps alive at once + constant

No coefficient is negative; which terms earn their place is decided by leaving one network out at a time. Energy adds up
over layers, which is why the latency of the profile's own model, a sum over layers, carries most of it. Memory does
not: of the feature maps only those count that are alive at the worst moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError
from mosegedge.profiling.fit import least_squares
from mosegedge.profiling.judge import SDS_OF_90, kendall_tau
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

FEWEST_NETWORKS = 4
_NETWORKS_A_COEFFICIENT = 3
_GOOD_ENOUGH = 1.03


@dataclass(frozen=True, kw_only=True)
class CostError:
    """How far a model is off on networks that it was not fitted to.

    Attributes:
        networks: Their number.
        kendall_tau: Rank correlation by pairs.
        mape: Mean absolute relative error.
        coverage90: Share inside the 90 % interval of the prediction.
    """

    networks: int
    kendall_tau: float
    mape: float
    coverage90: float


@dataclass(frozen=True, eq=False, kw_only=True)
class CostModel:
    """Energy or memory of any network of a space.

    Attributes:
        unit: Of the mean: `mJ` or `MiB`.
        terms: The number of each term for N x 29 codes; raises ProfileError where it is not known.
        coefficients: By the name of the term; those that are absent are zero.
        relative_sd: Standard deviation of measured over predicted, minus 1, from leaving one network out.
        scales: Scale digits of the networks that it was fitted to.
    """

    unit: str
    terms: Callable[[Codes], dict[str, Floats]]
    coefficients: Mapping[str, float]
    relative_sd: float
    scales: tuple[int, ...]

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean and standard deviation of every network, in `unit`.

        Args:
            codes: N x 29 canonical codes.

        Raises:
            ProfileError: A network is of a scale, or needs a layer, that the profile does not have.
        """
        codes = np.asarray(codes)
        strange = sorted(set(codes[:, SCALE].tolist()) - set(self.scales))
        if strange:
            raise ProfileError(
                f"No network of scale {strange[0]} was measured, so its {self.unit} cannot be predicted.",
                known=f"Measured: scales {', '.join(map(str, self.scales))}.",
                fix="Measure them too: mosegedge profile --scales "
                + ",".join(map(str, sorted({*self.scales, *strange}))),
            )
        values = self.terms(codes)
        mean = np.sum([number * values[name] for name, number in self.coefficients.items()], axis=0)
        return mean, self.relative_sd * mean

    def error(self, codes: Codes, measured: Floats) -> CostError:
        """Compares with networks that it was not fitted to."""
        predicted, sd = self.predict(codes)
        return CostError(
            networks=len(measured),
            kendall_tau=kendall_tau(predicted, measured),
            mape=float(np.mean(np.abs(predicted / measured - 1))),
            coverage90=float(np.mean(np.abs(predicted - measured) <= SDS_OF_90 * sd)),
        )


def fit_costs(
    terms: Callable[[Codes], dict[str, Floats]], base: str, codes: Codes, measured: Floats, *, unit: str
) -> CostModel:
    """Fits all combinations of terms by least squares of the relative error, and takes the smallest good one.

    Args:
        terms: As in `CostModel`.
        base: The term that is always there.
        codes: Networks, N x 29.
        measured: What each of them costs.
        unit: Of the cost.

    Raises:
        ProfileError: There are too few networks.
    """
    if len(measured) < FEWEST_NETWORKS:
        raise ProfileError(
            f"{len(measured)} networks with measured {unit} are too few for a model.",
            known=f"It takes {FEWEST_NETWORKS}.",
            fix="Measure the profile again with a larger --networks.",
        )
    totals = terms(codes)
    others = [name for name in totals if name != base]
    fitted = []
    for count in range(len(others) + 1):
        for chosen in combinations(others, count):
            names = [base, *chosen]
            solution, errors = least_squares(np.column_stack([totals[name] for name in names]), measured)
            carried = len(measured) >= _NETWORKS_A_COEFFICIENT * len(names) or len(names) == 1
            if carried and solution.min() >= 0:
                fitted.append((len(names), float(np.sqrt(np.mean(errors**2))), names, solution))
    best = min(sd for _, sd, _, _ in fitted)
    _, sd, names, solution = min(
        (candidate for candidate in fitted if candidate[1] <= _GOOD_ENOUGH * best), key=lambda candidate: candidate[:2]
    )
    scales = tuple(np.unique(codes[:, SCALE]).tolist())
    coefficients = dict(zip(names, solution.tolist(), strict=True))
    return CostModel(unit=unit, terms=terms, coefficients=coefficients, relative_sd=sd, scales=scales)
