"""Two profiles side by side: what differs, how surely, and why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_profile_file import PROFILE, SPACE, make_profile

from mosegedge.errors import ProfileError
from mosegedge.profiling.cause import likely_cause, provenance_apart
from mosegedge.profiling.compare import compare_layers, compare_networks, false_alarm_shares, kind_of

NOISE = 0.01


def measured(seed: int, factor=lambda key: 1.0, **changes):
    """A profile whose entries hang on their key, with 1 % noise that it states."""
    dice = np.random.default_rng(seed)
    rows = []
    for number, entry in enumerate(PROFILE.entries):
        value_ms = (0.1 + 0.02 * number) * factor(entry.key)
        noisy_ms = value_ms * (1 + NOISE * dice.normal())
        rows.append({**entry.model_dump(), "value_ms": noisy_ms, "se_ms": NOISE * value_ms})
    repeatability = {"networks_kendall_tau": 0.9, "networks_mape": NOISE, "layers_mape": 1.6 * NOISE, "drift": 0.0}
    return make_profile(entries=rows, repeatability=repeatability, **changes)


def device(**changes):
    return {**PROFILE.device.model_dump(), **changes}


def test_two_measurements_of_one_thing_hardly_differ():
    found = [compare_layers(measured(seed), measured(seed + 100)) for seed in range(20)]
    assert sum(changes.different for changes in found) <= 4  # of 20 * 159
    assert np.median([changes.median_ratio for changes in found]) == pytest.approx(1, abs=0.002)
    assert any(likely_cause(changes, []) == "No layer differs by more than chance." for changes in found)


def test_the_cause_speaks_of_networks_where_only_they_are_compared():
    changes = compare_networks(measured(1), measured(1))
    assert likely_cause(changes, []) == "No network differs by more than chance."


def test_a_slower_board_differs_everywhere_by_one_factor():
    before, after = measured(1), measured(2, lambda key: 1.1)
    changes = compare_layers(before, after)
    assert changes.median_ratio == pytest.approx(1.1, abs=0.005)
    assert changes.different >= 0.98 * len(changes.rows)
    assert changes.standing_out <= 3
    clocks = [{"clock_mhz": [3000]}], [{"clock_mhz": [2700]}]
    slow = measured(2, lambda key: 1.1, device=device(conditions=clocks[1], vendor={"runtime": {"onnxruntime": "2"}}))
    apart = provenance_apart(measured(1, device=device(conditions=clocks[0])), slow)
    assert {one.group for one in apart} == {"clocks", "driver and runtime"}
    assert "clock_mhz: 3000 then, 2700 now" in likely_cause(changes, apart)
    assert "nearly all by one factor, 1.1" in likely_cause(changes, apart)
    assert "Nothing in the provenance" in likely_cause(changes, [])


def test_one_kind_of_layer_that_changed_stands_out_and_points_at_the_runtime():
    slow = "bottleneck id s1"
    after = measured(
        2, lambda key: 1.3 if kind_of(key) == slow else 1.0, device=device(vendor={"runtime": {"onnxruntime": "2"}})
    )
    changes = compare_layers(measured(1), after)
    kinds = changes.by_kind()
    assert kinds[slow].standing_out == len(kinds[slow].rows)
    assert sum(part.standing_out for kind, part in kinds.items() if kind != slow) <= 2
    assert all(row.kind == slow for row in changes.rows[: len(kinds[slow].rows)])
    cause = likely_cause(changes, provenance_apart(measured(1), after))
    assert slow in cause
    assert "driver and runtime: vendor.runtime.onnxruntime: 1 then, 2 now" in cause


def test_every_part_of_the_provenance_is_compared():
    protocol = {**PROFILE.protocol.model_dump(), "threads": 2, "statistic": "quantile10", "affinity": [0, 1]}
    changed = make_profile(
        mosegedge="9",
        protocol=protocol,
        device=device(
            hardware={"cpu": "z", "cores": 2}, system={"os": "n"}, settings={"a": "b"},
            conditions=[{"load_1m": 9, "governor": "powersave", "temperature_c": "hot", "clock_mhz": None}],
        ),
    )  # fmt: skip
    found = {(one.group, one.fact.place) for one in provenance_apart(PROFILE, changed)}
    assert found == {
        ("hardware", "hardware.cpu"), ("system", "system.os"), ("settings", "settings.a"), ("mosegedge", "mosegedge"),
        ("threads", "protocol.threads"), ("threads", "protocol.affinity"), ("protocol", "protocol.statistic"),
        ("clocks", "load_1m"), ("clocks", "governor"),
    }  # fmt: skip
    assert provenance_apart(PROFILE, PROFILE) == []


def test_entries_of_one_side_are_named_and_networks_are_compared_too():
    fewer = make_profile(entries=[entry.model_dump() for entry in PROFILE.entries[2:]])
    changes = compare_layers(fewer, PROFILE)
    assert changes.only_after == tuple(sorted(entry.key for entry in PROFILE.entries[:2]))
    assert changes.only_before == ()
    networks = compare_networks(fewer, PROFILE)
    assert [(row.kind, row.relative, row.differs) for row in networks.rows] == [("network", 0.0, False)]
    assert compare_layers(make_profile(entries=[]), PROFILE).median_ratio is None


def test_another_space_is_an_error():
    other = make_profile(space={"name": "tiny", "slug": "tiny", "digest": "1" * 64})
    with pytest.raises(ProfileError, match="different layers"):
        compare_layers(PROFILE, other)


def test_kinds_of_layers_leave_sizes_out():
    assert {kind_of(spec.key) for spec in SPACE.entries} == {
        "stem plain", "stem res", "bottleneck id s1", "bottleneck proj s1", "bottleneck proj s2", "decoder bilinear"
    }  # fmt: skip


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_rule_of_benjamini_and_hochberg_by_its_definition(p):
    found = false_alarm_shares(np.array(p))
    ordered = sorted(p)
    for level in (0.01, 0.05, 0.2):
        passing = [rank for rank, value in enumerate(ordered, start=1) if value <= level * rank / len(p)]
        findings = max(passing, default=0)
        assert np.sum(found <= level * (1 + 1e-12)) >= findings
        assert np.sum(found <= level * (1 - 1e-12)) <= findings
