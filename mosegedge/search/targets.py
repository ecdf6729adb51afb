"""The devices that a search is for: their profiles, what these are called, and the models of cost that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mosegedge.devices.inventory import Device, load_device
from mosegedge.errors import ProfileError, UsageError
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.trust import Trust, trust_of, widened
from mosegedge.search.config import SearchConfig
from mosegedge.search.costs import CostModel
from mosegedge.search.objectives import Objective, objective
from mosegedge.space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device to search for.

    Attributes:
        profile: What networks cost there.
        reference: What the user calls the profile.
    """

    profile: Profile
    reference: str


@dataclass(frozen=True)
class Targets:
    """One device or more; costs on the first carry no label.

    Args:
        targets: The devices.
    """

    targets: tuple[Target, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What each is called: its device's name, or the profile's where two are of one device."""
        names = [target.profile.device.name for target in self.targets]
        labels = [
            name if names.count(name) == 1 else target.reference
            for name, target in zip(names, self.targets, strict=True)
        ]
        digests = [target.profile.digest for target in self.targets if target.profile.digest]
        if len(set(labels)) < len(labels) or len(set(digests)) < len(digests):
            raise UsageError(f"The profile {labels[-1]} is given twice.", fix="Give each profile once.")
        return tuple(labels)

    @property
    def digests(self) -> dict[str, tuple[str, str]]:
        """Reference and digest of all but the first, by label."""
        return {
            label: (target.reference, target.profile.digest or "")
            for label, target in zip(self.labels[1:], self.targets[1:], strict=True)
        }

    def require_usable(self, config: SearchConfig) -> None:
        """Raises ProfileError or UsageError where a profile cannot be searched with."""
        for target in self.targets:
            if target.profile.origin != "measured":
                raise ProfileError(
                    f"The profile {target.reference} is {target.profile.origin}; a search needs a measured one.",
                    fix="Measure a device: mosegedge profile --device local",
                )
            scales = target.profile.protocol.scales
            uncovered = sorted(set(config.scales) - set(scales))
            if uncovered:
                covered = ",".join(str(scale) for scale in scales)
                raise UsageError(
                    f"The profile {target.reference} does not cover scale digit {uncovered[0]}.",
                    known=f"It covers {covered}.",
                    fix=f"Search those: --scales {covered}; or profile the others.",
                )
        if config.latency == "measured" and len(self.targets) > 1:
            raise UsageError(
                "Latencies can be measured on one device at a time.",
                known=f"The profiles are of {', '.join(self.labels)}.",
                fix="Give one --profile, or leave --latency measured out.",
            )

    def resolved(self, config: SearchConfig) -> SearchConfig:
        """The settings with every objective and limit by the name that it has in the archive.

        `latency` becomes the latency on every profile, unless another objective names one of them; what carries the
        label of the first profile loses it.
        """
        found = replace(
            config,
            objectives=self._resolved_names(config.objectives),
            limits=tuple(replace(limit, objective=self._unlabelled(limit.objective)) for limit in config.limits),
            pick=self._resolved_pick(config.pick),
        )
        found.require_known_pick()
        return found

    def trusts(self, space: SearchSpace) -> tuple[Trust, ...]:
        """How far each profile can be relied on."""
        return tuple(trust_of(target.profile, space) for target in self.targets)

    def latency(self, place: int, space: SearchSpace) -> CostModel:
        """Latency on one of the devices; where its profile is below the bar, with a wider standard deviation."""
        profile = self.targets[place].profile
        return widened(profile.latency_model(space), trust_of(profile, space))

    def models(self, config: SearchConfig, space: SearchSpace) -> dict[str, CostModel]:
        """Models of all costs but the latency on the first profile, by name: every latency, and what is asked for."""
        names = [Objective(objective("latency").kind, label).name for label in self.labels[1:]]
        asked = (*config.objectives, *(limit.objective for limit in config.limits))
        names += [name for name in asked if objective(name).kind.name in ("energy", "memory")]
        return {name: self._model(objective(name), space) for name in dict.fromkeys(names)}

    def _model(self, wanted: Objective, space: SearchSpace) -> CostModel:
        place = self.labels.index(wanted.label) if wanted.label else 0
        if wanted.kind.name == "latency":
            return self.latency(place, space)
        profile = self.targets[place].profile
        return profile.energy_model(space) if wanted.kind.name == "energy" else profile.memory_model(space)

    def _resolved_names(self, names: Sequence[str]) -> tuple[str, ...]:
        found = [self._unlabelled(name) for name in names]
        if "latency" in names and not any(name.startswith("latency@") for name in names):
            place = found.index("latency")
            found[place + 1 : place + 1] = [f"latency@{label}" for label in self.labels[1:]]
        return tuple(found)

    def _resolved_pick(self, pick: str) -> str:
        name, equals, value = pick.partition("=")
        return f"{self._unlabelled(name)}={value}" if equals else pick

    def _unlabelled(self, name: str) -> str:
        """Checks the label, and drops that of the first profile."""
        wanted = objective(name)
        if wanted.label and wanted.label not in self.labels:
            raise UsageError(
                f"{name} names no profile of this search.",
                known=f"Its profiles are called {', '.join(self.labels)}.",
                fix="Give the profile as well: --profile A --profile B.",
            )
        return wanted.kind.name if wanted.label == self.labels[0] else name


def device_of(profile: Profile, device: Device | None = None) -> Device:
    """The device that a profile was measured on, as the user's files have it now.

    Args:
        profile: Whose device is looked up by its name.
        device: Another one, if the user names it.

    Raises:
        UsageError: It runs in another precision or with another number of threads than the profile was measured with.
        DeviceError: There is none of this name.
    """
    found = device or load_device(profile.device.name)
    protocol = profile.protocol
    for what, here, there in (
        ("precision", found.precision, protocol.precision),
        ("threads", found.threads, protocol.threads),
    ):
        if here != there:
            raise UsageError(
                f"{found.name} is set to {what} {here}; its profile was measured with {there}.",
                fix=f"Set {what} for it in devices.toml, or use a profile measured with {here}.",
            )
    return found
