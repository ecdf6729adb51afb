"""A finished search scored for another device, and its networks timed on a simulated one."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from standin import PROVENANCE, SPACE, Latency, evaluate
from test_objectives import SMALL, Wide

from mosegedge.devices import Device
from mosegedge.devices.agent_client import AgentClient, BurstSettings
from mosegedge.errors import DataError, ModelRefusedError, SearchError, UsageError
from mosegedge.files import Journal, sha256_of_bytes
from mosegedge.profiling.models import network_onnx
from mosegedge.profiling.trust import Trust
from mosegedge.progress import Silent
from mosegedge.search.archive import Archive, front_of
from mosegedge.search.limits import Limit
from mosegedge.search.loop import Search
from mosegedge.search.replaying import replay, rescored
from mosegedge.search.standing import standings
from mosegedge.search.stored import read_stored
from mosegedge.search.timing import TIMINGS, DeviceTimer
from mosegedge.search.verifying import VERIFIED, journal_of, verify

BRIEF = BurstSettings(min_samples=2, max_samples=2, min_ns=0, max_warmup=0)


class OneDevice:
    """What a replay asks of its targets."""

    labels = ("wide",)
    targets = (SimpleNamespace(reference="wide/nano", profile=SimpleNamespace(digest="w" * 64)),)

    def latency(self, place, space):
        return Wide()

    def models(self, config, space):
        return {}

    def trusts(self, space):
        return (Trust(profile="wide/nano/v1", shortfalls=("no network judged it",), sd_factor=2.0),)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")

    def score(architecture):
        if architecture == SPACE.largest:
            raise DataError("Picture 3 is unreadable.")
        return evaluate(architecture)

    Search(SPACE, Latency(), replace(SMALL, baselines=True), folder, PROVENANCE).run(score)
    return folder


def test_a_replay_is_the_archive_with_other_costs(finished, tmp_path):
    run = read_stored(finished)
    changed = replay(run, OneDevice(), tmp_path / "wide", space=SPACE)
    again = read_stored(tmp_path / "wide")
    mean, sd = Wide().predict(SPACE.encode([c.architecture for c in run.candidates]))
    for before, after, latency_ms, sd_ms in zip(run.candidates, again.candidates, mean, sd, strict=True):
        assert (after.latency_ms, after.latency_sd_ms) == pytest.approx((latency_ms, sd_ms), abs=1e-6)
        assert after == replace(before, latency_ms=after.latency_ms, latency_sd_ms=after.latency_sd_ms)
    assert changed.result.front == front_of(again.candidates)
    assert len(again.baselines) == 15
    there, here = ({c.architecture for c in front_of(found.candidates)} for found in (run, again))
    assert {c.architecture for c in changed.entered} == here - there
    assert {standing.candidate.architecture for standing in changed.left} == there - here
    assert changed.entered
    assert changed.left
    for standing in changed.left:
        better = next(c for c in front_of(again.candidates) if str(c.architecture) in standing.reason)
        assert better.latency_ms <= standing.candidate.latency_ms
        assert better.miou >= standing.candidate.miou
    assert again.manifest["replayed"] == {"run": str(finished), "profile": run.manifest["profile"]}
    assert again.manifest["profile"]["reference"] == "wide/nano"
    assert again.manifest["trust"] == {"wide/nano/v1": {"shortfalls": ["no network judged it"], "sd_factor": 2.0}}
    lines = [Journal(folder / "generations.jsonl").read() for folder in (finished, tmp_path / "wide")]
    assert len(lines[0]) == len(lines[1])
    assert lines[1][-1]["hypervolume"] == changed.result.hypervolume
    assert json.loads((tmp_path / "wide" / "replay.json").read_text())["left"][0]["reason"]


def test_a_replay_has_its_own_limit_and_leaves_no_folder_half_written(finished, tmp_path):
    run = read_stored(finished)
    changed = replay(run, OneDevice(), tmp_path / "wide", space=SPACE, max_latency_ms=2.0)
    assert all(c.latency_ms <= 2.0 for c in changed.result.front)
    with pytest.raises(UsageError, match="not empty"):
        replay(run, OneDevice(), tmp_path / "wide", space=SPACE)
    with pytest.raises(SearchError, match="None of the"):
        replay(run, OneDevice(), tmp_path / "none", space=SPACE, max_latency_ms=0.001)
    assert not (tmp_path / "none").exists()


def with_settings(run, **settings):
    return replace(run, config=replace(run.config, **settings))


@pytest.mark.parametrize(
    ("pick", "kept", "reason"),
    [
        ("latency@atlas=30", "spread", "nothing is known of atlas, only of wide"),
        ("latency=2", "spread", "it was meant for another device"),
        ("latency@wide=2", "latency=2", ""),
        ("knee", "knee", ""),
    ],
)
def test_a_target_that_the_other_device_does_not_know_is_not_picked_by_and_the_result_says_so(
    finished, tmp_path, pick, kept, reason
):
    changed = replay(with_settings(read_stored(finished), pick=pick), OneDevice(), tmp_path / "wide", space=SPACE)
    assert read_stored(tmp_path / "wide").config.pick == kept
    replaced = [{"setting": "pick", "there": pick, "here": kept, "reason": reason}] if reason else []
    assert json.loads((tmp_path / "wide" / "replay.json").read_text())["replaced"] == replaced
    assert [one.text() for one in changed.replaced] == [
        f"The pick of this replay: {kept} in the place of {pick}, since {reason}." for _ in replaced
    ]


def test_what_the_user_picks_by_is_refused_where_it_is_unknown_and_taken_where_it_is_not(finished, tmp_path):
    run = with_settings(read_stored(finished), pick="latency@atlas=30")
    for pick, said in (("latency@atlas=3", "only of wide"), ("energy=3", "no objective here"), ("best", "picked by")):
        with pytest.raises(UsageError, match=said) as refused:
            replay(run, OneDevice(), tmp_path / "wide", space=SPACE, pick=pick)
        assert pick in refused.value.what
        assert not (tmp_path / "wide").exists()
    changed = replay(run, OneDevice(), tmp_path / "wide", space=SPACE, pick="latency=2")
    assert changed.replaced == ()
    assert read_stored(tmp_path / "wide").config.pick == "latency=2"


def test_settings_of_the_other_devices_are_named_with_what_takes_their_place(finished, tmp_path):
    limits = (Limit(objective="latency@atlas", bound=9.0), Limit(objective="miou", bound=0.1))
    asked = {"objectives": ("miou", "latency", "params", "latency@atlas"), "limits": limits, "max_latency_ms": 40.0}
    stored = read_stored(finished)
    known = [replace(one, costs={"latency@atlas": (one.latency_ms, 0.0)}) for one in stored.candidates]
    run = replace(with_settings(stored, **asked, latency="measured"), candidates=tuple(known))
    changed = replay(run, OneDevice(), tmp_path / "wide", space=SPACE, max_latency_ms=30.0)
    assert [(one.setting, one.there, one.here) for one in changed.replaced] == [
        ("objectives", "miou, latency, params, latency@atlas", "miou, latency, params"),
        ("limits", "latency at most 40 ms and latency on atlas at most 9 ms", "latency at most 30 ms"),
        ("latency", "measured", "predicted"),
    ]
    assert changed.result.devices == {"latency": "wide"}
    without = replay(run, OneDevice(), tmp_path / "without", space=SPACE).replaced[1]
    assert without.text() == (
        "The limits of this replay: without latency at most 40 ms and latency on atlas at most 9 ms, "
        "since they were meant for other devices."
    )


def test_a_search_does_not_go_on_in_a_replay(finished, tmp_path):
    replay(read_stored(finished), OneDevice(), tmp_path / "wide", space=SPACE)
    provenance = replace(PROVENANCE, profile="wide/nano", profile_digest="w" * 64, label="wide")
    with pytest.raises(UsageError, match="replayed"):
        Search(SPACE, Wide(), replace(SMALL, baselines=True), tmp_path / "wide", provenance)


def test_nothing_to_score_is_nothing():
    assert rescored((), SimpleNamespace()) == []


@pytest.fixture
def board(tmp_path, monkeypatch):
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    cache = str(tmp_path / "cache")
    return Device(name="rehearsal", backend="simulated", connection="local", clock="device", cache=cache)


def timer_of(board, journal):
    return DeviceTimer(
        device=board, space=SPACE, statistic="median", journal=journal, progress=Silent(), rounds=3, bursts=BRIEF
    )


def test_latencies_are_measured_on_the_device_once_and_a_refusal_is_an_archived_failure(tmp_path, board):
    config = replace(
        SMALL, initial=4, generations=0, scales=(0,), latency="measured", max_latency_ms=50.0, predictor="rbf",
        exploration=(0.0,),
    )  # fmt: skip
    journal = tmp_path / "run" / TIMINGS
    search = Search(SPACE, Latency(), config, tmp_path / "run", PROVENANCE)
    planned = search.ask(4)
    refused = {"code": str(planned[2].architecture), "latency_ms": 0.0, "sd_ms": 0.0, "failure": "no kernel"}
    Journal(journal).append(refused)
    result = Search(SPACE, Latency(), config, tmp_path / "run", PROVENANCE).run(evaluate, timer_of(board, journal))
    first, second, third, fourth = Archive(tmp_path / "run" / "archive.jsonl").candidates
    assert (third.failure, third.miou, third.measured_ms) == ("no kernel", None, None)
    measured = [first, second, fourth]
    assert all(c.measured_ms > 0 and c.measured_ms != c.latency_ms for c in measured)
    assert second.measured_ms > first.measured_ms
    assert result.front == front_of(measured)
    lines = Journal(journal).read()
    assert len(lines) == 4
    again = timer_of(replace(board, backend="none"), journal)  # nothing is left to measure, so no device is opened
    assert [c.measured_ms for c in again(measured)] == [c.measured_ms for c in measured]


def test_networks_are_loaded_anew_every_few_rounds(tmp_path, board, monkeypatch):
    calls = []
    for name in ("load_sent", "unload"):
        monkeypatch.setattr(AgentClient, name, counted(getattr(AgentClient, name), calls, name))
    timer = replace(timer_of(board, tmp_path / TIMINGS), rounds=5)
    known = timer.timings([SPACE.smallest, SPACE.largest])
    assert calls == ["load_sent", "load_sent", "unload"] * 3
    assert 0 < known[SPACE.smallest].latency_ms < known[SPACE.largest].latency_ms


def counted(method, calls, name):
    def call(*arguments):
        calls.append(name)
        return method(*arguments)

    return call


def test_a_network_that_the_device_refuses_to_load_is_a_failure_and_others_are_timed(tmp_path, board, monkeypatch):
    loaded = AgentClient.load_sent

    def load_sent(agent, model, model_format):
        if model == refused:
            raise ModelRefusedError("no kernel")
        return loaded(agent, model, model_format)

    refused = sha256_of_bytes(network_onnx(SPACE, SPACE.smallest, opset=board.opset))
    monkeypatch.setattr(AgentClient, "load_sent", load_sent)
    timer = timer_of(board, tmp_path / TIMINGS)
    assert timer.timings([SPACE.smallest])[SPACE.smallest].failure == "ModelRefusedError: no kernel"
    (tmp_path / TIMINGS).unlink()
    known = timer.timings([SPACE.smallest, SPACE.largest])
    assert known[SPACE.smallest].failure == "ModelRefusedError: no kernel"
    assert known[SPACE.largest].latency_ms > 0


def test_what_another_device_took_does_not_count(tmp_path, board):
    journal = tmp_path / TIMINGS
    other = {"code": str(SPACE.smallest), "latency_ms": 900.0, "sd_ms": 0.0, "failure": None, "device": "another"}
    Journal(journal).append(other)
    assert timer_of(board, journal).timings([SPACE.smallest])[SPACE.smallest].latency_ms < 900
    assert [line["device"] for line in Journal(journal).read()] == ["another", "rehearsal"]


def test_a_journal_that_holds_no_timing_is_named(tmp_path, board):
    Journal(tmp_path / TIMINGS).append({"code": "0"})
    with pytest.raises(SearchError, match=r"Line 1 of .*timings\.jsonl is no timing"):
        timer_of(board, tmp_path / TIMINGS).timings([])


def test_chosen_networks_are_timed_and_those_that_fall_off_the_front_say_why(finished, tmp_path, board):
    run = read_stored(finished)
    verified = verify(run, timer_of(board, journal_of(finished)))
    assert len(verified.standings) == 5
    assert all(standing.candidate.measured_ms > 0 for standing in verified.standings)
    stored = json.loads((finished / VERIFIED).read_text())
    assert stored["device"] == "rehearsal"
    assert [row["on_front"] for row in stored["networks"]] == [one.on_front for one in verified.standings]
    assert not journal_of(finished).exists()
    assert verified.kept == sum(not standing.reason for standing in verified.standings)


def test_a_network_that_turns_out_slow_too_slow_or_broken_is_off_the_front_for_that_reason(finished):
    front = front_of(read_stored(finished).candidates)[:4]
    slow = replace(front[0], measured_ms=front[1].latency_ms * 2)
    broken = replace(front[2], miou=None, failure="ModelRefusedError: no kernel")
    limits = [Limit(objective="latency", bound=front[2].latency_ms)]
    found = standings([slow, front[1], broken, front[3]], read_stored(finished).config.goals, limits)
    assert [standing.on_front for standing in found] == [False, True, False, False]
    assert "does not keep to latency at most" in found[3].reason
    assert found[2].reason == "ModelRefusedError: no kernel"
    dominated = standings([slow, front[1]], read_stored(finished).config.goals)
    assert str(front[1].architecture) in dominated[0].reason
