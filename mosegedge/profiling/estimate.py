"""What a measurement will take, before anything is touched: no connection is made, no file or folder is written.

How often each model is timed follows from the settings and from how far its bursts are apart; what a burst takes, from
its length and the model's run time (see `run_times`). Making models is timed here and now with a few of them, in
memory. What was measured before corrects what lies between the bursts: loading, and talking to the device.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import cast

import numpy as np

from device_agents.cache import default_root
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.profiling.building import is_here
from mosegedge.profiling.built import Made, MadeModels
from mosegedge.profiling.models import onnx_of
from mosegedge.profiling.plan import (
    BATCH_BURSTS,
    BURSTS_A_LOAD,
    BURSTS_A_WINDOW,
    LAYER_BURST,
    MIN_PASSES,
    NETWORK_BURST,
    Item,
    Plan,
)
from mosegedge.profiling.run_times import RunTimes, bursts_of, expected_samples, run_times
from mosegedge.profiling.sections import Timing
from mosegedge.profiling.visits import expected_visits, is_network
from mosegedge.space import Architecture, LayerSpec
from mosegedge.space.counting import params_of

_MIB = 1024**2
_WARMUP_RUNS = 5.3  # it ends when two runs in a row are no faster
_WARMUP_FACTOR, _SAMPLE_FACTOR = 1.45, 1.04  # means of runs over their median
_AROUND_BURST_S, _AROUND_BATCH_S = 0.0013, 0.02
_LOAD_S, _LOAD_S_A_MIB = 0.004, 0.004
_START_S = 3.0  # starting programs, and concluding
_MOST_TIMED, _MOST_AROUND = 2.0, 8.0  # corrections beyond that are no corrections
_BYTES_A_WEIGHT, _BYTES_A_LAYER = 4, 900
_LINE_BYTES, _BYTES_A_RUN, _ENTRY_BYTES = 130, 9, 330
_TIMED_LAYERS, _TIMED_NETWORKS = 4, 2


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a measurement will take.

    Attributes:
        bursts: Bursts of models, sentinels not counted.
        timed_s: Seconds inside bursts, warm-up and sentinels included.
        measure_s: Seconds of measuring: those, loading models, and what lies between bursts.
        build_s: Seconds in which models are made and nothing is timed.
        total_s: All of it, start and end included; a budget is obeyed.
        to_build: Models that have to be made.
        there: Models that need not be made.
        there_words: How that is known.
        journal_mib: Size of the raw record.
        profile_mib: Size of the profile.
        models_mib: What is added to the device's cache of models.
        evidence: Where run times come from.
        rough: Whether nothing was measured on this device before.
    """

    bursts: int
    timed_s: float
    measure_s: float
    build_s: float
    total_s: float
    to_build: int
    there: int
    there_words: str
    journal_mib: float
    profile_mib: float
    models_mib: float
    evidence: str
    rough: bool


def estimate(plan: Plan, *, root: Path) -> Estimate:
    """Estimates what it takes to measure a plan from the beginning.

    Args:
        plan: What will be measured.
        root: Folder of all profiles, for earlier ones of this device.
    """
    times = run_times(plan, root)
    visits = expected_visits(plan, times)
    burst_s = {item.key: expected_burst_s(item.settings, times.run_ms[item.key]) for item in plan.items}
    spent = _Spent.of(plan, times, visits, burst_s)
    there, there_words = _there(plan, times)
    todo = [item for item in plan.items if item.key not in there]
    build_s = _build_s(todo, plan)
    first_round_s = sum(burst_s.values())
    waited_s = build_s if is_here(plan.device) else max(0.0, build_s - first_round_s)
    correction = _Correction.of(plan, times)
    timed_s, around_s = correction.timed * spent.timed_s, correction.around * spent.around_s
    measure_s = timed_s + around_s
    share = 1.0
    if plan.settings.budget_s is not None:
        least_s = MIN_PASSES * (first_round_s + around_s / max(visits.values()))
        share = min(1.0, max(least_s, plan.settings.budget_s - waited_s) / measure_s)
    bursts = max(MIN_PASSES * len(plan.items), round(share * sum(visits.values())))
    return Estimate(
        bursts=bursts,
        timed_s=share * timed_s,
        measure_s=share * measure_s,
        build_s=waited_s,
        total_s=waited_s + share * measure_s + _START_S,
        to_build=len(todo),
        there=len(there),
        there_words=there_words,
        journal_mib=_journal_bytes(plan, times, visits, spent.sentinels) * share / _MIB,
        profile_mib=_ENTRY_BYTES * len(plan.items) / _MIB,
        models_mib=sum(_model_bytes(item, plan) for item in todo) / _MIB,
        evidence=times.words,
        rough=times.rough,
    )


def expected_burst_s(settings: BurstSettings, run_ms: float) -> float:
    """Seconds of one burst, warm-up included."""
    warmup = min(_warmup_runs(settings), ceil(settings.most_ns / 1e6 / run_ms))
    runs = _WARMUP_FACTOR * warmup + _SAMPLE_FACTOR * expected_samples(settings, run_ms)
    return runs * run_ms / 1e3


