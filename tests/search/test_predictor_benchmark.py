from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def residual_archive(path, count=60):
    """A file of residual networks whose accuracy grows with their cost."""
    from benchmarks.archives import residual_costs, residual_description

    ratios = (0.65, 0.8, 1.0)
    codes = residual_description().sample(count, np.random.default_rng(0))
    rows = []
    for code, cost in zip(codes.tolist(), residual_costs(codes)[:, 4].tolist(), strict=True):
        record = {"d": code[:4], "e": [ratios[digit] for digit in code[4:20]], "w": code[20:]}
        rows.append([record, 0.5 + 0.01 * cost, cost])
    path.write_text(json.dumps(rows))
    return codes


def test_a_residual_archive_is_read_and_what_is_switched_off_costs_nothing(tmp_path, rng):
    from benchmarks.archives import load, residual_costs

    codes = residual_archive(tmp_path / "archive.json")
    data = load(tmp_path / "archive.json")
    assert (data.codes == codes).all()
    assert data.description.active(codes).sum(axis=1) == pytest.approx(14 + codes[:, :4].sum(axis=1))
    canonical = data.description.canonical(codes)
    assert (residual_costs(canonical) == residual_costs(codes)).all()
    smallest, largest = np.zeros((1, 25), dtype=int), np.array([[2, 3, 4, 2, *[2] * 21]])
    costs = residual_costs(np.concatenate([smallest, codes, largest]))
    assert (costs[0] <= costs.min(axis=0)).all()
    assert (costs[-1] >= costs.max(axis=0)).all()


def test_a_pool_is_read(tmp_path):
    from benchmarks.archives import load

    lines = [{"space": "nano"}, {"code": "0 00 001100 001100 00111100 001100", "miou": 0.25}]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = load(tmp_path / "pool.jsonl")
    assert data.miou.tolist() == [0.25]
    assert data.description.length == 29


@pytest.mark.parametrize(
    "content", ["[[1, 2, 3]]", '{"no": "pool"}\n', "text", '[[{"d": [9], "e": [], "w": []}, 1, 1]]']
)
def test_files_of_another_kind_are_refused(content, tmp_path):
    from benchmarks.archives import load
    from mosegedge.errors import MosegedgeError

    (tmp_path / "file").write_text(content)
    with pytest.raises(MosegedgeError):
        load(tmp_path / "file")


def test_the_benchmark_prints_a_table_and_writes_json_and_a_picture(tmp_path, capsys):
    from benchmarks.predictors import main

    residual_archive(tmp_path / "archive.json")
    written = [tmp_path / "table.json", tmp_path / "table.png"]
    arguments = ["--sizes", "20,40", "--repeats", "2", "--predictors", "gp,tree,log-flops"]
    main([str(tmp_path / "archive.json"), *arguments, "--output", str(written[0]), "--picture", str(written[1])])
    said = capsys.readouterr().out
    assert "20 networks to learn from, 40 to order, 2 splits" in said
    rows = json.loads(written[0].read_text())["rows"]
    assert [(row["train"], row["predictor"]) for row in rows][:3] == [(20, "gp"), (20, "tree"), (20, "log FLOPs")]
    assert all(row["mean"]["tau"] == 1 for row in rows if row["predictor"] == "log FLOPs")
    assert all(row["mean"]["tau"] > 0.8 for row in rows if row["predictor"] == "gp")
    assert written[1].stat().st_size > 1000


def test_an_interrupted_benchmark_goes_on_and_gives_the_same_table(tmp_path, capsys, monkeypatch):
    from benchmarks import predictors, splits

    residual_archive(tmp_path / "archive.json")
    source = str(tmp_path / "archive.json")
    arguments = [source, "--sizes", "20", "--repeats", "3", "--predictors", "tree,rbf", "--json"]
    predictors.main(arguments)
    whole = json.loads(capsys.readouterr().out)["rows"]
    score, done = splits._score, []

    def killed_after_four(task):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(task)
        return score(task)

    arguments += ["--journal", str(tmp_path / "kept.jsonl")]
    monkeypatch.setattr(splits, "_score", killed_after_four)
    with pytest.raises(KeyboardInterrupt):
        predictors.main(arguments)
    done.clear()
    predictors.main(arguments)
    assert [(task.predictor, task.repeat) for task in done] == [("tree", 2), ("rbf", 2)]
    rows = json.loads(capsys.readouterr().out)["rows"]
    timeless = {"tau", "spearman", "pearson", "error"}
    for ours, expected in zip(rows, whole, strict=True):
        assert {name: ours["mean"][name] for name in timeless} == {name: expected["mean"][name] for name in timeless}
    residual_archive(tmp_path / "other.json", 50)
    with pytest.raises(SystemExit):
        predictors.main([str(tmp_path / "other.json"), *arguments[1:]])
    assert "scores on other networks" in capsys.readouterr().err


def test_speed_times_each_predictor_in_each_round(tmp_path, capsys):
    from benchmarks.predictors import main

    residual_archive(tmp_path / "archive.json")
    main([str(tmp_path / "archive.json"), "--speed", "--repeats", "2", "--predictors", "tree,log-flops", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["predictor"], row["rows"], row["rounds"]) == ("tree", 60, 2)
    assert 0 < row["fit_s"] <= row["median_fit_s"]
    main([str(tmp_path / "archive.json"), "--speed", "--repeats", "1", "--predictors", "tree"])
    assert "Fitted to 60 networks in 1 rounds" in capsys.readouterr().out


def test_labels_are_moved_apart_and_no_further():
    from benchmarks.predictor_pictures import spread

    assert spread([0.5, 0.9, 0.1], 0.1, 1.0) == pytest.approx([0.5, 0.9, 0.1])
    moved = spread([0.50, 0.52, 0.51, 0.9], 0.1, 1.0)
    assert moved == pytest.approx([0.41, 0.61, 0.51, 0.9])
    assert max(spread([0.99, 0.98], 0.1, 1.0)) <= 1.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sizes", "x"], "cannot be read"),
        (["--sizes", "60"], "cannot be used"),
        (["--sizes", "20", "--predictors", "gpp"], "mean gp"),
    ],
)
def test_the_benchmark_refuses_what_it_cannot_do(arguments, said, tmp_path, capsys):
    from benchmarks.predictors import main

    residual_archive(tmp_path / "archive.json")
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "archive.json"), *arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_every_row_of_the_development_of_ranknet_is_a_predictor(tmp_path):
    from benchmarks.archives import load
    from benchmarks.contenders import COMPARISON, DEVELOPMENT, contender

    residual_archive(tmp_path / "archive.json")
    data = load(tmp_path / "archive.json")
    for name in (*COMPARISON, *DEVELOPMENT):
        assert callable(contender(name, data, np.random.default_rng(0)).fit)
