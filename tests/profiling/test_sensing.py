"""Energy and memory measured by a whole run of the profiler, on the simulated board and on this machine."""

from __future__ import annotations

import json

import numpy as np
import pytest

from device_agents.backends.simulated import law
from mosegedge.cli.profile_text import profile_text
from mosegedge.devices import Device, load_device, open_agent
from mosegedge.devices.agent_costs import energy_of, memory_of
from mosegedge.errors import ProfileError
from mosegedge.networks.onnx import onnx_of_network
from mosegedge.profiling import Profile, ProfileSettings, make_plan, profile_device
from mosegedge.profiling.cost_journal import CostJournal
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.sensing import measure_costs, with_costs
from mosegedge.progress import Silent
from mosegedge.space import Architecture, SearchSpace

SPACE = SearchSpace.load("nano:64x128:19")
SETTINGS = {"scales": (0,), "networks": 16, "passes": 2}


def board(folder) -> Device:
    return Device(
        name="rehearsal", backend="simulated", connection="local", clock="device", cache=str(folder / "cache"),
        settings={"noise": "0.01"},
    )  # fmt: skip


def law_mj(code: str) -> float:
    graph = law.Graph(onnx_of_network(SPACE, Architecture.parse(code), opset=17))
    return law.STATIC_W * graph.ns("fp32") / 1e6 + graph.dynamic_mj("fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def found(folder) -> Profile:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOSEGEDGE_LOCK", str(folder / "lock"))
        return profile_device(board(folder), SPACE, settings=ProfileSettings(**SETTINGS), root=folder / "profiles")


def test_the_energy_law_of_a_board_is_recovered_from_its_counter(found):
    assert found.costs.energy.measured
    judged = found.networks[::3]
    measured = np.array([network.energy_mj for network in judged])
    truth = np.array([law_mj(network.code) for network in judged])
    np.testing.assert_allclose(measured, truth, rtol=0.03)
    assert found.costs.energy.idle_w == pytest.approx(law.STATIC_W, rel=0.02)
    assert found.costs.energy.error.mape < 0.03
    mean, _ = found.energy_model(SPACE).predict(SPACE.encode([SPACE.uniform(0, 1)]))
    assert mean[0] == pytest.approx(law_mj(str(SPACE.uniform(0, 1))), rel=0.04)


def test_the_memory_law_is_recovered_too(found):
    assert found.costs.memory.error.mape < 0.02
    known = [network.memory_mib for network in found.networks if network.memory_mib is not None]
    assert len(known) == 16
    assert min(known) > law.FIXED_MIB


def test_layers_are_left_out_unless_somebody_asks(found):
    assert {entry.energy_mj for entry in found.entries} == {None}
    text = profile_text(found)
    assert "energy      " in text
    assert "W without work" in text
    assert "model: tau" in text


def test_the_raw_readings_are_kept_beside_the_profile_and_used_again(found, folder):
    path = folder / "profiles" / "rehearsal" / found.series / "v1.costs.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["type"] for record in records[:2]] == ["begin", "sensor"]
    assert sum(record["type"] == "energy" for record in records) == 16


def test_without_asking_nothing_is_measured_and_the_profile_says_so(found, tmp_path):
    plan = make_plan(SPACE, board(tmp_path), ProfileSettings(**SETTINGS, energy=False, memory=False))
    costs = CostJournal(tmp_path / "v1.costs.jsonl", "a run")
    measure_costs(plan, ProfileJournal(tmp_path / "v1.journal.jsonl"), costs, Silent())
    profile = with_costs(found, plan, costs)
    assert "energy      not measured: nobody asked for it" in profile_text(profile)
    with pytest.raises(ProfileError, match="not measured") as caught:
        profile.energy_model(SPACE)
    assert caught.value.known == "nobody asked for it"


def test_a_record_of_another_measurement_or_a_damaged_one_is_not_used(tmp_path):
    path = tmp_path / "v1.costs.jsonl"
    CostJournal(path, "one").add_memory("a layer", 3.5, "by hand")
    assert CostJournal(path, "one").values["memory"] == {"a layer": 3.5}
    assert CostJournal(path, "other").values["memory"] == {}
    with path.open("a") as stream:
        stream.write('{"type": "memory"}\n')
    with pytest.raises(ProfileError, match="no part of it"):
        CostJournal(path, "other")


def test_on_this_machine_a_larger_model_needs_more_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    device = load_device("local")
    with open_agent(device) as agent:
        needs = []
        for network in (SPACE.smallest, SPACE.uniform(2, 1), SPACE.largest):
            model = agent.send(onnx_of_network(SPACE, network, opset=17))
            needs.append(memory_of(agent, model))
        told = energy_of(agent)
    assert needs[0].mib < needs[1].mib < needs[2].mib
    assert needs[2].mib > SPACE.params(SPACE.encode([SPACE.largest]))[0] * 4 / 2**20
    assert "fresh process" in needs[0].how
    assert told.reason or told.sensor.step_mj > 0
