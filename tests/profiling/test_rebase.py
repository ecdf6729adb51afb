"""`profiles rebase`: a board with another runtime, a slower one, and ones of which nothing can be carried over."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import fakeboard
import numpy as np
import pytest
from comparing import SPACE, bursts, undisturbed_run

from mosegedge.cli.main import main
from mosegedge.errors import ProfileError, UsageError
from mosegedge.files import sha256_of_file
from mosegedge.profiling import building, load_profile, rebase
from mosegedge.profiling.compare import kind_of
from mosegedge.profiling.models import ModelFile
from mosegedge.profiling.rebase import rebase_profile
from mosegedge.profiling.rebase_plan import RebaseSettings, choose_layers, choose_networks

SMALL = RebaseSettings(passes=2)
SERIES = Path("profiles/board/nano-fp32")


def change_times(monkeypatch, factor_of) -> None:
    """Another runtime on the board: every model takes this much longer, by its key."""

    def model_file(item, plan, description):
        content = json.loads(fakeboard.model_file(item, plan, description).content)
        return ModelFile(json.dumps({**content, "us": content["us"] * factor_of(item.key)}).encode())

    monkeypatch.setattr(building, "model_file", model_file)
    monkeypatch.setenv("FAKE_VERSION", "2.0")


@pytest.fixture(scope="module")
def profiled():
    """The text of a profile of the board."""
    return undisturbed_run().text


@pytest.fixture
def board(board, profiled):
    """The board in a folder with that profile."""
    SERIES.mkdir(parents=True)
    (SERIES / "v1.json").write_bytes(profiled)
    return board


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mosegedge", "profiles", "rebase", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_a_slower_board_gets_the_profile_times_one_factor(board, monkeypatch, profiled):
    before = load_profile("board/nano-fp32")
    change_times(monkeypatch, lambda key: 1.1)
    rebased = rebase_profile("board/nano-fp32", board, settings=SMALL, command="the command")
    after, verdict = rebased.profile, rebased.verdict
    assert verdict.factor == pytest.approx(1.1, abs=1e-4)
    assert verdict.networks_mape < 0.002
    assert (after.version, after.parent, after.command) == (2, 1, "the command")
    assert rebased.changes == ("vendor.runtime.fake: 1.0 then, 2.0 now",)
    assert after.device.vendor["runtime"]["fake"] == "2.0"
    assert (SERIES / "v1.json").read_bytes() == profiled
    then = {entry.key: entry for entry in before.entries}
    assert {entry.key for entry in after.entries} == set(then)
    carried = [
        entry for entry in after.entries if entry.reason.startswith("carried over from board/nano-fp32/v1, times")
    ]
    assert len(carried) == len(then) - SMALL.entries
    assert {entry.grade for entry in carried} == {"B" if entry.grade == "A" else entry.grade for entry in
                                                 (then[one.key] for one in carried)}  # fmt: skip
    for entry in after.entries:
        assert entry.value_ms == pytest.approx(1.1 * then[entry.key].value_ms, rel=1e-3)
    section = after.rebased_from
    assert (section.source.profile, section.source.digest) == ("board/nano-fp32/v1", before.digest)
    assert (section.layers_measured, section.layers_carried) == (24, len(then) - 24)
    assert section.networks_measured == after.certificate.networks == 12
    assert after.certificate.source == "check"
    assert after.certificate.mape < 0.002
    assert {entry.code for entry in after.networks} == {entry.code for entry in before.networks}
    fitted = [{entry.code for entry in profile.networks if entry.role == "fit"} for profile in (before, after)]
    assert fitted[0] == fitted[1]
    assert after.journal_sha256 == sha256_of_file(SERIES / "v2.journal.jsonl")
    assert not list(SERIES.glob("*.rebase.*"))
    codes = SPACE.sample(50, np.random.default_rng(0))
    codes[:, 0] = 0
    old_ms, new_ms = (profile.latency_model(SPACE).predict(codes)[0] for profile in (before, after))
    assert new_ms == pytest.approx(1.1 * old_ms, rel=2e-3)


def test_another_runtime_with_the_same_times_keeps_every_value(board, monkeypatch, capsys):
    before = load_profile("board/nano-fp32")
    change_times(monkeypatch, lambda key: 1.0)
    code, out, err = run(monkeypatch, capsys, "board/nano-fp32", "--device", "board", "--passes", "2", "--json")
    assert code == 0
    result = json.loads(out)
    assert (result["factor"], result["holds"], result["name"]) == (1.0, True, "board/nano-fp32/v2")
    assert "Wrote board/nano-fp32/v2" in err
    after = load_profile("board/nano-fp32")
    assert [entry.value_ms for entry in after.entries] == [entry.value_ms for entry in before.entries]
    monkeypatch.setattr(sys, "argv", ["mosegedge", "profiles", "show", "board/nano-fp32"])
    with pytest.raises(SystemExit):
        main()
    assert "24 layers and 12 networks measured again, " in capsys.readouterr().out


def test_one_kind_of_layer_that_changed_refuses_it(board, monkeypatch, capsys):
    slow = "bottleneck id s1"
    change_times(monkeypatch, lambda key: 1.3 if kind_of(key) == slow else 1.0)
    code, out, err = run(monkeypatch, capsys, "board/nano-fp32", "--passes", "2")
    assert code == 4
    assert "nothing was written" in out
    assert [line.split()[0] for line in out.splitlines() if slow in line] == ["layers"]
    assert sum("* " in line for line in out.splitlines()) == 1
    assert f"does not hold on board as it is now: {slow} +30.0% beyond the factor" in err
    assert "mosegedge profile --device board --space nano:192x384:19 --scales 0 --threads 1" in err
    assert [path.name for path in sorted(SERIES.iterdir())] == ["v1.json", "v1.rebase.jsonl.old1"]


def test_networks_that_changed_on_their_own_refuse_it(board, monkeypatch):
    change_times(monkeypatch, lambda key: 1.08 if key.startswith("network ") else 1.0)
    found = rebase_profile("board/nano-fp32", board, settings=SMALL)
    assert found.profile is None
    assert found.verdict.networks_mape == pytest.approx(0.074, abs=0.005)
    assert [problem.split()[0] for problem in found.verdict.problems] == ["networks"]


def test_a_layer_that_does_not_run_any_more_refuses_it(board, monkeypatch):
    failing = choose_layers(load_profile("board/nano-fp32"), SMALL.entries)[3].key
    monkeypatch.setenv(fakeboard.FAILING_LAYER, failing)
    found = rebase_profile("board/nano-fp32", board, settings=SMALL)
    assert found.verdict.problems == [f"{failing} does not run any more"]
    assert not (SERIES / "v2.json").exists()
    assert len(list(SERIES.glob("*.old?"))) == 1


def test_it_goes_on_where_it_was(board, monkeypatch):
    journal = SERIES / "v1.rebase.jsonl"

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(rebase, "measurements_of", stop)
        with pytest.raises(KeyboardInterrupt):
            rebase_profile("board/nano-fp32", board, settings=SMALL)
    done = bursts(journal)
    assert len(done) == 2 * (24 + 12)
    with pytest.raises(ProfileError, match="another measurement that was not finished"):
        rebase_profile("board/nano-fp32", board, settings=RebaseSettings(passes=2, entries=30))
    assert rebase_profile("board/nano-fp32", board, settings=SMALL).profile.version == 2
    assert bursts(SERIES / "v2.journal.jsonl") == done


def test_what_cannot_be_compared_is_refused_before_anything_is_timed(board):
    for change in ({"precision": "fp16"}, {"clock": "device"}, {"backend": "torch"}):
        with pytest.raises(ProfileError, match=f"{next(iter(change))}: .* then, .* now"):
            rebase_profile("board/nano-fp32", replace(board, **change), settings=SMALL)
    for change in ({"entries": 5}, {"networks": 1}, {"passes": 1}):
        with pytest.raises(UsageError, match=next(iter(change))):
            RebaseSettings(**change)
    assert [path.name for path in SERIES.iterdir()] == ["v1.json"]


def test_what_is_measured_again_covers_kinds_scales_and_costs(board):
    profile = load_profile("board/nano-fp32")
    for count in (12, 24, 1000):
        chosen = choose_layers(profile, count)
        assert len({entry.key for entry in chosen}) == len(chosen) == min(count, len(profile.entries))
        for kind in {kind_of(entry.key) for entry in profile.entries}:
            costs = [[one.value_ms for one in side if kind_of(one.key) == kind] for side in (profile.entries, chosen)]
            assert max(costs[0]) in costs[1]
            assert min(costs[0]) in costs[1]
    assert {entry.role for entry in choose_networks(profile, SPACE, 12)} == {"held-out"}
