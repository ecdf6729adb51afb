"""From a complete journal to a profile: values, latency model, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mosegedge import __version__
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import ProfileError
from mosegedge.files import sha256_of_file
from mosegedge.profiling.facts import (
    DIGITS,
    Drifts,
    effort_section,
    protocol_section,
    repeatability_section,
    timing_of,
)
from mosegedge.profiling.history import speed_sd_by
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.judge import Judged, certify
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.measurement import Measurement, Statistic, choose_statistic
from mosegedge.profiling.model import Evidence, fit_model, latency_model_of
from mosegedge.profiling.plan import Item, Plan
from mosegedge.profiling.probing import measured_roofline
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.roofline import Roofline
from mosegedge.profiling.sections import (
    CertificateSection,
    DeviceSection,
    FailedEntry,
    LayerEntry,
    NetworkEntry,
    NoteEntry,
    Role,
    RooflineSection,
    SpaceReference,
)
from mosegedge.space import Architecture

Floats = NDArray[np.float64]


def conclude(
    plan: Plan,
    journal: ProfileJournal,
    description: DeviceDescription,
    *,
    version: int,
    parent: int | None,
    command: str,
    earlier: Sequence[Profile] = (),
) -> Profile:
    """The profile that follows from a complete journal.

    Args:
        plan: What was measured.
        journal: The record of it.
        description: Of the device.
        version: Number of the profile in its series.
        parent: The version before it.
        command: That was given.
        earlier: Measurements of the same device, which tell how much its speed changes.
    """
    raw = measurements_of(plan, journal)
    drifts = Drifts.of(plan, raw)
    measured = drifts.corrected(raw)
    statistic = choose_statistic([measured[item.key] for item in (*plan.fit, *plan.held_out) if item.key in measured])
    values_ms = {key: round(measurement.value_ms(statistic), DIGITS) for key, measurement in measured.items()}
    evidence = _evidence(plan, journal, measured, statistic)
    scales = sorted(plan.settings.scales)
    speed_sd = max(drifts.level_sd, round(speed_sd_by(evidence.networks, statistic, earlier), DIGITS))
    section = fit_model(evidence, plan.settings.method, scales, speed_sd=speed_sd)
    model = latency_model_of(evidence, section, name="under test", device=plan.device.name)
    roofline = measured_roofline(journal.probes, plan.device, statistic)
    return Profile(
        version=version,
        parent=parent,
        origin=description.vendor.get("origin", "measured"),
        created=datetime.now(UTC).replace(microsecond=0),
        mosegedge=__version__,
        command=command,
        space=SpaceReference(name=plan.space.name, slug=plan.space.slug, digest=plan.space.digest),
        device=DeviceSection(
            name=plan.device.name,
            backend=description.backend,
            hardware=description.hardware,
            system=description.system,
            vendor=description.vendor,
            settings=dict(plan.device.settings),
            conditions=journal.conditions,
        ),
        protocol=protocol_section(plan, journal, statistic, drifts),
        entries=list(evidence.entries),
        networks=list(evidence.networks),
        notes=_notes(journal, roofline),
        failed=[FailedEntry(key=key, error=error) for key, error in evidence.failed.items()],
        model=section,
        certificate=_certificate(plan, measured, values_ms, model, statistic),
        repeatability=repeatability_section(plan, measured, statistic, drifts),
        roofline=RooflineSection(**asdict(roofline)) if isinstance(roofline, Roofline) else None,
        effort=effort_section(journal),
        journal_sha256=sha256_of_file(journal.path),
    )


def _notes(journal: ProfileJournal, roofline: Roofline | str) -> list[NoteEntry]:
    """What compilers said, and why there is no roofline where there is none."""
    said = dict(journal.notes)
    if isinstance(roofline, str):
        said[f"The roofline was not measured: {roofline}"] = 1
    return [NoteEntry(text=text, models=count) for text, count in sorted(said.items())]


def measurements_of(plan: Plan, journal: ProfileJournal) -> dict[str, Measurement]:
    """All measurements of a complete journal by key.

    Raises:
        ProfileError: One is neither on record nor known to fail, so the journal is not complete.
    """
    found = {item.key: journal.measurement(item.key, clock=plan.device.clock) for item in plan.items}
    open_keys = [key for key, measurement in found.items() if measurement is None and key not in journal.failed]
    if open_keys:
        raise ProfileError(
            f"{journal.path} lacks {len(open_keys)} of {len(found)} measurements, the first is {open_keys[0]}.",
            fix="Start the same command again.",
        )
    return {key: measurement for key, measurement in found.items() if measurement is not None}


def _evidence(plan: Plan, journal: ProfileJournal, measured: dict[str, Measurement], statistic: Statistic) -> Evidence:
    return Evidence(
        space=plan.space,
        entries=[
            LayerEntry(key=item.key, **timing_of(measured[item.key], statistic).model_dump())
            for item in plan.layers
            if item.key in measured
        ],
        networks=[
            *_network_entries(plan.fit, "fit", measured, statistic),
            *_network_entries(plan.held_out, "held-out", measured, statistic),
        ],
        failed=dict(sorted(journal.failed.items())),
    )


def _network_entries(
    items: tuple[Item, ...], role: Role, measured: dict[str, Measurement], statistic: Statistic
) -> list[NetworkEntry]:
    entries = [
        NetworkEntry(code=str(item.source), role=role, **timing_of(measured[item.key], statistic).model_dump())
        for item in items
        if item.key in measured
    ]
    return sorted(entries, key=lambda entry: entry.code)


def _known_networks(plan: Plan, items: tuple[Item, ...], values_ms: dict[str, float]) -> list[Item]:
    """Networks that were measured, as were all of their layers where the model needs them."""
    return [
        item
        for item in items
        if item.key in values_ms
        and (not plan.layers or all(layer.spec.key in values_ms for layer in plan.space.layers_of(_architecture(item))))
    ]


def _architecture(item: Item) -> Architecture:
    return cast(Architecture, item.source)


def _certificate(
    plan: Plan,
    measured: dict[str, Measurement],
    values_ms: dict[str, float],
    model: LatencyModel,
    statistic: Statistic,
) -> CertificateSection | None:
    """Judges the model on the held-out networks, none of which went into it."""
    items = _known_networks(plan, plan.held_out, values_ms)
    judged = Judged(
        codes=plan.space.encode([_architecture(item) for item in items]),
        measured_ms=np.array([values_ms[item.key] for item in items]),
        halves_ms=np.array([measured[item.key].halves_ms(statistic) for item in items]),
    )
    entries_ms = {item.key: values_ms[item.key] for item in plan.layers if item.key in values_ms}
    return certify(model, judged, entries_ms, source="held-out", measured=datetime.now(UTC).date())
