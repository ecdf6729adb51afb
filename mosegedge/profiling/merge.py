"""merge_profiles: two measurements of one device become one profile, fitted and judged anew.

Nothing is measured. Only measurements of the same device, with the same software and by the same protocol, can be
merged: numbers of two runtimes in one table would be a table of neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mosegedge import __version__
from mosegedge.devices.backends import BUILD_TIMEOUT
from mosegedge.errors import ProfileError
from mosegedge.profiling.combine import Union, combine_layers, combine_networks
from mosegedge.profiling.compare import require_one_space
from mosegedge.profiling.cost_models import cost_section
from mosegedge.profiling.fingerprint import difference
from mosegedge.profiling.fit import Method
from mosegedge.profiling.judge import Judged, certify
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.merge_facts import merged_costs, merged_effort, merged_notes, merged_protocol, merged_repeats
from mosegedge.profiling.model import Evidence, fit_model, latency_model_of
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.profile_text import source_of
from mosegedge.profiling.sections import CertificateSection, CostsSection, FailedEntry, NetworkEntry
from mosegedge.profiling.store import DEFAULT_ROOT, Series, load_profile, profile_path, save_profile
from mosegedge.space import Architecture, SearchSpace

_PROTOCOL = ("statistic", "clock", "threads", "affinity", "precision", "opset")


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged profile.

    Attributes:
        profile: The profile.
        layers: Where its layers came from.
        networks: Where its networks came from.
    """

    profile: Profile
    layers: Union
    networks: Union


def merge_profiles(
    first: str | Path,
    second: str | Path,
    *,
    space: SearchSpace | None = None,
    root: Path = DEFAULT_ROOT,
    command: str = "",
) -> Merged:
    """Merges two profiles and writes the result as the next version of the first one's series.

    Args:
        first: A profile, as `load_profile` takes it.
        second: Another one of the same device.
        space: Their space; by default it is loaded by its name.
        root: Folder of all profiles.
        command: The command line, kept in the result.

    Raises:
        ProfileError: They are not of the same device, space and protocol, or one holds the other already.
    """
    path = profile_path(first, root=root)
    one, other = load_profile(path), load_profile(second, root=root)
    series = Series(path.parent)
    series.require_no_open_measurement()
    space = space or SearchSpace.load(one.space.name)
    merged = merged_profile(one, other, space, version=series.next_version, command=command)
    written = load_profile(save_profile(merged.profile, series))
    return Merged(written, merged.layers, merged.networks)


def merged_profile(first: Profile, second: Profile, space: SearchSpace, *, version: int, command: str = "") -> Merged:
    """The profile that two measurements make.

    Args:
        first: A profile.
        second: Another one.
        space: Their space.
        version: Of the result.
        command: The command line, kept in the result.

    Raises:
        ProfileError: They cannot be merged, or the model cannot be fitted.
    """
    require_mergeable(first, second)
    entries, of_layers = combine_layers(first.entries, second.entries)
    networks, of_networks = combine_networks(first.networks, second.networks)
    failed = _failed(first, second, {entry.key for entry in entries})
    evidence = Evidence(space=space, entries=entries, networks=networks, failed={one.key: one.error for one in failed})
    protocol = merged_protocol(first.protocol, second.protocol)
    speed_sd = max(first.model.speed_sd, second.model.speed_sd)
    section = fit_model(evidence, _method(first, second), protocol.scales, speed_sd=speed_sd)
    model = latency_model_of(evidence, section, name="merged", device=first.device.name)
    newer, older = sorted((first, second), key=lambda profile: profile.created, reverse=True)
    profile = first.model_copy(
        update={
            "version": version,
            "parent": first.version,
            "created": datetime.now(UTC).replace(microsecond=0),
            "mosegedge": __version__,
            "command": command,
            "device": first.device.model_copy(
                update={"conditions": [*first.device.conditions, *second.device.conditions]}
            ),
            "protocol": protocol,
            "entries": entries,
            "networks": networks,
            "failed": failed,
            "notes": merged_notes(first, second),
            "model": section,
            "certificate": _certificate(model, evidence, (first, second)),
            "repeatability": merged_repeats(first, second),
            "roofline": newer.roofline or older.roofline,
            "effort": merged_effort(first.effort, second.effort),
            "costs": _costs(merged_costs(first.costs, second.costs), model, networks),
            "merged_from": [source_of(first), source_of(second)],
            "rebased_from": first.rebased_from or second.rebased_from,
            "journal_sha256": None,
            "digest": None,
        }
    )
    return Merged(profile, of_layers, of_networks)


