"""Whether the rest of a profile still holds, from what was measured of it again.

Everything may have become slower or faster by one factor, the median of the ratios new over old. The rest holds where
nothing else happened: the median of every kind of layer lies within 3 % and twice its standard error of the factor (6 %
at most: where the error is larger, the measurement cannot tell), no more than one layer in ten lies beyond 5 % and
three times its own error, and networks are predicted, times the factor, with at most twice the error of the profile's
certificate or 3 %. A layer that does not run any more is a change that no factor describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.compare import kind_of, standard_errors
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import LayerEntry, NetworkEntry, RepeatabilitySection
from mosegedge.space import Architecture, SearchSpace

Floats = NDArray[np.float64]

KIND_APART, KIND_APART_AT_MOST, LAYER_APART, NETWORKS_APART = 0.03, 0.06, 0.05, 0.03
_OUTLIERS = 0.1
_SD_OF_MEDIAN_DEVIATION = 1.4826
_SE_OF_MEDIAN = 1.2533


@dataclass(frozen=True, slots=True, kw_only=True)
class KindChange:
    """What became of one kind of layer.

    Attributes:
        kind: Its name: `bottleneck id s1`.
        layers: How many were measured again.
        beyond: Median ratio new over old, relative to the common factor.
        allowed: How far that may be from zero.
    """

    kind: str
    layers: int
    beyond: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether it changed by no more than all have in common."""
        return abs(self.beyond) <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a few measurements say of a whole profile.

    Attributes:
        factor: New over old; exactly 1 where it is within its error of 1.
        factor_se: Standard error of the median ratio.
        spread: Standard deviation of the ratios around the factor, relative and robust.
        kinds: Every kind of layer, those that changed most first.
        outliers: Layers that changed on their own.
        layers: Number of layers that were compared.
        networks: Number of networks that were compared.
        networks_mape: Error of their predictions times the factor.
        networks_allowed: How large it may be.
        failed: What does not run any more, with the reason.
    """

    factor: float
    factor_se: float
    spread: float
    kinds: tuple[KindChange, ...]
    outliers: tuple[str, ...]
    layers: int
    networks: int
    networks_mape: float
    networks_allowed: float
    failed: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """What does not hold, in words; empty where everything does."""
        found = [f"{key} does not run any more" for key in self.failed]
        found += [
            f"{kind.kind} {kind.beyond:+.1%} beyond the factor (allowed {kind.allowed:.1%})"
            for kind in self.kinds
            if not kind.holds
        ]
        if len(self.outliers) > _OUTLIERS * self.layers:
            found.append(f"{len(self.outliers)} of {self.layers} layers changed on their own: {self.outliers[0]}")
        if not self.networks_mape <= self.networks_allowed:
            found.append(
                f"networks are {self.networks_mape:.1%} off their prediction (allowed {self.networks_allowed:.1%})"
            )
        return found


def judge_rebase(
    profile: Profile,
    space: SearchSpace,
    *,
    layers: Sequence[LayerEntry],
    networks: Sequence[NetworkEntry],
    repeatability: RepeatabilitySection,
    failed: Sequence[str] = (),
) -> Verdict:
    """Compares new measurements with those of a profile.

    Args:
        profile: The profile.
        space: Its space.
        layers: Some of its layers, measured again.
        networks: Some of its networks, measured again; at least one.
        repeatability: Of the new measurement.
        failed: What of it did not run.
    """
    timed: Sequence[LayerEntry] | Sequence[NetworkEntry] = layers or networks
    old: dict[str, LayerEntry | NetworkEntry] = (
        {entry.key: entry for entry in profile.entries} if layers else {entry.code: entry for entry in profile.networks}
    )
    names = [entry.key if isinstance(entry, LayerEntry) else entry.code for entry in timed]
    before = [old[name] for name in names]
    errors = np.hypot(
        _relative_errors(before, _disagreement(profile.repeatability, bool(layers))),
        _relative_errors(timed, _disagreement(repeatability, bool(layers))),
    )
    ratios = np.array([entry.value_ms for entry in timed]) / np.array([entry.value_ms for entry in before])
    factor = float(np.median(ratios))
    spread = _robust_sd(ratios / factor - 1)
    factor_se = factor * _SE_OF_MEDIAN * max(spread, float(np.sqrt(np.mean(errors**2)))) / np.sqrt(len(ratios))
    if abs(factor - 1) <= 2 * factor_se:
        factor, spread = 1.0, _robust_sd(ratios - 1)
    beyond = ratios / factor - 1
    predicted_ms, _ = profile.latency_model(space).predict(
        space.encode([Architecture.parse(entry.code) for entry in networks])
    )
    off = np.abs(factor * predicted_ms / np.array([entry.value_ms for entry in networks]) - 1)
    return Verdict(
        factor=factor,
        factor_se=float(factor_se),
        spread=spread,
        kinds=_kinds(names, beyond, errors) if layers else (),
        outliers=tuple(
            f"{names[place]} {beyond[place]:+.1%}"
            for place in np.argsort(-np.abs(beyond))
            if layers and abs(beyond[place]) > LAYER_APART + 3 * errors[place]
        ),
        layers=len(layers),
        networks=len(networks),
        networks_mape=float(np.mean(off)),
        networks_allowed=max(2 * profile.certificate.mape if profile.certificate else 0.0, NETWORKS_APART),
        failed=tuple(failed),
    )


def _kinds(keys: Sequence[str], beyond: Floats, errors: Floats) -> tuple[KindChange, ...]:
    kinds = np.array([kind_of(key) for key in keys])
    found = []
    for kind in np.unique(kinds):
        chosen = kinds == kind
        se = _SE_OF_MEDIAN * float(np.sqrt(np.mean(errors[chosen] ** 2) / np.sum(chosen)))
        found.append(
            KindChange(
                kind=str(kind),
                layers=int(np.sum(chosen)),
                beyond=float(np.median(beyond[chosen])),
                allowed=min(KIND_APART + 2 * se, KIND_APART_AT_MOST),
            )
        )
    return tuple(sorted(found, key=lambda change: -abs(change.beyond)))


def _disagreement(repeatability: RepeatabilitySection, of_layers: bool) -> float:
    return (repeatability.layers_mape or 0.0) if of_layers else repeatability.networks_mape


def _relative_errors(entries: Sequence[LayerEntry | NetworkEntry], disagreement: float) -> Floats:
    values_ms = np.array([entry.value_ms for entry in entries])
    return np.asarray(standard_errors(entries, disagreement) / values_ms)


def _robust_sd(deviations: Floats) -> float:
    return _SD_OF_MEDIAN_DEVIATION * float(np.median(np.abs(deviations)))
