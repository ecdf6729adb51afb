"""Benchmarks of search strategies on a small oracle: tables, pictures, and journals that go on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mosegedge.files import Journal, sha256_of_file

ROOT = Path(__file__).parents[2]
SHORT = ["--seeds", "2", "--inner-generations", "3"]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def archive(tmp_path):
    """A file of residual networks whose accuracy grows with their cost, up to a point."""
    from benchmarks.archives import residual_costs, residual_description

    ratios = (0.65, 0.8, 1.0)
    codes = residual_description().sample(60, np.random.default_rng(0))
    rows = []
    for code, cost in zip(codes.tolist(), residual_costs(codes)[:, 4].tolist(), strict=True):
        record = {"d": code[:4], "e": [ratios[digit] for digit in code[4:20]], "w": code[20:]}
        rows.append([record, 0.5 + 0.01 * cost + 0.001 * code[20], cost])
    path = tmp_path / "archive.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def journal(archive):
    """A journal whose ideal is known, since the search for it takes long."""
    path = archive.with_name("curves.jsonl")
    world = {"oracle": "archive", "digest": sha256_of_file(archive), "profile": "", "ideal": 0.05}
    Journal(path).append(world)
    return path


def strategies(archive, journal, names, *more):
    from benchmarks.strategies import main

    main(["--archive", str(archive), "--journal", str(journal), "--strategies", names, *SHORT, *more])


def test_strategies_are_compared_and_drawn(archive, journal, tmp_path, capsys):
    names = "default,gp+random,random,nsga2-8,nsga2-100"
    output, picture = tmp_path / "out.json", tmp_path / "out.png"
    arguments = ["--initial", "12", "--budget", "28", "--output", str(output), "--picture", str(picture)]
    strategies(archive, journal, names, *arguments, "--beside", str(journal))
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:6]] == names.split(",")
    curves = json.loads(output.read_text())["curves"]
    assert [(curve["strategy"], curve["seed"]) for curve in curves[:2]] == [("default", 0), ("default", 1)]
    for curve in curves:
        assert curve["percent"] == sorted(curve["percent"])
        assert curve["percent"][0] > 0
    guided, by_chance = curves[0], next(curve for curve in curves if curve["strategy"] == "gp+random")
    assert guided["evaluations"] == [12, 16, 20, 24, 28]
    assert sum(guided["reasons"].values()) == 16
    assert set(by_chance["reasons"]) == {"random"}
    assert picture.stat().st_size > 1000
    from benchmarks.strategy_pictures import main as draw

    draw([str(tmp_path / "again.png"), str(output), str(output)])
    assert (tmp_path / "again.png").stat().st_size > 1000
    capsys.readouterr()
    for content in ("[]", "{}", "no JSON"):
        output.write_text(content)
        with pytest.raises(SystemExit):
            draw([str(tmp_path / "none.png"), str(output)])
        assert "out.json is no record of search strategies" in capsys.readouterr().err


def test_a_finished_run_is_not_run_again_and_other_settings_are(archive, journal, monkeypatch, capsys):
    from benchmarks import strategy_runs

    done = []
    run = strategy_runs.run
    monkeypatch.setattr(strategy_runs, "run", lambda task, *rest: done.append(task.seed) or run(task, *rest))
    for budget in (16, 16, 24):
        strategies(archive, journal, "random", "--budget", str(budget))
    assert done == [0, 1, 0, 1]
    with journal.open("a") as stream:
        stream.write('{"strategy": "ran')
    strategies(archive, journal, "random", "--budget", "24")
    assert done == [0, 1, 0, 1]
    strategies(archive, journal, "gp+survival", "--budget", "16", "--initial", "8", "--first-seed", "5")
    strategies(archive, journal, "gp+survival", "--budget", "16", "--initial", "10", "--first-seed", "5")
    assert done == [0, 1, 0, 1, 5, 6, 5, 6]


def test_strategies_with_one_predictor_share_their_initial_networks(archive, journal):
    from benchmarks.strategy_curves import Record

    strategies(archive, journal, "gp+survival,gp+latency", "--budget", "20", "--initial", "12")
    first, second, other, _ = Record(journal).curves()
    assert first.percent[0] == other.percent[0] != second.percent[0]
    assert first.percent != other.percent


def test_a_search_without_a_predictor_stops_at_its_budget_and_counts_a_network_once(archive, journal):
    from benchmarks.strategy_curves import Record

    strategies(archive, journal, "nsga2-8,nsga2-100,random", "--budget", "240")
    few, _, many, _, chance, _ = Record(journal).curves()
    assert few.evaluations[0] == many.evaluations[0] == 100
    assert max(np.diff(few.evaluations)) == 8
    assert 240 <= few.evaluations[-1] < 248
    assert 240 <= many.evaluations[-1] < 340
    assert chance.evaluations == list(range(8, 241, 8))
    assert few.percent[0] == many.percent[0]


def test_a_journal_of_another_oracle_is_refused(archive, journal, capsys):
    archive.write_text(archive.read_text() + "\n")
    with pytest.raises(SystemExit) as stopped:
        strategies(archive, journal, "random")
    assert stopped.value.code == 2
    assert "Choose another --journal" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["best", "gp+best", "gpp+survival"])
def test_an_unknown_strategy_is_refused(name, archive, journal, capsys):
    with pytest.raises(SystemExit) as stopped:
        strategies(archive, journal, name)
    assert stopped.value.code == 2
    assert "Known: " in capsys.readouterr().err


def made_up(name, seed, budget, percent, **settings):
    """A run that was never run: half of the hypervolumes after 100 networks, half at the end."""
    from benchmarks.strategy_curves import Curve
    from benchmarks.strategy_tasks import Task

    task = Task(strategy=name, seed=seed, budget=budget, **settings)
    known = {"strategy": name, "seed": seed, "budget": budget, "settings": task.settings}
    empty = {"reasons": {}, "seconds": 1.0}
    return Curve(**known, evaluations=[100, budget], percent=percent, **empty)


def test_the_cost_of_a_search_is_counted_to_shares_of_what_default_ends_with(archive, journal, tmp_path, capsys):
    from benchmarks.search_cost import main
    from benchmarks.strategy_curves import Record

    guided = {"default": [50.0, 80.0], "paper": [60.0, 70.0]}
    direct = {"nsga2-100": [77.0, 79.0], "nsga2-8": [1.0, 2.0], "random": [1.0, 76.5]}
    for seed in range(2):
        for name, percent in guided.items():
            Record(journal).append(made_up(name, seed, 260, percent, inner_generations=3))
        for name, percent in direct.items():
            Record(journal).append(made_up(name, seed, 5000, percent))
    output, picture = tmp_path / "cost.json", tmp_path / "cost.png"
    files = ["--output", str(output), "--picture", str(picture)]
    main(["--archive", str(archive), "--journal", str(journal), *SHORT, *files])
    assert "default ends with 80.00 %" in capsys.readouterr().out
    rows = {row["strategy"]: row["text"] for row in json.loads(output.read_text())["costs"]}
    assert rows["default"] == {"95": "260", "98": "260", "99": "260"}
    assert rows["nsga2-100"] == {"95": "100", "98": "5000", "99": "-"}
    assert rows["random"] == {"95": "5000", "98": "-", "99": "-"}
    assert rows["paper"] == {"95": "-", "98": "-", "99": "-"}
    assert picture.stat().st_size > 1000
    from benchmarks.strategy_pictures import main as draw

    draw([str(tmp_path / "again.png"), str(output), "--by-cost"])
    assert (tmp_path / "again.png").stat().st_size > 1000


def test_default_is_compared_with_what_paper_ends_with():
    from benchmarks.strategy_tables import comparison

    paper = [made_up("paper", seed, 200, [50.0, percent]) for seed, percent in enumerate((90.0, 94.0))]
    default = [made_up("default", seed, 200, [percent, 97.0]) for seed, percent in enumerate((91.0, 93.0))]
    assert comparison(default) == {}
    found = comparison([*default, *paper])
    assert (found["paper_final_percent"], found["points_above"]) == (92.0, 5.0)
    assert (found["evaluations_to_papers_final"], found["share_of_budget"]) == (100, 0.5)
    worse = [made_up("default", 0, 200, [80.0, 81.0])]
    assert comparison([*worse, *paper])["share_of_budget"] is None


def test_medians_count_runs_that_did_not_get_there():
    from benchmarks.strategy_tables import median_of

    assert median_of([5, 3, 9]) == "5"
    assert median_of([5, None, 9]) == "9 (2/3)"
    assert median_of([5, None, None]) == "> (1/3)"
    assert median_of([None, None]) == "-"
    assert median_of([7, None]) == "7 (1/2)"


def test_every_prescreening_is_timed(monkeypatch, capsys):
    from benchmarks.prescreening import main

    arguments = ["--instances", "1", "--candidates", "20", "--front", "5", "--json"]
    monkeypatch.setattr("sys.argv", ["prescreening", *arguments])
    main()
    rows = json.loads(capsys.readouterr().out)
    names = ["hypervolume", "ehvi", "hierarchical", "latency", "survival", "hierarchical, genetic"]
    assert [row["strategy"] for row in rows] == names
    assert all(row["slowest_s"] >= row["median_s"] >= 0 for row in rows)