def require_mergeable(first: Profile, second: Profile) -> None:
    """Whether numbers of two profiles may stand in one table.

    Raises:
        ProfileError: They are of different devices, software, spaces or protocols, or one holds the other.
    """
    require_one_space(first, second)
    sources = [source_of(profile).digest for profile in (first, second)]
    if sources[0] == sources[1]:
        raise ProfileError(f"{first.name} and {second.name} are the same profile.", fix="Name two different ones.")
    for profile, digest in ((first, sources[1]), (second, sources[0])):
        if digest in {source.digest for source in profile.merged_from or ()}:
            raise ProfileError(
                f"{profile.name} holds the other profile already.", known="Its numbers would count twice."
            )
    if noisy := _noisier(first, second):
        quiet = second if noisy is first else first
        raise ProfileError(
            f"{first.name} and {second.name} cannot be merged: the values of {noisy.name} are 10 % quantiles, those of "
            f"{quiet.name} medians.",
            known="Disturbed measurements take the former; beside medians their networks would look faster.",
            fix=f"Measure {noisy.name} again while nothing else runs on the device: mosegedge profile --device "
            f"{noisy.device.name} --space {noisy.space.name}; until then {quiet.name} is the one to rely on.",
        )
    if changed := _apart(first, second):
        raise ProfileError(
            f"{first.name} and {second.name} cannot be merged: {changed}.",
            known="Only measurements of one device, with one software, by one protocol, make one table.",
            fix=_way_out(first, second),
        )
    for networks_alone, other in ((first, second), (second, first)):
        missing = sorted(set(networks_alone.protocol.scales) - set(other.protocol.scales))
        if not networks_alone.entries and other.entries and missing:
            raise ProfileError(
                f"{networks_alone.name} has networks alone, and {other.name} has no layers of scale {missing[0]}.",
                known="A model made of layers does not cover a scale without them.",
                fix=f"Measure its layers: mosegedge profile --device {first.device.name} --space {first.space.name} "
                f"--scales {','.join(map(str, missing))}",
            )


def _noisier(first: Profile, second: Profile) -> Profile | None:
    """The one with quantiles, where nothing but that keeps two profiles apart."""
    one, other = ({**_identity(profile), "statistic": ""} for profile in (first, second))
    if first.protocol.statistic == second.protocol.statistic or difference(one, other):
        return None
    return first if first.protocol.statistic == "quantile10" else second


def _apart(first: Profile, second: Profile) -> str:
    """The first thing that keeps two profiles apart, with both values; empty where nothing does."""
    return difference(_identity(first), _identity(second)).replace(" then, ", " and ").removesuffix(" now")


def _way_out(first: Profile, second: Profile) -> str:
    """Which commands help: another runtime can be rebased onto, another protocol has to be measured."""
    protocols = [[getattr(profile.protocol, name) for name in _PROTOCOL] for profile in (first, second)]
    same_use = (first.origin, first.device.backend) == (second.origin, second.device.backend)
    if same_use and protocols[0] == protocols[1]:
        newer = max(first, second, key=lambda profile: profile.created)
        older = second if newer is first else first
        then = f"mosegedge profiles rebase {older.name} --device {newer.device.name}"
        words = f"carry the older one over to the device as it is now: {then}"
    else:
        words = f"measure again: mosegedge profile --device {first.device.name} --space {first.space.name}"
    return f"See all differences: mosegedge profiles diff {first.name} {second.name}; {words}"


def _identity(profile: Profile) -> dict[str, Any]:
    device, protocol = profile.device, profile.protocol
    settings = {name: value for name, value in device.settings.items() if name != BUILD_TIMEOUT}
    return {
        "origin": profile.origin,
        "backend": device.backend,
        "hardware": device.hardware,
        "system": device.system,
        "vendor": device.vendor,
        "settings": settings,
        **{name: getattr(protocol, name) for name in _PROTOCOL},
    }


def _method(first: Profile, second: Profile) -> Method:
    """What the model is made of: all that the two have between them."""
    return first.model.method if first.model.method == second.model.method else "both"


def _failed(first: Profile, second: Profile, measured: set[str]) -> list[FailedEntry]:
    """Layers that one could not run and the other could are no failures."""
    errors = {entry.key: entry.error for entry in (*second.failed, *first.failed) if entry.key not in measured}
    return [FailedEntry(key=key, error=error) for key, error in sorted(errors.items())]


def _certificate(model: LatencyModel, evidence: Evidence, profiles: Sequence[Profile]) -> CertificateSection | None:
    """Judges the model on one role: the one that covers more scales, at a tie the networks of checks."""
    roles: tuple[Literal["held-out", "check"], ...] = ("held-out", "check")
    judging = {role: [entry for entry in evidence.networks if entry.role == role] for role in roles}
    source = max(roles, key=lambda role: (_scales(judging[role]), role == "check"))
    values_ms = {entry.key: entry.value_ms for entry in evidence.entries}
    known = [entry for entry in judging[source] if _is_known(entry, evidence.space, values_ms)]
    judged = Judged(
        codes=evidence.space.encode([Architecture.parse(entry.code) for entry in known]),
        measured_ms=np.array([entry.value_ms for entry in known]),
    )
    dates = [profile.certificate.measured for profile in profiles if profile.certificate]
    measured = max(dates, default=max(profile.created for profile in profiles).date())
    return certify(model, judged, values_ms, source=source, measured=measured)


def _scales(networks: Sequence[NetworkEntry]) -> int:
    return len({Architecture.parse(entry.code).scale for entry in networks})


def _is_known(entry: NetworkEntry, space: SearchSpace, values_ms: dict[str, float]) -> bool:
    layers = space.layers_of(Architecture.parse(entry.code))
    return not values_ms or all(layer.spec.key in values_ms for layer in layers)


def _costs(
    sections: CostsSection | None, latency: LatencyModel, networks: Sequence[NetworkEntry]
) -> CostsSection | None:
    """With the errors of the models that follow from the merged columns."""
    if sections is None:
        return None
    return CostsSection(
        energy=cost_section("energy", sections.energy, latency, networks),
        memory=cost_section("memory", sections.memory, latency, networks),
    )
