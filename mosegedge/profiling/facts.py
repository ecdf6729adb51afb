"""What a profile says of its own measurement: how it was done, how well it repeats, what drifted, what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.drift import LARGEST_CORRECTED, Drift, drift_of
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.judge import kendall_tau, tau_by_scale
from mosegedge.profiling.measurement import Measurement, Statistic
from mosegedge.profiling.plan import LAYER_BURST, NETWORK_BURST, Item, Plan
from mosegedge.profiling.schedule import STOPPING
from mosegedge.profiling.sections import EffortSection, ProtocolSection, RepeatabilitySection, Timing
from mosegedge.space import Architecture

Floats = NDArray[np.float64]

DIGITS = 6
"""Of numbers in a profile: milliseconds to the nanosecond."""


@dataclass(frozen=True, slots=True)
class Drifts:
    """What drifted while it was measured: single layers and whole networks apart, as memory slows only the latter."""

    layers: Drift
    networks: Drift

    @classmethod
    def of(cls, plan: Plan, measured: Mapping[str, Measurement]) -> Drifts:
        """Finds it in the measurements of a plan, by key."""
        layers, networks = (
            drift_of([measured[item.key] for item in items if item.key in measured])
            for items in (plan.layers, (*plan.fit, *plan.held_out))
        )
        return cls(layers, networks)

    def corrected(self, measured: Mapping[str, Measurement]) -> dict[str, Measurement]:
        """The same measurements without it."""
        return {
            key: (self.networks if key.startswith("network ") else self.layers).corrected(measurement)
            for key, measurement in measured.items()
        }

    @property
    def level_sd(self) -> float:
        """Of whole networks; of layers where too few networks were measured to tell, and 0 where nothing tells."""
        known = self.layers.level_sd if self.networks.level_sd is None else self.networks.level_sd
        return round(known or 0.0, DIGITS)

    @property
    def words(self) -> str:
        """One line for the profile: what was corrected, and what was too large to be."""
        kinds = {"layers": self.layers, "networks": self.networks}
        corrected = [f"{name} by up to {drift.corrected_spread:.1%}" for name, drift in kinds.items() if drift.factors]
        left = [
            f"{name} differ by up to {drift.spread:.1%} between rounds"
            for name, drift in kinds.items()
            if drift.beyond or (not drift.factors and drift.spread > LARGEST_CORRECTED)
        ]
        parts = [f"corrected round by round: {', '.join(corrected)}"] if corrected else []
        parts += [f"too large to be corrected: {', '.join(left)}"] if left else []
        return "; ".join(parts) or "none that is significant"


def protocol_section(plan: Plan, journal: ProfileJournal, statistic: Statistic, drifts: Drifts) -> ProtocolSection:
    """How it was measured."""
    cores = [found["cores"] for found in journal.conditions if found.get("cores")]
    return ProtocolSection(
        scales=sorted(plan.settings.scales),
        statistic=statistic,
        passes=journal.passes,
        bursts=journal.bursts,
        warmup=(
            f"until 2 runs in a row are no faster, at most {LAYER_BURST.max_warmup} (networks "
            f"{NETWORK_BURST.max_warmup}) or {LAYER_BURST.most_ns / 1e6:.0f} ms"
        ),
        samples=(
            f"{LAYER_BURST.min_samples} to {LAYER_BURST.max_samples} a burst (networks {NETWORK_BURST.min_samples} to "
            f"{NETWORK_BURST.max_samples}), fewer where a run takes long; rounds in random order"
        ),
        stopping=f"{STOPPING}; at most {plan.settings.passes} bursts",
        drift=drifts.words,
        clock=plan.device.clock,
        threads=plan.device.threads,
        affinity=cores[-1] if cores and all(found == cores[0] for found in cores) else None,
        precision=plan.device.precision,
        opset=plan.device.opset,
        seed=plan.settings.seed,
        restarts=len(journal.events),
    )


def repeatability_section(
    plan: Plan, measured: Mapping[str, Measurement], statistic: Statistic, drifts: Drifts
) -> RepeatabilitySection:
    """How well two halves of the measurement agree, rounds taken in turn."""
    items = [item for item in (*plan.fit, *plan.held_out) if item.key in measured]
    networks = [measured[item.key] for item in items]
    layers = [measured[item.key] for item in plan.layers if item.key in measured]
    first, second = np.array([network.halves_ms(statistic) for network in networks]).T
    return RepeatabilitySection(
        networks_kendall_tau=kendall_tau(first, second),
        by_scale_networks_kendall_tau=tau_by_scale(np.array([_scale(item) for item in items]), first, second),
        networks_mape=float(np.mean([network.disagreement(statistic) for network in networks])),
        layers_mape=float(np.mean([layer.disagreement(statistic) for layer in layers])) if layers else None,
        drift=drifts.layers.spread,
        networks_drift=drifts.networks.spread,
    )


def timing_of(measurement: Measurement, statistic: Statistic) -> Timing:
    """The numbers of one model, with how far they can be trusted."""
    samples_ms = measurement.samples_ms
    grade, reason = measurement.grade(statistic)
    return Timing(
        value_ms=round(measurement.value_ms(statistic), DIGITS),
        median_ms=round(float(np.median(samples_ms)), DIGITS),
        p95_ms=round(float(np.quantile(samples_ms, 0.95)), DIGITS),
        n=len(samples_ms),
        se_ms=round(measurement.se_ms(statistic), DIGITS),
        grade=grade,
        reason=reason,
    )


def effort_section(journal: ProfileJournal) -> EffortSection | None:
    """What it took; None for a journal that does not tell."""
    windows = journal.windows
    if not windows.wall_s:
        return None
    return EffortSection(
        wall_s=round(windows.wall_s, 1),
        timed_s=round(windows.timed_s, 1),
        build_s=round(windows.build_s, 1),
        models=len(journal.models),
        disk_mib=round(sum(journal.built_bytes.values()) / 1024**2, 1),
    )


def _scale(item: Item) -> int:
    return cast(Architecture, item.source).scale
