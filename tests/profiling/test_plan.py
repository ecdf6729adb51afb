"""What is measured: the counts of the space, and networks that fit and judge."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mosegedge.devices import Device, load_device
from mosegedge.errors import UsageError
from mosegedge.profiling import ProfileSettings, make_plan
from mosegedge.space import SearchSpace

LOCAL = load_device("local")


@pytest.mark.parametrize("name", ["tiny", "nano", "mosegnas"])
def test_the_whole_table_has_1245_rows_of_795_distinct_layers(name):
    plan = make_plan(SearchSpace.load(name), LOCAL, ProfileSettings())
    assert plan.positions == 1245
    assert len({item.key for item in plan.layers}) == len(plan.layers) == 795
    assert len(plan.fit) == len(plan.held_out) == 40


def test_every_layer_of_every_network_is_in_the_plan():
    space = SearchSpace.load("tiny")
    plan = make_plan(space, LOCAL, ProfileSettings(scales=(1, 3), networks=20))
    keys = {item.key for item in plan.layers}
    for item in (*plan.fit, *plan.held_out):
        assert item.source.scale in (1, 3)
        assert {layer.spec.key for layer in space.layers_of(item.source)} <= keys
    codes = space.sample(200, np.random.default_rng(0))
    codes[:, 0] = 3
    assert {layer.spec.key for code in space.decode(codes) for layer in space.layers_of(code)} <= keys


def test_networks_are_spread_and_never_in_both_roles():
    space = SearchSpace.load("tiny")
    plan = make_plan(space, LOCAL, ProfileSettings())
    fit, held_out = ([item.source for item in items] for items in (plan.fit, plan.held_out))
    assert len(set(fit) | set(held_out)) == 80
    for scale in range(5):
        at_scale = [network for network in fit if network.scale == scale]
        ends = {network.digits[1:] for network in at_scale}
        assert {space.smallest.digits[1:], space.largest.digits[1:]} <= ends
        assert sum(network.scale == scale for network in held_out) == 8
    middle = sorted(item.flops for item in plan.fit if item.source.scale == 2)[1:-1]
    drawn = [item.flops for item in plan.held_out if item.source.scale == 2]
    assert max(middle) - min(middle) > max(drawn) - min(drawn)


def test_the_seed_decides_the_networks_and_nothing_else():
    space = SearchSpace.load("tiny")
    first, again, other = (make_plan(space, LOCAL, ProfileSettings(seed=seed)) for seed in (0, 0, 1))
    assert first.digest == again.digest != other.digest
    assert first.held_out == again.held_out
    assert first.held_out != other.held_out
    assert first.layers == other.layers


def test_passes_and_budget_do_not_make_another_plan_but_threads_do():
    from dataclasses import replace

    space = SearchSpace.load("nano")
    plan = make_plan(space, LOCAL, ProfileSettings())
    assert make_plan(space, LOCAL, ProfileSettings(passes=3, budget_s=5.0)).digest == plan.digest
    assert make_plan(space, replace(LOCAL, threads=2), ProfileSettings()).digest != plan.digest


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (5,)}, "0 to 4"),
        ({"scales": (1, 1)}, "1, 1"),
        ({"networks": 19}, "--networks 20"),
        ({"scales": (0,), "networks": 7}, "--networks 8"),
        ({"passes": 1}, "--passes 2"),
        ({"budget_s": 0.0}, "budget"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_starts(arguments, word):
    with pytest.raises(UsageError) as error:
        ProfileSettings(**arguments)
    assert word in str(error.value)


def test_more_time_for_the_compiler_is_no_other_plan():
    device = Device(name="b", backend="tensorrt", connection="local")
    patient = dataclasses.replace(device, settings={"build_timeout_s": "3600"})
    other = dataclasses.replace(device, settings={"optimization_level": "5"})
    space, settings = SearchSpace.load("nano"), ProfileSettings(scales=(0,), networks=24)
    digests = [make_plan(space, found, settings).digest for found in (device, patient, other)]
    assert digests[0] == digests[1] != digests[2]
