"""Models are made once: what a device has is not made again, and making goes on while others are timed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from comparing import JOURNAL, SETTINGS, SPACE, assert_equal

from mosegedge.devices import load_device
from mosegedge.errors import DeviceError
from mosegedge.profiling import building, profile_device
from mosegedge.profiling.built import MadeModels
from mosegedge.profiling.roofline import ProbeSpec


def count_made(monkeypatch):
    made = []
    make = building.model_file

    def counted(item, plan, description):
        if not isinstance(item.source, ProbeSpec):  # Those of the roofline are a handful, and made each time.
            made.append(item.key)
        return make(item, plan, description)

    monkeypatch.setattr(building, "model_file", counted)
    return made


def records(path: Path = JOURNAL):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_second_profile_with_other_threads_makes_nothing(board, monkeypatch):
    made = count_made(monkeypatch)
    first = profile_device(board, SPACE, settings=SETTINGS)
    everything = len(made)
    assert everything == len(set(made)) >= 183
    second = profile_device(replace(board, threads=2), SPACE, settings=SETTINGS)
    assert len(made) == everything
    assert second.protocol.threads == 2
    assert_equal(second, first)


def test_what_the_device_lost_is_made_again_and_another_precision_or_source_is_another_model(board, monkeypatch):
    made = count_made(monkeypatch)
    profile_device(board, SPACE, settings=SETTINGS)
    everything = len(made)
    lost = sorted(Path("cache/mosegedge/models").iterdir())[:5]
    for path in lost:
        path.unlink()
    del made[:]
    profile_device(board, SPACE, settings=SETTINGS)
    assert len(made) == 5
    monkeypatch.setattr("mosegedge.profiling.built._tools", lambda: {"sources": "changed"})
    del made[:]
    profile_device(board, SPACE, settings=SETTINGS)
    assert len(made) == everything


def test_a_damaged_list_of_what_was_made_costs_time_and_no_more(board, monkeypatch):
    made = count_made(monkeypatch)
    profile_device(board, SPACE, settings=SETTINGS)
    everything = len(made)
    (listed,) = Path("cache/mosegedge/made").iterdir()
    listed.write_text('{"a": 1')
    profile_device(board, SPACE, settings=SETTINGS)
    assert len(made) == 2 * everything
    assert len(json.loads(listed.read_text())) == everything


def test_a_device_elsewhere_is_timed_while_models_are_made_for_it(board, monkeypatch):
    expected = profile_device(board, SPACE, settings=SETTINGS)
    monkeypatch.setattr(MadeModels, "get", lambda made, item: None)
    for path in Path("cache/mosegedge/models").iterdir():
        path.unlink()
    monkeypatch.setattr(building, "is_here", lambda device: False)
    make = building.model_file
    first_bursts = []

    def slow(item, plan, description):
        # The last models wait for bursts of others, which come only if both go on side by side.
        journal = JOURNAL.with_name("v2.journal.jsonl")
        if len(first_bursts) >= 150:
            while b'"type":"burst"' not in journal.read_bytes():
                pass
        first_bursts.append(item.key)
        return make(item, plan, description)

    monkeypatch.setattr(building, "model_file", slow)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert_equal(profile, expected)
    kinds = [record["type"] for record in records(JOURNAL.with_name("v2.journal.jsonl"))]
    last_model = len(kinds) - 1 - kinds[::-1].index("model")
    assert kinds.index("burst") < last_model


def test_an_error_while_models_are_made_aside_is_raised(board, monkeypatch):
    monkeypatch.setattr(building, "is_here", lambda device: False)

    def broken(item, plan, description):
        raise DeviceError("The compiler on the host failed.", fix="Look at it.")

    monkeypatch.setattr(building, "model_file", broken)
    with pytest.raises(DeviceError, match="compiler on the host"):
        profile_device(board, SPACE, settings=SETTINGS)


def test_this_machine_is_known_by_its_addresses():
    local = load_device("local")
    assert building.is_here(local)
    far = replace(local, connection="ssh", address="10.0.0.7")
    assert not building.is_here(far)
    assert building.is_here(replace(far, address="127.0.0.1"))


def test_the_profile_says_what_the_measurement_took(board):
    profile = profile_device(board, SPACE, settings=SETTINGS)
    effort = profile.effort
    assert effort.models >= 183
    assert 0 <= effort.build_s <= effort.wall_s
    timed_ns = sum(
        sum(record["warmup_ns"]) + sum(record["samples_ns"]) for record in records() if "warmup_ns" in record
    )
    assert effort.timed_s == pytest.approx(timed_ns / 1e9, abs=0.06)
    assert profile.protocol.affinity is None  # simulated time has no core
    assert "95 % interval" in profile.protocol.stopping
