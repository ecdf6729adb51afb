"""What a merged profile says of its measurements: nothing that is better than the worse of the two."""

from __future__ import annotations

import numpy as np

from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import (
    CostSection,
    CostsSection,
    EffortSection,
    NoteEntry,
    ProtocolSection,
    RepeatabilitySection,
)


def merged_protocol(first: ProtocolSection, second: ProtocolSection) -> ProtocolSection:
    """How both were measured: the passes of the shorter one, the bursts of both, all that either says in words."""
    words = {
        name: _both(getattr(first, name), getattr(second, name)) for name in ("warmup", "samples", "stopping", "drift")
    }
    return first.model_copy(
        update={
            "scales": sorted({*first.scales, *second.scales}),
            "passes": min(first.passes, second.passes),
            "bursts": first.bursts + second.bursts,
            "restarts": first.restarts + second.restarts,
            **words,
        }
    )


def merged_repeats(first: Profile, second: Profile) -> RepeatabilitySection:
    """How well both repeat: the lower correlation, the mean error, the larger drift."""
    one, other = first.repeatability, second.repeatability
    taus = [section.by_scale_networks_kendall_tau for section in (one, other)]
    by_scale: dict[str, float] = {}
    for tau_by_scale in taus:
        for scale, tau in (tau_by_scale or {}).items():
            by_scale[scale] = min(tau, by_scale.get(scale, tau))
    drifts = [section.networks_drift for section in (one, other) if section.networks_drift is not None]
    layers = [
        (profile.repeatability.layers_mape, len(profile.entries))
        for profile in (first, second)
        if profile.repeatability.layers_mape is not None
    ]
    return RepeatabilitySection(
        networks_kendall_tau=min(one.networks_kendall_tau, other.networks_kendall_tau),
        by_scale_networks_kendall_tau=by_scale if all(tau is not None for tau in taus) else None,
        networks_mape=_mean([(one.networks_mape, len(first.networks)), (other.networks_mape, len(second.networks))]),
        layers_mape=_mean(layers) if layers else None,
        drift=max(one.drift, other.drift),
        networks_drift=max(drifts, default=None),
    )


def merged_effort(first: EffortSection | None, second: EffortSection | None) -> EffortSection | None:
    """What both took together; None where one does not tell."""
    if first is None or second is None:
        return None
    return EffortSection(
        wall_s=round(first.wall_s + second.wall_s, 1),
        timed_s=round(first.timed_s + second.timed_s, 1),
        build_s=round(first.build_s + second.build_s, 1),
        models=first.models + second.models,
        disk_mib=round(first.disk_mib + second.disk_mib, 1),
    )


def merged_notes(first: Profile, second: Profile) -> list[NoteEntry]:
    """What was said of models in either, and which layers only one of the two could run."""
    said: dict[str, int] = {}
    for note in (*first.notes, *second.notes):
        said[note.text] = max(note.models, said.get(note.text, 0))
    for profile, other in ((first, second), (second, first)):
        ran = {entry.key for entry in other.entries}
        if count := sum(entry.key in ran for entry in profile.failed):
            said[f"Failed in {profile.name}, measured in {other.name}"] = count
    return [NoteEntry(text=text, models=count) for text, count in sorted(said.items())]


def merged_costs(first: CostsSection | None, second: CostsSection | None) -> CostsSection | None:
    """How energy and memory were measured, by whichever did."""
    if first is None or second is None:
        return first or second
    return CostsSection(energy=_cost(first.energy, second.energy), memory=_cost(first.memory, second.memory))


def _cost(first: CostSection, second: CostSection) -> CostSection:
    known = [section for section in (first, second) if section.measured]
    if not known:
        return first.model_copy(update={"words": _both(first.words, second.words)})
    rests_w = [section.idle_w for section in known if section.idle_w is not None]
    return CostSection(
        measured=True,
        words=" / ".join(dict.fromkeys(section.words for section in known)),
        idle_w=round(float(np.mean(rests_w)), 6) if rests_w else None,
    )


def _both(first: str, second: str) -> str:
    return first if first == second else " / ".join(words for words in (first, second) if words)


def _mean(weighed: list[tuple[float, int]]) -> float:
    weights = [max(1, count) for _, count in weighed]
    return float(np.average([value for value, _ in weighed], weights=weights))
