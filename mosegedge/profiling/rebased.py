"""The next version of a profile whose device has changed: measured again where it was, carried over elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from mosegedge import __version__
from mosegedge.devices.replies import DeviceDescription
from mosegedge.files import sha256_of_file
from mosegedge.profiling.facts import Drifts, effort_section, protocol_section, repeatability_section, timing_of
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.judge import Judged, certify
from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.model import Evidence, fit_model, latency_model_of
from mosegedge.profiling.plan import Plan, network_key
from mosegedge.profiling.probing import measured_roofline
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.profile_text import source_of
from mosegedge.profiling.rebase_verdict import Verdict, judge_rebase
from mosegedge.profiling.roofline import Roofline
from mosegedge.profiling.sections import (
    CostSection,
    CostsSection,
    DeviceSection,
    LayerEntry,
    NetworkEntry,
    RebaseSection,
    RepeatabilitySection,
    RooflineSection,
)
from mosegedge.space import Architecture

_DIGITS = 6
_THEN = "; then: "

TimedEntry = TypeVar("TimedEntry", LayerEntry, NetworkEntry)


@dataclass(frozen=True, eq=False, kw_only=True)
class Remeasured:
    """What a few measurements on the changed device gave, by the statistic of the profile.

    Attributes:
        profile: The profile.
        plan: What was measured again.
        journal: The record.
        drifts: What was corrected.
        measured: All measurements, corrected, by key.
        layers: The layers.
        networks: The networks, with the role `check`.
        repeatability: How well the halves of these measurements agree.
    """

    profile: Profile
    plan: Plan
    journal: ProfileJournal
    drifts: Drifts
    measured: dict[str, Measurement]
    layers: tuple[LayerEntry, ...]
    networks: tuple[NetworkEntry, ...]
    repeatability: RepeatabilitySection

    @classmethod
    def of(cls, profile: Profile, plan: Plan, journal: ProfileJournal, raw: dict[str, Measurement]) -> Remeasured:
        """Reduces raw measurements as the profile did; at least one network must be among them."""
        statistic, drifts = profile.protocol.statistic, Drifts.of(plan, raw)
        measured = drifts.corrected(raw)
        timings = {key: timing_of(measurement, statistic).model_dump() for key, measurement in measured.items()}
        return cls(
            profile=profile,
            plan=plan,
            journal=journal,
            drifts=drifts,
            measured=measured,
            layers=tuple(LayerEntry(key=item.key, **timings[item.key]) for item in plan.layers if item.key in timings),
            networks=tuple(
                NetworkEntry(code=str(item.source), role="check", **timings[item.key])
                for item in plan.held_out
                if item.key in timings
            ),
            repeatability=repeatability_section(plan, measured, statistic, drifts),
        )

    @property
    def verdict(self) -> Verdict:
        """Whether the rest of the profile still holds."""
        return judge_rebase(
            self.profile,
            self.plan.space,
            layers=self.layers,
            networks=self.networks,
            repeatability=self.repeatability,
            failed=[item.key for item in self.plan.items if item.key in self.journal.failed],
        )


def rebased_profile(
    found: Remeasured,
    verdict: Verdict,
    description: DeviceDescription,
    *,
    version: int,
    parent: int | None,
    changes: Sequence[str],
    command: str,
) -> Profile:
    """The profile of the device as it is now.

    Args:
        found: What was measured.
        verdict: What follows from it; it holds.
        description: What the device says of itself.
        version: Of the result.
        parent: The version before it in its series.
        changes: What the device says otherwise than before.
        command: The command line, kept in the result.

    Raises:
        ProfileError: The model cannot be fitted.
    """
    profile, plan, journal = found.profile, found.plan, found.journal
    space, statistic = plan.space, profile.protocol.statistic
    entries = [*found.layers, *_carried(profile, profile.entries, {entry.key for entry in found.layers}, verdict)]
    others = _carried(profile, profile.networks, {entry.code for entry in found.networks}, verdict)
    networks = [*(_no_check(entry) for entry in others), *found.networks]
    failed = {entry.key: entry.error for entry in profile.failed}
    evidence = Evidence(
        space=space, entries=sorted(entries, key=lambda entry: entry.key), networks=networks, failed=failed
    )
    scales = sorted(profile.protocol.scales)
    section = fit_model(evidence, profile.model.method, scales, speed_sd=profile.model.speed_sd)
    model = latency_model_of(evidence, section, name="rebased", device=plan.device.name)
    now = datetime.now(UTC).replace(microsecond=0)
    judged = Judged(
        codes=space.encode([Architecture.parse(entry.code) for entry in found.networks]),
        measured_ms=np.array([entry.value_ms for entry in found.networks]),
        halves_ms=np.array(
            [
                found.measured[network_key(Architecture.parse(entry.code))].halves_ms(statistic)
                for entry in found.networks
            ]
        ),
    )
    values_ms = {entry.key: entry.value_ms for entry in evidence.entries}
    roofline = measured_roofline(journal.probes, plan.device, statistic)
    changed: dict[str, Any] = {
        "version": version,
        "parent": parent,
        "created": now,
        "mosegedge": __version__,
        "command": command,
        "device": DeviceSection(
            name=plan.device.name,
            backend=description.backend,
            hardware=description.hardware,
            system=description.system,
            vendor=description.vendor,
            settings=dict(plan.device.settings),
            conditions=journal.conditions,
        ),
        "protocol": protocol_section(plan, journal, statistic, found.drifts),
        "entries": list(evidence.entries),
        "networks": networks,
        "model": section,
        "certificate": certify(model, judged, values_ms, source="check", measured=now.date()),
        "repeatability": found.repeatability,
        "roofline": RooflineSection(**asdict(roofline)) if isinstance(roofline, Roofline) else None,
        "effort": effort_section(journal),
        "costs": _costs(profile),
        "rebased_from": RebaseSection(
            source=source_of(profile),
            changes=list(changes),
            factor=verdict.factor,
            spread=verdict.spread,
            layers_measured=len(found.layers),
            layers_carried=len(entries) - len(found.layers),
            networks_measured=len(found.networks),
            networks_carried=len(others),
        ),
        "journal_sha256": sha256_of_file(journal.path),
        "digest": None,
    }
    return profile.model_copy(update=changed)


def _carried(profile: Profile, entries: Sequence[TimedEntry], measured: set[str], verdict: Verdict) -> list[TimedEntry]:
    """What was not measured again: times the factor, with an error widened by how far entries lie around it.

    None of it is graded A, and its energy and memory are not known any more.
    """
    factor = verdict.factor
    said = f"carried over from {profile.name}, times {factor:.4f}"

    def scaled(value_ms: float) -> float:
        return round(factor * value_ms, _DIGITS)

    return [
        entry.model_copy(
            update={
                "value_ms": scaled(entry.value_ms),
                "median_ms": scaled(entry.median_ms),
                "p95_ms": scaled(entry.p95_ms),
                "se_ms": round(factor * float(np.hypot(entry.se_ms, verdict.spread * entry.value_ms)), _DIGITS),
                "grade": max("B", entry.grade),
                "reason": f"{said}{_THEN}{entry.reason.rpartition(_THEN)[2]}",
                "energy_mj": None,
                "memory_mib": None,
            }
        )
        for entry in entries
        if (entry.key if isinstance(entry, LayerEntry) else entry.code) not in measured
    ]


def _no_check(entry: NetworkEntry) -> NetworkEntry:
    """Networks of an earlier check do not stand beside those that were measured now."""
    return entry.model_copy(update={"role": "held-out"}) if entry.role == "check" else entry


def _costs(profile: Profile) -> CostsSection | None:
    if profile.costs is None:
        return None
    unknown = CostSection(measured=False, words=f"not measured again since {profile.name} was carried over")
    return CostsSection(energy=unknown, memory=unknown)
