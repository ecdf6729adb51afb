"""How many bursts each model of a plan will get until it is known well enough, by what is known of the device."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np

from mosegedge.profiling.plan import LAYER_BURST, NETWORK_BURST, Item, Plan
from mosegedge.profiling.run_times import RunTimes, bursts_of, key_of
from mosegedge.profiling.schedule import Known, allowed_half_widths, informativeness, least_bursts
from mosegedge.space import Architecture

_Z95 = 1.96
_FEWEST_COMPARED = 12
_LARGEST_FACTOR = 2.0  # corrections beyond that are no corrections


def expected_visits(plan: Plan, times: RunTimes) -> dict[str, int]:
    """How many bursts each model gets until it is known well enough, by key.

    What stops early is what happened to look steady, so that more bursts are needed than the scatter of a profile says,
    on a restless device many more: as many times more as that profile took itself.
    """
    needed = _needed_visits(plan, times)
    factors = _visits_factors(plan, times, needed)
    passes = plan.settings.passes
    return {
        item.key: int(np.clip(factors[is_network(item)] * needed[item.key], min(least_bursts(item), passes), passes))
        for item in plan.items
    }


def _needed_visits(plan: Plan, times: RunTimes) -> dict[str, int]:
    """Bursts after which the interval of each model is narrow enough by the scatter of its bursts."""
    known = {
        item.key: Known(times.run_ms[item.key], times.burst_sd[item.key] * times.run_ms[item.key], 1, 1.0)
        for item in plan.items
    }
    allowed = allowed_half_widths(plan, informativeness(plan, known))
    narrow = {key: ceil((_Z95 * times.burst_sd[key] / allowed[key]) ** 2) for key in known}
    return {item.key: max(least_bursts(item), narrow[item.key]) for item in plan.items}


def _visits_factors(plan: Plan, times: RunTimes, needed: Mapping[str, int]) -> dict[bool, float]:
    """Bursts that the profile took over those that its scatter asked for: of layers, and (True) of networks."""
    factors = {False: 1.0, True: 1.0}
    if times.profile is None or times.profile.space.digest != plan.space.digest:
        return factors
    entries, networks = times.profile.entries, times.profile.networks
    taken = {entry.key: bursts_of(entry, LAYER_BURST) for entry in entries}
    taken |= {key_of(entry): bursts_of(entry, NETWORK_BURST) for entry in networks}
    for network in factors:
        items = [item for item in plan.items if is_network(item) is network and item.key in taken]
        if len(items) >= _FEWEST_COMPARED:
            most = max(taken[item.key] for item in items)  # its --passes need not have been those of the plan
            expected = [min(needed[item.key], most) for item in items]
            ratio = sum(taken[item.key] for item in items) / sum(expected)
            factors[network] = float(np.clip(ratio, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR))
    return factors


def is_network(item: Item) -> bool:
    """Whether a model is a whole network, and not a layer."""
    return isinstance(item.source, Architecture)
