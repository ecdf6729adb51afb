"""The latency model as a profile's file holds it: what is fitted is written there, what follows is computed anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from mosegedge.errors import ProfileError
from mosegedge.profiling.bayes import Networks, Prior, Table, condition
from mosegedge.profiling.fit import Method, assumed_prior, fit_prior
from mosegedge.profiling.formula import FLOPS, SUM, Formula, Overflow, entry_terms
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.sections import LayerEntry, ModelSection, NetworkEntry, OverflowSection
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """What was measured, as a profile holds it.

    Attributes:
        space: The search space.
        entries: Layers in isolation.
        networks: Whole networks; only those of the role `fit` count.
        failed: Layers that the device could not run, by key, with the reason.
    """

    space: SearchSpace
    entries: Sequence[LayerEntry]
    networks: Sequence[NetworkEntry]
    failed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def table(self) -> Table:
        """The layers by the rows of the look-up table."""
        values = {entry.key: (entry.value_ms, entry.se_ms) for entry in self.entries}
        rows = np.array([values.get(spec.key, (np.nan, 0.0)) for spec in self.space.entries])
        return Table(rows[:, 0], rows[:, 1])

    def networks_with(self, base: str, scales: Iterable[int]) -> Networks:
        """Networks to fit to: at these scales, with layers that have a value of this term."""
        found = [entry for entry in self.networks if entry.role == "fit"]
        codes = self.space.encode([Architecture.parse(entry.code) for entry in found])
        values = np.array([(entry.value_ms, entry.se_ms) for entry in found]).reshape(-1, 2)
        known = ~np.isnan(self.space.total(codes, entry_terms(self.space, self.table.entry_ms)[base]))
        known &= np.isin(codes[:, SCALE], list(scales))
        return Networks(codes[known], values[known, 0], values[known, 1])


def fit_model(evidence: Evidence, method: Method, scales: Iterable[int], *, speed_sd: float = 0.0) -> ModelSection:
    """Fits the formula and its spreads.

    Args:
        evidence: What was measured.
        method: What of it is used.
        scales: Scales to cover.
        speed_sd: How far the device's speed differs between two measurements; the networks do not tell.

    Raises:
        ProfileError: No formula is physically possible, or too few networks were measured.
    """
    scales = list(scales)
    if method == "layers":
        return section_of(method, assumed_prior(scales), speed_sd=speed_sd)
    base = FLOPS if method == "networks" else SUM
    networks = evidence.networks_with(base, scales)
    if not len(networks.codes):
        raise ProfileError(
            "There is no whole network to fit the latency model to: none ran, or all need layers that did not.",
            fix="Fit it to layers alone: --method layers, or see why they failed in the journal of the measurement.",
        )
    prior = fit_prior(evidence.space, evidence.table, networks, base=base)
    return section_of(method, prior, speed_sd=speed_sd)


def latency_model_of(evidence: Evidence, section: ModelSection, *, name: str, device: str) -> LatencyModel:
    """The model that predicts.

    Args:
        evidence: What was measured.
        section: What was fitted to it.
        name: Of the profile, for messages.
        device: Its name, for messages.

    Raises:
        ProfileError: The section has a term that is not known, or numbers that no measurement gives.
    """
    prior = prior_of(section)
    terms = entry_terms(evidence.space, evidence.table.entry_ms)
    unknown = sorted(set(prior.formula.coefficients) - set(terms))
    if unknown or not prior.formula.coefficients:
        raise ProfileError(
            f"The latency model of the profile has the unknown term {unknown[0]!r}."
            if unknown
            else "The latency model of the profile has no term.",
            known=f"Terms: {', '.join(terms)}.",
        )
    base = SUM if SUM in prior.formula.coefficients else FLOPS
    networks = evidence.networks_with(base, prior.formula.constants_ms)
    impossible = ProfileError(
        f"The latency model of the profile {name} cannot be computed.",
        known="Its spreads or its networks hold numbers that no measurement gives.",
        fix=f"Measure again: mosegedge profile --device {device} --space {evidence.space.name}",
    )
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            posterior = condition(evidence.space, prior, evidence.table, networks)
    except np.linalg.LinAlgError as error:
        raise impossible from error
    if not posterior.is_sound:
        raise impossible
    return LatencyModel(
        space=evidence.space,
        name=name,
        device=device,
        entry_ms=posterior.entry_ms,
        overflow=prior.formula.overflow,
        constant_ms=posterior.constant_ms,
        relative_sd=prior.network_sd,
        speed_sd=section.speed_sd,
        posterior=posterior,
        failed=evidence.failed,
    )


def prior_of(section: ModelSection) -> Prior:
    """What a file says, for computing."""
    formula = Formula(
        coefficients=section.coefficients,
        overflow=Overflow(**section.overflow.model_dump()) if section.overflow else None,
        constants_ms={int(scale): constant for scale, constant in section.constants_ms.items()},
    )
    return Prior(
        formula=formula,
        additivity_sd=section.additivity_sd,
        shared=section.shared,
        constant_sd_ms=section.constant_sd_ms,
        network_sd=section.network_sd,
    )


def section_of(method: Method, prior: Prior, *, speed_sd: float = 0.0) -> ModelSection:
    """What was fitted, for a file."""
    formula = prior.formula
    return ModelSection(
        method=method,
        coefficients=dict(formula.coefficients),
        overflow=OverflowSection(**asdict(formula.overflow)) if formula.overflow else None,
        constants_ms={str(scale): constant for scale, constant in formula.constants_ms.items()},
        additivity_sd=prior.additivity_sd,
        shared=prior.shared,
        constant_sd_ms=prior.constant_sd_ms,
        network_sd=prior.network_sd,
        speed_sd=speed_sd,
    )
