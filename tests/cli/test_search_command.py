"""`mosegedge search` on a random supernet and a made-up profile of one scale, and the ways in which it is refused."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from projects import FILES, SMALL, SPACE, made_in, made_up_profile

from mosegedge.cli.main import main
from mosegedge.profiling.store import Series, save_profile
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_in(tmp_path_factory.mktemp("project"))


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Runs `mosegedge search` in the project folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mosegedge", "search", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def test_a_search_from_the_command_line_and_once_more(run, folder):
    code, out, err = run(*FILES, *SMALL, "--json")
    assert code == 0
    result = json.loads(out)
    assert (result["run"], result["evaluated"], result["failed"]) == ("run", 7, 0)
    assert result["front"] == json.loads((folder / "run" / "front.json").read_text())["front"]
    assert 1 <= len(result["chosen"]) <= 2
    assert "mosegedge export run:1 --supernet supernet.safetensors" in err
    lines = [json.loads(line) for line in (folder / "run" / "archive.jsonl").read_text().splitlines()]
    assert {line["code"][0] for line in lines} == {"0"}  # all scales of the profile is this one
    before = (folder / "run" / "archive.jsonl").read_bytes()

    code, table, _ = run(*FILES, *SMALL)
    assert code == 0
    assert (folder / "run" / "archive.jsonl").read_bytes() == before
    header, first, *_ = table.splitlines()
    assert header.split() == ["k", "code", "mIoU", "latency"]
    assert first.split()[1] == result["chosen"][0]["code"].replace(" ", "-")

    code, out, err = run(*FILES, *SMALL, "--seed", "1")
    assert (code, out) == (2, "")
    assert "settings.seed = 0; this one has 1" in err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {"predictor": "gp", "exploration": [1.0, 1.0, 1.0, 3.0], "strategy": "hypervolume", "evaluations": 4}),
        (
            ["--config", "paper", "--generations", "0"],
            {"predictor": "ranknet-paper", "exploration": [0.0], "strategy": "hierarchical", "method": "nsga2"},
        ),
        (
            ["--predictor", "svr", "--prescreen", "survival", "--inner", "random", "--evaluations", "2"],
            {"predictor": "svr", "exploration": [0.0], "strategy": "survival", "method": "random", "evaluations": 2},
        ),
        (["--exploration", "2,0.5", "--explore-from", "3"], {"exploration": [2.0, 0.5], "explore_from": 3}),
    ],
)
def test_every_part_can_be_exchanged_and_is_recorded(run, tmp_path, given, expected):
    few = ["--initial", "5", "--generations", "1", "--inner-generations", "2"]
    scored = ["--guide-pictures", "1", "--statistics-pictures", "8"]
    code, _, err = run(*FILES[:4], "--output", str(tmp_path), *few, *scored, *given)
    assert code == 0, err
    settings = json.loads((tmp_path / "run.json").read_text())["settings"]
    found = {**settings, "strategy": settings["prescreen"]["strategy"], "method": settings["inner"]["method"]}
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        (["--profile", "board/none"], 4, "board/none"),
        (["--profile", "missing.json"], 4, "missing.json"),
        (["--supernet", "missing.safetensors"], 6, "missing.safetensors"),
        (["--scales", "one"], 2, "--scales one cannot be read"),
        (["--scales", "0,3"], 2, "does not cover scale digit 3"),
        (["--scales", "0,0"], 2, "cannot be searched"),
        (["--max-latency-ms", "0"], 2, "max_latency_ms is 0"),
        (["--max-latency-ms", "0.001"], 8, "Raise --max-latency-ms to"),
        (["--initial", "0"], 2, "initial is 0"),
        (["--guide-pictures", "0"], 2, "guide_pictures is 0; it must be at least 1"),
        (["--statistics-pictures", "7"], 2, "statistics_pictures is 7; it must be at least 8"),
        (["--inner-generations", "0"], 2, "generations is 0"),
        (["--predictor", "rank"], 2, "There is no predictor 'rank'"),
        (["--predictor", "ranknet", "--exploration", "1"], 2, "The predictor ranknet has no standard deviation"),
        (["--predictor", "svr", "--prescreen", "ehvi"], 2, "which the pre-screening ehvi needs"),
        (["--exploration", "1,-1"], 2, "exploration is 1,-1; it must be one or more finite numbers of at least 0"),
        (["--exploration", "far"], 2, "--exploration far cannot be read"),
        (["--explore-from", "0"], 2, "explore_from is 0; it must be at least 1. --explore-from 1"),
        (["--space", "tiny"], 2, "--space tiny means tiny:192x384:19, but the supernet is of nano:96x192:19"),
        (["--data", "nothing"], 5, "nothing"),
        (["--data", "camvid"], 5, "--data-root"),
        (["--initial", "2"], 7, "--initial"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_in_words(run, tmp_path, changed, code, said):
    given = [*FILES, *SMALL, "--output", str(tmp_path / "run"), *changed]
    ended, out, err = run(*given)
    assert (ended, out) == (code, "")
    assert said in err.replace("\n", " ")
    assert "Traceback" not in err


@pytest.fixture
def two_devices(folder):
    """A second profile in the project, of a device that is slower by three."""
    first = made_up_profile()
    entries = [entry.model_copy(update={"value_ms": 3 * entry.value_ms}) for entry in first.entries]
    device = first.device.model_copy(update={"name": "slow"})
    series = Series(folder / "profiles" / "slow" / "nano-96x192-19-fp32")
    if not series.folder.exists():
        save_profile(first.model_copy(update={"device": device, "entries": entries}), series)
    return ["--profile", "board/nano-96x192-19-fp32", "--profile", "slow/nano-96x192-19-fp32", *FILES[2:4]]


def test_two_profiles_and_parameters_are_traded_off_and_the_run_is_replayed_for_the_second(run, two_devices, tmp_path):
    both = [*two_devices, "--objectives", "miou,latency,params", "--max-latency-ms", "slow=900", "--confidence", "0.9"]
    code, out, err = run(*both, *SMALL, "--output", str(tmp_path / "both"), "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["objectives"] == ["miou", "latency", "latency@slow", "params"]
    assert result["devices"] == {"latency": "board", "latency@slow": "slow"}
    assert set(result["fronts"]) == {"latency", "latency@slow", "params"}
    lines = [json.loads(line) for line in (tmp_path / "both" / "archive.jsonl").read_text().splitlines()]
    assert all(line["costs"]["latency@slow"][0] > 2 * line["latency_ms"] for line in lines)
    code, out, err = run(
        "replay", str(tmp_path / "both"), "--profile", "slow/nano-96x192-19-fp32", "--output", str(tmp_path / "slow")
    )
    assert code == 0, err
    assert "enter the front" in out
    assert "front of latency on slow against mIoU" in out
    assert "The objectives of this replay: miou, latency, params in the place of" in err
    assert "without latency on slow at most 900 ms" in err
    again = [json.loads(line) for line in (tmp_path / "slow" / "archive.jsonl").read_text().splitlines()]
    assert [line["latency_ms"] for line in again] == [line["costs"]["latency@slow"][0] for line in lines]
    code, out, err = run("replay", str(tmp_path / "both"), "--profile", FILES[1], "--output", str(tmp_path / "slow"))
    assert (code, out) == (2, "")
    assert "is not empty" in err


@pytest.fixture
def simulated(folder, tmp_path, monkeypatch):
    """The device of the profile, simulated."""
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    (folder / "devices.toml").write_text('[board]\ntemplate = "local"\nbackend = "simulated"\nclock = "device"\n')


def test_every_evaluated_network_is_timed_on_a_simulated_board(run, simulated, tmp_path):
    given = [*FILES[:4], *SMALL, "--output", str(tmp_path / "run"), "--latency", "measured"]
    code, out, err = run(*given, "--json")
    assert code == 0, err
    lines = [json.loads(line) for line in (tmp_path / "run" / "archive.jsonl").read_text().splitlines()]
    assert len(lines) == 7
    assert all(line["measured_ms"] > 0 and line["miou"] is not None for line in lines)
    timed = [json.loads(line) for line in (tmp_path / "run" / "timings.jsonl").read_text().splitlines()]
    assert {line["code"] for line in timed} >= {line["code"] for line in lines}
    front = {one["code"]: one["measured_ms"] for one in json.loads(out)["front"]}
    assert front.items() <= {line["code"]: line["measured_ms"] for line in lines}.items()
    assert "Timing 5 networks on board." in err


def test_the_chosen_networks_are_timed_on_a_simulated_board(run, simulated, tmp_path):
    code, _, err = run(*FILES[:4], *SMALL, "--output", str(tmp_path / "run"))
    assert code == 0, err
    code, out, err = run("verify", str(tmp_path / "run"), "--json")
    assert code == 0, err
    networks = json.loads(out)["networks"]
    assert 1 <= len(networks) <= 2
    assert all(network["measured_ms"] > 0 for network in networks)


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        (["--objectives", "miou,speed"], 2, "There is no objective 'speed'"),
        (["--objectives", "miou"], 2, "two or more different"),
        (["--objectives", "miou,energy"], 4, "nergy"),
        (["--objectives", "miou,latency@moon"], 2, "names no profile of this search"),
        (["--objectives", "miou,latency,params", "--prescreen", "hierarchical"], 2, "spreads networks evenly"),
        (["--max-latency-ms", "moon=3"], 2, "names no profile of this search"),
        (["--max-latency-ms", "fast"], 2, "cannot be read"),
        (["--max-params", "1"], 8, "Raise --max-params to"),
        (["--min-miou", "0.99"], 8, "The nearest has"),
        (["--confidence", "1"], 2, "confidence is 1"),
        (["--pick", "best"], 2, "cannot be picked by 'best'"),
        (["--profile", "board/nano-96x192-19-fp32/v1"], 2, "given twice"),
    ],
)
def test_objectives_and_limits_that_cannot_be_are_refused_in_words(run, tmp_path, changed, code, said):
    ended, out, err = run(*FILES, *SMALL, "--output", str(tmp_path / "run"), *changed)
    assert (ended, out) == (code, ""), err
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_what_a_search_needs_is_asked_for(run):
    assert run("--output", "x")[0] == 2
    assert "Missing option --output" in run("--profile", "x")[2]


def test_help_shows_an_example(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "mosegedge search --supernet demo --profile local/tiny-fp32" in " ".join(out.split())
    assert out.count("[required]") == 2


def test_a_supernet_without_a_trained_decoder_is_refused(run, folder, tmp_path):
    info = SupernetInfo(space=SPACE, data="", step=0, training={}, untrained=("decoder",))
    save_supernet(tmp_path / "new.safetensors", Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    code, out, err = run(*FILES[:2], "--supernet", str(tmp_path / "new.safetensors"), "--output", str(tmp_path / "run"))
    assert (code, out) == (6, "")
    assert "random weights in its decoder: no network of it can segment yet" in err