@dataclass(frozen=True, slots=True)
class _Spent:
    """Seconds of measuring without correction: inside bursts, and around them; batches and visits of sentinels."""

    timed_s: float
    around_s: float
    batches: int
    sentinels: float

    @classmethod
    def of(cls, plan: Plan, times: RunTimes, visits: Mapping[str, int], burst_s: Mapping[str, float]) -> _Spent:
        in_round = Counter(number for count in visits.values() for number in range(count))
        batches = sum(ceil(count / BATCH_BURSTS) for count in in_round.values())
        timed_s, sentinels = sum(visits[key] * burst_s[key] for key in visits), 0.0
        for settings in {item.settings for item in plan.items}:
            counted = sum(visits[item.key] for item in plan.items if item.settings == settings)
            here = batches + counted / BURSTS_A_WINDOW if plan.sentinels else 0.0
            sentinels += here
            for item in plan.sentinels:
                timed_s += here / len(plan.sentinels) * expected_burst_s(settings, times.run_ms[item.key])
        loads_s = sum(_loads(item, visits[item.key]) * _load_s(_model_bytes(item, plan)) for item in plan.items)
        bursts = sum(visits.values()) + sentinels
        return cls(timed_s, loads_s + _around_bursts_s(bursts, batches), batches, sentinels)


def _warmup_runs(settings: BurstSettings) -> float:
    return min(settings.max_warmup, _WARMUP_RUNS)


def _loads(item: Item, visits: int) -> int:
    return ceil(visits / BURSTS_A_LOAD) if is_network(item) else 1


def _load_s(model_bytes: float) -> float:
    return _LOAD_S + _LOAD_S_A_MIB * model_bytes / _MIB


@dataclass(frozen=True, slots=True)
class _Correction:
    """What an earlier profile took over what would have been expected of it: inside bursts, and around them."""

    timed: float = 1.0
    around: float = 1.0

    @classmethod
    def of(cls, plan: Plan, times: RunTimes) -> _Correction:
        profile = times.profile
        if profile is None or profile.effort is None:
            return cls()
        timings: list[tuple[Timing, BurstSettings]] = [(entry, LAYER_BURST) for entry in profile.entries]
        timings += [(entry, NETWORK_BURST) for entry in profile.networks]
        timed_s = sum(
            bursts_of(entry, settings) * expected_burst_s(settings, entry.median_ms) for entry, settings in timings
        )
        timed = float(np.clip(profile.effort.timed_s / timed_s, 1 / _MOST_TIMED, _MOST_TIMED))
        if profile.space.digest != plan.space.digest:
            return cls(timed=timed)
        bursts, layers, networks = profile.protocol.bursts, len(profile.entries), len(profile.networks)
        a_network = ceil(sum(bursts_of(entry, NETWORK_BURST) for entry in profile.networks) / networks)
        loads_s = layers * _mean_load_s(plan.layers, plan)
        loads_s += networks * ceil(a_network / BURSTS_A_LOAD) * _mean_load_s((*plan.fit, *plan.held_out), plan)
        expected_s = loads_s + _around_bursts_s(bursts * (1 + 1 / BURSTS_A_WINDOW), bursts / BATCH_BURSTS)
        taken_s = profile.effort.wall_s - profile.effort.build_s - profile.effort.timed_s
        return cls(timed, float(np.clip(taken_s / expected_s, 1 / _MOST_AROUND, _MOST_AROUND)))


def _around_bursts_s(bursts: float, batches: float) -> float:
    return _AROUND_BURST_S * bursts + _AROUND_BATCH_S * batches


def _mean_load_s(items: Sequence[Item], plan: Plan) -> float:
    return float(np.mean([_load_s(_model_bytes(item, plan)) for item in items])) if items else 0.0


def _there(plan: Plan, times: RunTimes) -> tuple[dict[str, Made], str]:
    """Models that need not be made, by key, and how that is known."""
    typed = bool(times.profile and times.profile.device.vendor.get("typed_onnx"))
    made_before = MadeModels(plan, typed=typed, host_compiler="")
    made = {item.key: model for item in plan.items if (model := made_before.get(item)) is not None}
    if plan.device.connection != "local":
        return made, "were made before; whether the device still has them it says at the start"
    folder = Path(default_root(plan.device.cache)) / "models"
    found = {key: model for key, model in made.items() if (folder / f"{model.sha256}.{model.model_format}").is_file()}
    return found, "are in the device's cache"


def _build_s(todo: Sequence[Item], plan: Plan) -> float:
    """Seconds to make models, from making a few of middle size."""
    layers = [item for item in todo if not is_network(item)]
    networks = [item for item in todo if is_network(item)]
    return _kind_build_s(layers, plan, _TIMED_LAYERS) + _kind_build_s(networks, plan, _TIMED_NETWORKS)


def _kind_build_s(todo: Sequence[Item], plan: Plan, count: int) -> float:
    if not todo:
        return 0.0
    ordered = sorted(todo, key=lambda item: (item.flops, item.key))
    onnx_of(ordered[0], plan)  # the first one pays for loading the libraries
    some = [ordered[int(place)] for place in np.linspace(0, len(ordered) - 1, count + 2)[1:-1]]
    started = time.perf_counter()
    for item in some:
        onnx_of(item, plan)
    return (time.perf_counter() - started) / len(some) * len(todo)


def _model_bytes(item: Item, plan: Plan) -> float:
    if isinstance(item.source, Architecture):
        layers = [layer.spec for layer in plan.space.layers_of(item.source)]
    else:
        layers = [cast(LayerSpec, item.source)]
    return float(_BYTES_A_WEIGHT * sum(map(params_of, layers)) + _BYTES_A_LAYER * len(layers))


def _journal_bytes(plan: Plan, times: RunTimes, visits: Mapping[str, int], sentinels: float) -> float:
    total = 0.0
    for item in plan.items:
        runs = _warmup_runs(item.settings) + expected_samples(item.settings, times.run_ms[item.key])
        line = _LINE_BYTES + len(item.key)
        total += visits[item.key] * (line + _BYTES_A_RUN * runs) + 2 * line + line * _loads(item, visits[item.key])
    sentinel_runs = _warmup_runs(LAYER_BURST) + LAYER_BURST.max_samples
    return total + sentinels * (_LINE_BYTES + 40 + _BYTES_A_RUN * sentinel_runs)
