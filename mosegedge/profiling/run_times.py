"""How long the models of a plan run, before any of them was timed, from the best evidence at hand.

That is an earlier profile of the same device and space; else one of the same device for another space, precision or
number of threads, by a regression on multiply-adds and elements handed over; else a rough processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mosegedge.devices.agent_client import BurstSettings
from mosegedge.errors import ProfileError, SpaceError
from mosegedge.profiling.formula import BOUNDARIES, FLOPS, entry_terms
from mosegedge.profiling.plan import LAYER_BURST, NETWORK_BURST, Item, Plan, network_key
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import NetworkEntry, Timing
from mosegedge.profiling.store import list_profiles, load_profile, series_of
from mosegedge.space import Architecture, SearchSpace

Floats = NDArray[np.float64]

# A rough processor: fixed cost of a layer, multiply-adds a millisecond, and how far bursts of one model are apart.
_FIXED_MS, _FLOPS_PER_MS = 0.03, 45e6
_LAYER_SDS, _NETWORK_SDS = (0.002, 0.003, 0.004, 0.007, 0.013), (0.011, 0.02, 0.032, 0.052, 0.077)
_NEARLY_NOTHING_MS = 1e-3


@dataclass(frozen=True, slots=True)
class RunTimes:
    """What is expected of each model of a plan, by key.

    Attributes:
        run_ms: A usual run.
        burst_sd: By how much the value of one burst is off, relative, one standard deviation.
        words: Where these come from.
        rough: Whether nothing was measured on this device before.
        profile: The profile that they come from.
    """

    run_ms: Mapping[str, float]
    burst_sd: Mapping[str, float]
    words: str
    rough: bool
    profile: Profile | None = None


def run_times(plan: Plan, root: Path) -> RunTimes:
    """The best evidence about the models of a plan.

    Args:
        plan: What will be measured.
        root: Folder of all profiles; it need not exist.
    """
    profile = _best_profile(plan, root)
    space = _space_of(profile, plan.space) if profile else None
    if profile is None or space is None:
        layers_ms = _FIXED_MS + plan.space.entry_flops / _FLOPS_PER_MS
        return RunTimes(
            _by_key(plan, layers_ms, 1.0),
            _usual_sds(plan),
            "rough numbers of a usual processor: nothing was measured on this device before",
            rough=True,
        )
    layers_ms, factor = _regression(profile, space, plan.space)
    found = _by_key(plan, layers_ms, factor)
    same = space.digest == plan.space.digest and profile.protocol.threads == plan.device.threads
    same = same and profile.protocol.precision == plan.device.precision
    if same:
        own = {entry.key: entry.median_ms for entry in profile.entries}
        layers_ms = np.array([own.get(spec.key, ms) for spec, ms in zip(plan.space.entries, layers_ms, strict=True)])
        own |= {key_of(entry): entry.median_ms for entry in profile.networks}
        found = _by_key(plan, layers_ms, factor) | {key: ms for key, ms in own.items() if key in found}
    words = f"the profile {profile.name} of this device"
    if not same:
        threads = f"{profile.protocol.threads} thread(s), {profile.protocol.precision}"
        words += f", which is of {profile.space.name}, {threads}: by multiply-adds and elements handed over"
    return RunTimes(found, _burst_sds(plan, profile), words, rough=False, profile=profile)


def expected_samples(settings: BurstSettings, run_ms: float) -> int:
    """Timed runs of one burst of a model that usually takes `run_ms`."""
    wanted = int(np.clip(np.ceil(settings.min_ns / 1e6 / run_ms), settings.min_samples, settings.max_samples))
    return max(1, min(wanted, int(np.ceil(settings.most_ns / 1e6 / run_ms))))


def _best_profile(plan: Plan, root: Path) -> Profile | None:
    """The newest profile of the plan's own series; else that of this device which has most in common with the plan."""
    device = plan.device
    series = series_of(root, device=device.name, space=plan.space, precision=device.precision, threads=device.threads)
    paths = [series.path(version) for version in reversed(series.versions)]
    paths += [path for path in reversed(list_profiles(root)) if path.parent.parent == root / device.name]
    found = []
    for path in dict.fromkeys(paths):
        try:
            profile = load_profile(path)
        except ProfileError:
            continue  # It is no evidence; `profiles list` says what is wrong with it.
        if profile.device.backend != device.backend or profile.protocol.clock != device.clock:
            continue
        if path.parent == series.folder and profile.space.digest == plan.space.digest:
            return profile
        found.append(profile)
    return max(
        found,
        key=lambda profile: (
            profile.protocol.threads == device.threads and profile.protocol.precision == device.precision,
            profile.space.digest == plan.space.digest,
            len(profile.entries),
            profile.created,
        ),
        default=None,
    )


