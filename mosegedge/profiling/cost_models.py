"""The models of energy and memory that follow from what a profile holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError
from mosegedge.profiling.activations import peak_elements
from mosegedge.profiling.costs import CostModel, fit_costs
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.sections import CostErrorSection, CostSection, NetworkEntry
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Cost = Literal["energy", "memory"]

LATENCY, GIGA_MACS, WEIGHTS, CONSTANT = "latency_ms", "multiply_adds_billion", "weights_million", "constant"
FEATURE_MAPS = "feature_map_elements_million"
_BASES = {"energy": LATENCY, "memory": CONSTANT}
_UNITS = {"energy": "mJ", "memory": "MiB"}


def cost_model(
    cost: Cost, latency: LatencyModel, networks: Sequence[NetworkEntry], section: CostSection | None
) -> CostModel:
    """Fits the model of a cost to the networks of role `fit` that have it.

    Args:
        cost: Which.
        latency: The latency model of the profile.
        networks: All networks of the profile.
        section: How it was measured, None where nobody asked for it.

    Raises:
        ProfileError: It was not measured, or of too few networks.
    """
    codes, measured = _measured(cost, latency.space, [entry for entry in networks if entry.role == "fit"])
    if not len(measured):
        raise ProfileError(
            f"The {cost} of networks was not measured in the profile {latency.name}.",
            known=section.words if section else "It was measured before there were sensors, or without them.",
            fix="See what the device has: mosegedge devices doctor "
            f"{latency.device}; then mosegedge profile --device {latency.device} --space {latency.space.name} "
            f"--{cost}",
        )
    terms = _terms_of_energy(latency) if cost == "energy" else _terms_of_memory(latency.space)
    return fit_costs(terms, _BASES[cost], codes, measured, unit=_UNITS[cost])


def cost_section(
    cost: Cost, section: CostSection, latency: LatencyModel, networks: Sequence[NetworkEntry]
) -> CostSection:
    """The section with the error of its model on the networks that it was not fitted to, where there are some."""
    codes, measured = _measured(cost, latency.space, [entry for entry in networks if entry.role != "fit"])
    if not len(measured):
        return section
    try:
        error = cost_model(cost, latency, networks, section).error(codes, measured)
    except ProfileError as refused:
        return section.model_copy(update={"words": f"{section.words}; no model: {refused.what}"})
    return section.model_copy(update={"error": CostErrorSection(**asdict(error))})


def _measured(cost: Cost, space: SearchSpace, networks: Sequence[NetworkEntry]) -> tuple[Codes, Floats]:
    values = [entry.energy_mj if cost == "energy" else entry.memory_mib for entry in networks]
    known = [(entry, value) for entry, value in zip(networks, values, strict=True) if value]
    codes = space.encode([Architecture.parse(entry.code) for entry, _ in known])
    return codes, np.array([value for _, value in known])


def _terms_of_energy(latency: LatencyModel) -> Callable[[Codes], dict[str, Floats]]:
    space = latency.space

    def terms(codes: Codes) -> dict[str, Floats]:
        return {
            LATENCY: latency.predict(codes)[0],
            GIGA_MACS: space.flops(codes) / 1e9,
            WEIGHTS: space.params(codes) / 1e6,
            CONSTANT: np.ones(len(codes)),
        }

    return terms


def _terms_of_memory(space: SearchSpace) -> Callable[[Codes], dict[str, Floats]]:
    def terms(codes: Codes) -> dict[str, Floats]:
        return {
            CONSTANT: np.ones(len(codes)),
            WEIGHTS: space.params(codes) / 1e6,
            FEATURE_MAPS: peak_elements(space, codes) / 1e6,
        }

    return terms
