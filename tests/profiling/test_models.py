"""The files that a device gets are checked against what its compiler takes before anything is compiled."""

from __future__ import annotations

import pytest

from mosegedge.devices import Device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import ExportError
from mosegedge.networks import targets
from mosegedge.networks.targets import Finding
from mosegedge.profiling import ProfileSettings, make_plan
from mosegedge.profiling.models import model_file
from mosegedge.space import SearchSpace

DESCRIPTION = DeviceDescription(backend="ascend", hardware={}, system={}, conditions={}, vendor={})


def finding(severity: targets.Severity, node: str) -> Finding:
    return Finding(node=node, op_type="Resize", severity=severity, why="Slow.", instead="Use another.")


def checked(monkeypatch, *findings: Finding):
    asked = []

    def check_for(content, target):
        asked.append(target)
        return list(findings)

    monkeypatch.setattr(targets, "check_for", check_for)
    device = Device(name="atlas", backend="ascend", connection="local", precision="fp16", clock="device", opset=11)
    plan = make_plan(SearchSpace.load("nano"), device, ProfileSettings(scales=(0,), networks=24))
    try:
        return model_file(plan.layers[0], plan, DESCRIPTION)
    finally:
        assert asked == ["ascend/Ascend310"]


def test_what_is_taken_badly_is_told_once_a_model(monkeypatch):
    made = checked(monkeypatch, finding("warning", "a"), finding("warning", "b"))
    assert made.warnings == ("ascend/Ascend310 takes Resize badly: Slow.",)
    assert made.content


def test_what_is_not_taken_ends_before_it_is_compiled(monkeypatch):
    with pytest.raises(ExportError, match="does not take Resize as in b: Slow") as error:
        checked(monkeypatch, finding("warning", "a"), finding("error", "b"))
    assert error.value.fix == "Use another."


def test_layers_of_a_space_are_taken_as_they_are():
    device = Device(name="atlas", backend="ascend", connection="local", precision="fp16", clock="device", opset=11)
    plan = make_plan(SearchSpace.load("nano"), device, ProfileSettings(scales=(0,), networks=24))
    assert model_file(plan.layers[0], plan, DESCRIPTION).warnings == ()
