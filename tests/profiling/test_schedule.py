"""Models are left out once they are known, and a budget goes where it tells most."""

from __future__ import annotations

import numpy as np
import pytest

from mosegedge.devices import load_device
from mosegedge.devices.replies import Burst, DeviceDescription
from mosegedge.profiling import ProfileSettings, make_plan
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.plan import BURSTS_A_LOAD, MIN_PASSES
from mosegedge.profiling.schedule import LEAST_BEFORE_STOP, LEAST_OF_NETWORKS, Known, Schedule, informativeness
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano")
DESCRIPTION = DeviceDescription(backend="fake", hardware={}, system={}, conditions={}, vendor={})


def plan_of(**settings):
    return make_plan(SPACE, load_device("local"), ProfileSettings(scales=(0,), networks=8, **settings))


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setattr("mosegedge.files.os.fsync", lambda descriptor: None)
    return ProfileJournal(tmp_path / "v1.journal.jsonl")


def burst(ns: int) -> Burst:
    return Burst(index=0, model="0" * 64, warmup_ns=(ns,), samples_ns=(ns,) * 3, preempted=(0,) * 3)


def measure(schedule, plan, journal, rng, *, spread, rounds):
    """Times what the schedule asks for; the relative spread of a model's bursts is given by its key."""
    if journal.begin_record is None:
        journal.begin(plan, DESCRIPTION, command="")
    chosen = []
    for _ in range(rounds):
        items = schedule.round()
        chosen.append({item.key for item in items})
        if not items:
            break
        journal.add_conditions({})
        for item in items:
            ns = (20_000 + item.flops / 20) * (1 + spread(item.key) * abs(rng.normal()))
            journal.add_burst(item.key, journal.next_visit(item.key), burst(int(ns)))
    return chosen


def test_a_steady_model_is_visited_a_few_times_and_a_noisy_one_in_every_pass(journal, rng):
    plan = plan_of(passes=9)
    noisy = {plan.layers[5].key, plan.fit[0].key}
    schedule = Schedule(plan, journal)
    chosen = measure(schedule, plan, journal, rng, spread=lambda key: 0.2 if key in noisy else 0.0, rounds=20)
    networks = {item.key for item in (*plan.fit, *plan.held_out)}
    assert all(len(keys) == len(plan.items) for keys in chosen[:LEAST_BEFORE_STOP])
    # Where a runtime places buffers is luck of each load, so networks are loaded several times.
    assert all(keys == noisy | networks for keys in chosen[LEAST_BEFORE_STOP:LEAST_OF_NETWORKS])
    assert chosen[LEAST_OF_NETWORKS] == noisy
    assert chosen[-1] == set()
    least = {item.key: LEAST_OF_NETWORKS if item.key in networks else LEAST_BEFORE_STOP for item in plan.items}
    assert {key: journal.visits(key) for key in least} == {key: 9 if key in noisy else least[key] for key in least}
    assert LEAST_OF_NETWORKS // BURSTS_A_LOAD >= 4
    assert schedule.left() == 0


def test_models_whose_bursts_were_discarded_come_first_and_alone(journal, rng):
    plan = plan_of(passes=3)
    schedule = Schedule(plan, journal)
    measure(schedule, plan, journal, rng, spread=lambda key: 0.1, rounds=2)
    key = plan.layers[7].key
    journal.discard([(key, 0)], reason="the sentinels were 20% slower than usual")
    assert journal.next_visit(key) == 0
    assert [item.key for item in schedule.round()] == [key]
    assert schedule.left() == len(plan.items) + 1


def test_the_same_journal_gives_the_same_rounds(journal, rng):
    plan = plan_of(passes=9)
    measure(Schedule(plan, journal), plan, journal, rng, spread=lambda key: 0.01 * (len(key) % 2), rounds=5)
    again = Schedule(plan, ProfileJournal(journal.path))
    assert again.round() == Schedule(plan, journal).round()


def test_under_a_budget_the_rounds_after_the_second_go_to_what_tells_most(journal, rng):
    plan = plan_of(passes=50, budget_s=1000.0)
    schedule = Schedule(plan, journal)
    used = used_most(plan)
    chosen = measure(schedule, plan, journal, rng, spread=lambda key: 0.1, rounds=MIN_PASSES + 3)
    assert all(len(keys) == len(plan.items) for keys in chosen[:MIN_PASSES])
    following = [item.key for item in schedule.round()]
    gains = schedule.gains()
    ranked = sorted(gains, key=lambda key: -gains[key].per_second)
    assert len(following) == 48
    assert set(following) == set(ranked[:48])
    visited = {item.key: journal.visits(item.key) for item in plan.layers}
    assert np.mean([visited[key] for key in used[:30]]) > np.mean([visited[key] for key in used[-60:]]) + 1


def used_most(plan):
    """Layers by how often random networks have them."""
    codes = SPACE.sample(500, np.random.default_rng(1))
    codes[:, 0] = 0
    entries = SPACE.entries_of(codes)
    counts: dict[str, int] = {item.key: 0 for item in plan.layers}
    for row in entries[entries >= 0]:
        counts[SPACE.entries[row].key] += 1
    return sorted(counts, key=lambda key: -counts[key])


def test_gains_are_the_variance_of_predicted_networks(rng):
    """Against a simulation: networks whose layers have the errors that the entries have."""
    plan = plan_of()
    values = {item.key: 0.02 + item.flops / 2e7 for item in plan.layers}
    known = {key: Known(value_ms=value, se_ms=0.02 * value, bursts=3, burst_s=1.0) for key, value in values.items()}
    gains = informativeness(plan, known)
    codes = SPACE.sample(300, rng)
    codes[:, 0] = 0
    keys = [[layer.spec.key for layer in SPACE.layers_of(network)] for network in SPACE.decode(codes)]
    simulated = []
    for _ in range(60):
        errors = {key: rng.normal(0, 0.02 * value) for key, value in values.items()}
        simulated += [
            (sum(errors[key] for key in network) / sum(values[key] for key in network)) ** 2 for network in keys
        ]
    assert sum(gain.variance for gain in gains.values()) == pytest.approx(np.mean(simulated), rel=0.15)
    assert all(gain.per_second == pytest.approx(gain.variance / 4) for gain in gains.values())


def test_the_standard_error_is_that_of_many_measurements(rng):
    def measurement():
        bursts = [1e6 * (1 + 0.02 * abs(rng.normal())) * (1 + 0.005 * np.abs(rng.normal(size=5))) for _ in range(16)]
        return Measurement("a", tuple(tuple(int(ns) for ns in burst) for burst in bursts), 0)

    for statistic in ("quantile10", "median"):
        many = [measurement() for _ in range(150)]
        spread = np.std([found.value_ms(statistic) for found in many])
        assert np.mean([found.se_ms(statistic) for found in many]) == pytest.approx(spread, rel=0.35)
    assert Measurement("a", ((5, 6),), 0).se_ms("median") == 0
