"""What is measured again of a profile whose device has changed: a few layers of every kind, and whole networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mosegedge.devices.inventory import Device
from mosegedge.errors import ProfileError, UsageError
from mosegedge.profiling.compare import kind_of
from mosegedge.profiling.plan import MIN_PASSES, Item, Plan, ProfileSettings, network_key
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import LayerEntry, NetworkEntry
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.counting import flops_of

FEWEST_LAYERS, FEWEST_NETWORKS = 12, 4

Chosen = TypeVar("Chosen")


@dataclass(frozen=True, kw_only=True)
class RebaseSettings:
    """How much is measured again.

    Attributes:
        entries: Layers, of every kind in turn and spread over their cost.
        networks: Whole networks that the model was not fitted to.
        passes: How often each is timed at most.
        seed: Decides the order.
    """

    entries: int = 24
    networks: int = 12
    passes: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        limits = (("entries", FEWEST_LAYERS), ("networks", FEWEST_NETWORKS), ("passes", MIN_PASSES), ("seed", 0))
        for name, least in limits:
            if getattr(self, name) < least:
                raise UsageError(
                    f"{name} is {getattr(self, name)}; a profile is carried over by {least} or more.",
                    fix=f"--{name} {least}",
                )


def rebase_plan(profile: Profile, space: SearchSpace, device: Device, settings: RebaseSettings) -> Plan:
    """Chooses layers and networks of a profile; the same arguments give the same plan.

    Raises:
        ProfileError: The profile has too few networks that judge its model.
    """
    layers = choose_layers(profile, settings.entries)
    networks = choose_networks(profile, space, settings.networks)
    if len(networks) < FEWEST_NETWORKS:
        raise ProfileError(
            f"{profile.name} has {len(networks)} networks that its model was not fitted to, all of whose layers ran.",
            known=f"Whether it still holds shows on {FEWEST_NETWORKS} or more.",
            fix=f"Measure again: mosegedge profile --device {device.name} --space {space.name}",
        )
    specs = {spec.key: spec for spec in space.entries}
    codes = space.encode([Architecture.parse(entry.code) for entry in networks])
    scales = tuple(sorted(profile.protocol.scales))
    measured = ProfileSettings(
        scales=scales,
        networks=max(4 * len(scales), 2 * len(networks), 8),
        passes=settings.passes,
        seed=settings.seed,
        method=profile.model.method,
        energy=False,
        memory=False,
    )
    return Plan(
        space=space,
        device=device,
        settings=measured,
        layers=tuple(Item(entry.key, specs[entry.key], flops_of(specs[entry.key])) for entry in layers),
        fit=(),
        held_out=tuple(
            Item(network_key(network), network, int(flops))
            for network, flops in zip(space.decode(codes), space.flops(codes), strict=True)
        ),
        positions=len(layers),
    )


def choose_layers(profile: Profile, count: int) -> list[LayerEntry]:
    """Layers of every kind in turn, the cheapest and the most expensive of each and others evenly between."""
    groups = _groups(profile.entries, lambda entry: kind_of(entry.key))
    return sorted(_spread(groups, count, cost=lambda entry: (entry.value_ms, entry.key)), key=lambda entry: entry.key)


def choose_networks(profile: Profile, space: SearchSpace, count: int) -> list[NetworkEntry]:
    """Networks that only judged the model, of every scale in turn and spread over their latency."""
    known = {entry.key for entry in profile.entries}
    judging = [
        entry
        for entry in profile.networks
        if entry.role != "fit"
        and (not known or all(layer.spec.key in known for layer in space.layers_of(Architecture.parse(entry.code))))
    ]
    groups = _groups(judging, lambda entry: str(Architecture.parse(entry.code).scale))
    return sorted(_spread(groups, count, cost=lambda entry: (entry.value_ms, entry.code)), key=lambda entry: entry.code)


def _groups(entries: Sequence[Chosen], name_of: Callable[[Chosen], str]) -> dict[str, list[Chosen]]:
    groups: dict[str, list[Chosen]] = {}
    for entry in entries:
        groups.setdefault(name_of(entry), []).append(entry)
    return groups


def _spread(
    groups: Mapping[str, list[Chosen]], count: int, *, cost: Callable[[Chosen], tuple[float, str]]
) -> list[Chosen]:
    """Takes from the groups in turn until there are enough, and from each evenly by cost."""
    shares = dict.fromkeys(sorted(groups), 0)
    while sum(shares.values()) < min(count, sum(map(len, groups.values()))):
        open_groups = [name for name in shares if shares[name] < len(groups[name])]
        shares[min(open_groups, key=lambda name: (shares[name], name))] += 1
    chosen: list[Chosen] = []
    for name, share in shares.items():
        ordered = sorted(groups[name], key=cost)
        chosen += [ordered[int(place)] for place in np.linspace(0, len(ordered) - 1, num=share).round()]
    return chosen