def _space_of(profile: Profile, plans: SearchSpace) -> SearchSpace | None:
    """The space of a profile, where it can be had by its name."""
    if profile.space.digest == plans.digest:
        return plans
    try:
        space = SearchSpace.load(profile.space.name)
    except SpaceError:
        return None
    return space if space.digest == profile.space.digest else None


def _regression(profile: Profile, space: SearchSpace, wanted: SearchSpace) -> tuple[Floats, float]:
    """Usual run of every row of a space's table, and a network's over the sum of its layers'."""
    medians = {entry.key: entry.median_ms for entry in profile.entries}
    known_ms = np.array([medians.get(spec.key, np.nan) for spec in space.entries])
    known = ~np.isnan(known_ms)
    design, wanted_design = _design(space)[known], _design(wanted)
    weights = 1 / known_ms[known]
    coefficients = _non_negative(design * weights[:, None], np.ones(len(weights)))
    layers_ms = np.maximum(wanted_design @ coefficients, _NEARLY_NOTHING_MS)
    codes = space.encode([Architecture.parse(entry.code) for entry in profile.networks])
    if not len(codes):
        return layers_ms, 1.0
    filled = np.where(known, known_ms, np.maximum(_design(space) @ coefficients, _NEARLY_NOTHING_MS))
    measured = np.array([entry.median_ms for entry in profile.networks])
    return layers_ms, float(np.median(measured / space.total(codes, filled)))


def _design(space: SearchSpace) -> Floats:
    terms = entry_terms(space, np.zeros(len(space.entries)))
    return np.stack([np.ones(len(space.entries)), terms[FLOPS], terms[BOUNDARIES]], axis=1)


def _non_negative(design: Floats, target: Floats) -> Floats:
    """Least squares; columns that would get a negative factor are left out, the most negative first."""
    columns = list(range(design.shape[1]))
    while True:
        found = np.linalg.lstsq(design[:, columns], target)[0]
        if len(columns) == 1 or found.min() >= 0:
            coefficients = np.zeros(design.shape[1])
            coefficients[columns] = np.maximum(found, 0.0)
            return coefficients
        del columns[int(np.argmin(found))]


def _by_key(plan: Plan, layers_ms: Floats, network_factor: float) -> dict[str, float]:
    by_layer = {spec.key: float(ms) for spec, ms in zip(plan.space.entries, layers_ms, strict=True)}
    networks: Sequence[Item] = (*plan.fit, *plan.held_out)
    codes = plan.space.encode([cast(Architecture, item.source) for item in networks])
    sums_ms = network_factor * plan.space.total(codes, layers_ms)
    return {item.key: by_layer[item.key] for item in plan.layers} | {
        item.key: float(ms) for item, ms in zip(networks, sums_ms, strict=True)
    }


def _burst_sds(plan: Plan, profile: Profile) -> dict[str, float]:
    """Those of the profile's own entries; models that it lacks take those of others of their kind in turn."""
    if profile.effort is None:  # a file from before standard errors were computed
        return _usual_sds(plan)
    layers = {entry.key: _burst_sd(entry, LAYER_BURST) for entry in profile.entries}
    networks = {key_of(entry): _burst_sd(entry, NETWORK_BURST) for entry in profile.networks}
    found = _usual_sds(plan)
    for items, own in ((plan.layers, layers), ((*plan.fit, *plan.held_out), networks)):
        found |= _cycled([item.key for item in items], list(own.values())) if own else {}
        found |= {item.key: own[item.key] for item in items if item.key in own}
    return found


def _usual_sds(plan: Plan) -> dict[str, float]:
    """Of a shared machine."""
    layers = _cycled([item.key for item in plan.layers], _LAYER_SDS)
    return layers | _cycled([item.key for item in (*plan.fit, *plan.held_out)], _NETWORK_SDS)


def _burst_sd(entry: Timing, settings: BurstSettings) -> float:
    return float(entry.se_ms / entry.value_ms * bursts_of(entry, settings) ** 0.5)


def bursts_of(entry: Timing, settings: BurstSettings) -> float:
    """How many bursts of this length an entry had."""
    return max(1.0, entry.n / expected_samples(settings, entry.median_ms))


def key_of(entry: NetworkEntry) -> str:
    """Name of a network of a profile in a plan."""
    return network_key(Architecture.parse(entry.code))


def _cycled(keys: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(keys, islice(cycle(values), len(keys)), strict=True))
