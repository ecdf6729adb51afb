"""The roofline of a board with a known peak, bandwidth and launch is found; a board that refuses goes without."""

from __future__ import annotations

import json
from pathlib import Path

import fakeboard
import pytest
from comparing import JOURNAL, SPACE

from device_agents.backends.simulated import law
from mosegedge.devices import Device, open_agent
from mosegedge.errors import AgentError, ConnectionLostError
from mosegedge.profiling import ProfileSettings, building, make_plan, profile_device
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.models import ModelFile, model_file
from mosegedge.profiling.probing import Prober, measured_roofline
from mosegedge.profiling.roofline import EMPTY, LADDERS, ProbeSpec, Roofline, roofline_of

SETTINGS = ProfileSettings(scales=(0,), networks=8, passes=2)
COPY = LADDERS[-1][0]
CONVOLUTION = LADDERS[1][0]


def probes_in_journal() -> list[tuple[str, int]]:
    records = [json.loads(line) for line in JOURNAL.read_text().splitlines()]
    return [(record["key"], record["visit"]) for record in records if record["type"] == "probe"]


def refusing(word: str):
    def build(item, plan, description):
        if isinstance(item.source, ProbeSpec) and word in item.key:
            return ModelFile(json.dumps({"key": item.key, "us": 1, "fail": "no kernel"}).encode())
        return fakeboard.model_file(item, plan, description)

    return build


def test_the_roofline_of_a_known_board_is_found(board):
    found = profile_device(board, SPACE, settings=SETTINGS).roofline
    assert found.peak_gmacs_per_s == pytest.approx(fakeboard.PEAK_GMACS_PER_S, rel=0.02)
    assert found.bandwidth_gb_per_s == pytest.approx(fakeboard.BANDWIDTH_GB_PER_S, rel=0.02)
    assert found.launch_ms * 1e3 == pytest.approx(fakeboard.LAUNCH_US, rel=0.02)
    assert found.copied_mib == 128
    visits = probes_in_journal()
    assert len(visits) == len(set(visits)) == 2 * len(LADDERS), "one burst of each probe in each pass"


def test_a_fast_board_gets_larger_probes(board, monkeypatch):
    monkeypatch.setattr(fakeboard, "PEAK_GMACS_PER_S", 80e3)
    monkeypatch.setattr(fakeboard, "BANDWIDTH_GB_PER_S", 900.0)
    found = profile_device(board, SPACE, settings=SETTINGS).roofline
    assert found.peak_gmacs_per_s == pytest.approx(80e3, rel=0.05)
    assert found.bandwidth_gb_per_s == pytest.approx(900.0, rel=0.02)
    assert found.copied_mib == 1024
    assert {key for key, visit in probes_in_journal() if visit == 1} <= {ladder[-1].key for ladder in LADDERS}


@pytest.mark.parametrize(("word", "reason"), [("copy", "no copy"), ("empty", "the empty model")])
def test_a_board_that_refuses_a_probe_has_a_profile_without_a_roofline(board, monkeypatch, word, reason):
    monkeypatch.setattr(building, "model_file", refusing(word))
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert profile.roofline is None
    notes = [note.text for note in profile.notes if note.text.startswith("The roofline was not measured")]
    assert len(notes) == 1
    assert reason in notes[0]
    assert "no kernel" in notes[0]
    assert profile.failed == []


def test_one_shape_of_convolution_may_be_refused(board, monkeypatch):
    monkeypatch.setattr(building, "model_file", refusing("k1"))
    found = profile_device(board, SPACE, settings=SETTINGS).roofline
    assert found.peak_gmacs_per_s == pytest.approx(fakeboard.PEAK_GMACS_PER_S, rel=0.02)


def test_an_agent_that_dies_of_a_probe_is_asked_for_no_more(board, monkeypatch):
    def build(item, plan, description):
        if item.key == COPY.key:
            return ModelFile(json.dumps({"key": item.key, "us": 1, "deadly": True}).encode())
        return fakeboard.model_file(item, plan, description)

    monkeypatch.setattr(building, "model_file", build)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert profile.roofline is None
    assert any("died 2 times with probe copy" in note.text for note in profile.notes)
    assert profile.protocol.restarts == 2


def test_a_finished_journal_is_concluded_again_with_its_roofline(board):
    first = profile_device(board, SPACE, settings=SETTINGS)
    before = probes_in_journal()
    Path("profiles/board/nano-fp32/v1.json").unlink()
    again = profile_device(board, SPACE, settings=SETTINGS)
    assert again.roofline == first.roofline is not None
    assert probes_in_journal() == before


@pytest.mark.parametrize("error", [ConnectionLostError("gone"), AgentError("dead")])
def test_what_is_no_fault_of_the_probe_is_passed_on(board, tmp_path, error):
    class Agent:
        alive = False

        def send(self, content, model_format):
            return "0" * 64

        def load_sent(self, model, model_format):
            raise error

    journal = ProfileJournal(tmp_path / "journal.jsonl")
    prober = Prober(Agent(), journal, clock="host", build=lambda item: ModelFile(b"{}"))
    with pytest.raises(type(error)):
        prober.visit(0)
    assert journal.probes.refused == {}
    assert journal.probes.given_up == ""


@pytest.mark.parametrize(("precision", "faster"), [("fp32", 1), ("fp16", 2)])
def test_the_simulated_board_answers_by_its_law(tmp_path, monkeypatch, precision, faster):
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    device = Device(
        name="rehearsal", backend="simulated", connection="local", clock="device", precision=precision,
        cache=str(tmp_path / "cache"),
    )  # fmt: skip
    plan = make_plan(SPACE, device, SETTINGS)
    journal = ProfileJournal(tmp_path / "journal.jsonl")
    with open_agent(device) as agent:
        description = agent.describe()
        journal.begin(plan, description, command="")
        prober = Prober(agent, journal, clock="device", build=lambda item: model_file(item, plan, description))
        for number in range(3):
            prober.visit(number)
    found = measured_roofline(journal.probes, device, "median")
    assert found.peak_gmacs_per_s == pytest.approx(faster * law.MULTIPLY_ADDS_PER_NS, rel=0.03)
    assert found.bandwidth_gb_per_s == pytest.approx(law.BYTES_PER_NS, rel=0.03)
    assert found.launch_ms * 1e6 == pytest.approx(law.FIXED_NS + law.LAUNCH_NS, rel=0.03)


def test_a_probe_that_was_over_too_soon_says_nothing():
    times_ms = {EMPTY: 1.0, CONVOLUTION: 1.5, COPY: 9.0}
    assert "no convolution" in roofline_of(times_ms, "fp32")
    times_ms[CONVOLUTION] = 11.0
    found = roofline_of(times_ms, "fp32")
    assert isinstance(found, Roofline)
    assert found.compute_ms(CONVOLUTION.multiply_adds) == pytest.approx(10.0)
    assert found.memory_ms(2 * 4 * COPY.elements) == pytest.approx(8.0)
    assert found.ridge == pytest.approx(found.peak_gmacs_per_s / found.bandwidth_gb_per_s)
