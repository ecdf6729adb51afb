"""What a journal of layers and many networks holds, whole or by the first bursts of each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError
from mosegedge.profiling.bayes import Table
from mosegedge.profiling.drift import drift_of
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.measurement import Measurement, Statistic, choose_statistic
from mosegedge.profiling.plan import Plan
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]


class Timings(NamedTuple):
    """The first bursts of everything: layers, networks with their standard errors, and minutes that they took."""

    table: Table
    networks_ms: Floats
    networks_se_ms: Floats
    layers_minutes: float
    network_minutes: Floats


@dataclass(frozen=True, eq=False)
class Record:
    """What a journal holds.

    Attributes:
        space: The search space.
        codes: Its networks.
        drawn: Which of them were drawn at random, so that they may judge.
        full: All bursts.
        halves: Networks by every second burst, and by the others.
        by_passes: The first bursts, by their number.
    """

    space: SearchSpace
    codes: Codes
    drawn: NDArray[np.bool_]
    full: Timings
    halves: tuple[Floats, Floats]
    by_passes: Mapping[int, Timings]


def read(plan: Plan, journal: ProfileJournal, passes: Sequence[int]) -> Record:
    """Reads a journal.

    Args:
        plan: What was measured.
        journal: The record.
        passes: Numbers of first bursts to look at.

    Raises:
        UsageError: The journal is of another plan, or is not complete.
    """
    if not journal.begin_record or journal.begin_record.get("plan") != plan.digest:
        raise UsageError(
            f"{journal.path} is no record of these networks.", fix="Give the arguments that `collect` was given."
        )
    items = [item for item in (*plan.fit, *plan.held_out) if item.key not in journal.failed]
    clock = plan.device.clock
    layers = {item.key: journal.measurement(item.key, clock=clock) for item in plan.layers}
    networks = {item.key: journal.measurement(item.key, clock=clock) for item in items}
    if None in layers.values() or None in networks.values():
        raise UsageError(f"{journal.path} is not complete.", fix="Go on with `collect`.")
    windows = journal.windows
    pace = (windows.wall_s - windows.build_s) / windows.timed_s / 60
    minutes = {key: pace * windows.burst_s(key) for key in (*layers, *networks)}
    known = (cast(dict[str, Measurement], layers), cast(dict[str, Measurement], networks))
    statistic = choose_statistic(list(known[1].values()))
    full_networks = _undrifted(known[1])
    halves = np.array([measurement.halves_ms(statistic) for measurement in full_networks.values()])
    return Record(
        space=plan.space,
        codes=plan.space.encode([cast(Architecture, item.source) for item in items]),
        drawn=np.array([item in plan.held_out for item in items]),
        full=_timings(plan.space, *known, minutes, statistic),
        halves=(halves[:, 0], halves[:, 1]),
        by_passes={
            count: _timings(plan.space, _first(known[0], count), _first(known[1], count), minutes, statistic)
            for count in passes
        },
    )


def _first(measured: Mapping[str, Measurement], passes: int) -> dict[str, Measurement]:
    return {
        key: replace(found, bursts_ns=found.bursts_ns[:passes], rounds=found.rounds[:passes])
        for key, found in measured.items()
    }


def _undrifted(measured: Mapping[str, Measurement]) -> dict[str, Measurement]:
    drift = drift_of(list(measured.values()))
    return {key: drift.corrected(found) for key, found in measured.items()}


def _timings(
    space: SearchSpace,
    layers: Mapping[str, Measurement],
    networks: Mapping[str, Measurement],
    minutes: Mapping[str, float],
    statistic: Statistic,
) -> Timings:
    spent = {key: minutes[key] * len(found.bursts_ns) for key, found in (*layers.items(), *networks.items())}
    values = {key: (found.value_ms(statistic), found.se_ms(statistic)) for key, found in _undrifted(layers).items()}
    rows = np.array([values.get(spec.key, (np.nan, 0.0)) for spec in space.entries])
    whole = np.array([(found.value_ms(statistic), found.se_ms(statistic)) for found in _undrifted(networks).values()])
    return Timings(
        Table(rows[:, 0], rows[:, 1]),
        whole[:, 0],
        whole[:, 1],
        sum(spent[key] for key in layers),
        np.array([spent[key] for key in networks]),
    )
