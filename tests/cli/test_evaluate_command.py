"""`mosegedge evaluate`: inherited weights, a retrained network, an exported file; the same numbers every time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from miniatures import own
from PIL import Image
from torch import Tensor

from mosegedge.cli import options
from mosegedge.cli.main import main
from mosegedge.data import SegmentationSet, cached
from mosegedge.data.scenes import SceneSet
from mosegedge.export.inherit import export_trained
from mosegedge.files import sha256_of_file
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.network import load_network, save_network

SPACE = SearchSpace.load("nano:96x192:19")
CODE = "0 00 001100 001100 00111100 001100"
SUPERNET = Supernet(SPACE, torch.Generator().manual_seed(0))
Run = Callable[..., tuple[int, str, str]]


def pictures(split: str) -> SegmentationSet:
    return cached(SceneSet(split, {"train": 8, "guide": 3, "val": 4}[split]))


def evaluator() -> InheritedEvaluator:
    return InheritedEvaluator(SUPERNET, pictures("train"), pictures("guide"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    info = SupernetInfo(space=SPACE, data="scenes", step=0, training={})
    save_supernet(folder / "supernet.safetensors", SUPERNET, info)
    save_network(folder / "network/network.safetensors", evaluator().subnet(Architecture.parse(CODE)), info)
    path = folder / "network/network.safetensors"
    guide = pictures("guide")
    save_network(folder / "swapped.safetensors", load_network(path).subnet, replace(info, classes=guide.classes[::-1]))
    export_trained(folder / "bundle", load_network(path), path=path, guide=guide, opset=17, predicted=None)
    own(folder / "own")
    own(folder / "without", val=0)
    for name in ("both/network.safetensors", "both/bundle.json", "search/run.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in the project folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def few(name: str, split: str, root: Path | None) -> SegmentationSet:
        return pictures(split) if name == "scenes" else options.open_data(name, split, root)

    monkeypatch.setattr("mosegedge.cli.evaluate.open_once", few)
    monkeypatch.setattr("mosegedge.cli.scorable.open_data", few)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mosegedge", "evaluate", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def scored(run: Run, *arguments: str) -> dict[str, Any]:
    code, out, err = run(*arguments, "--json", "--on", "cpu")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_code_scores_what_a_search_gives_it(run: Run, folder: Path) -> None:
    found = scored(run, CODE, "--supernet", "supernet.safetensors", "--part", "guide")
    assert found["miou"] == evaluator()(Architecture.parse(CODE))
    assert (found["kind"], found["data"], found["part"], found["pictures"]) == ("inherited", "scenes", "guide", 3)
    assert (found["sha256"], found["statistics_pictures"]) == (sha256_of_file(folder / "supernet.safetensors"), 8)
    assert found["input_sizes"] == [list(SPACE.input_size(Architecture.parse(CODE)))]


@pytest.mark.parametrize(("there", "wanted", "used"), [(8, 9, 8), (18, 9, 8), (18, 64, 16), (24, 20, 16)])
def test_it_says_on_how_many_pictures_statistics_really_are(
    run: Run, monkeypatch: pytest.MonkeyPatch, there: int, wanted: int, used: int
) -> None:
    batches = []

    def reestimate(subnet: SubNet, found: Iterable[Tensor]) -> None:
        batches.extend(len(batch) for batch in found)

    monkeypatch.setattr("mosegedge.cli.scorable.open_data", lambda *named: cached(SceneSet("train", there)))
    monkeypatch.setattr("mosegedge.supernet.evaluate.reestimate_statistics", reestimate)
    given = [CODE, "--supernet", "supernet.safetensors", "--statistics-pictures", str(wanted), "--pictures", "1"]
    code, out, err = run(*given, "--on", "cpu", "--json")
    assert code == 0, err
    assert f"Re-estimating batch-norm statistics on {used} pictures of scenes/train" in err
    assert (json.loads(out)["statistics_pictures"], batches) == (used, [8] * (used // 8))


def test_a_network_and_its_exported_file_score_alike(run: Run) -> None:
    network, bundle, file = (scored(run, name) for name in ("network", "bundle", "bundle/network.onnx"))
    assert (network["kind"], bundle["kind"], bundle["weights"]) == ("trained", "onnx", "bundle/network.onnx")
    assert network["code"] == bundle["code"] == CODE.replace(" ", "-")
    assert "onnxruntime" in bundle["versions"]
    assert bundle | {"network": ""} == file | {"network": ""}
    assert network["pixels_sha256"] == bundle["pixels_sha256"]
    counts = [np.array(one["confusion"]) for one in (network, bundle)]
    assert np.abs(counts[0] - counts[1]).sum() <= 1e-3 * counts[0].sum()
    assert len(set(np.nonzero(counts[0])[1])) > 1


def test_two_runs_give_the_same_file(run: Run, folder: Path) -> None:
    given = ("network", "--scales", "0.5,1", "--flip", "--boundary", "--pictures", "2", "--on", "cpu")
    written = ("--picture", "confusion.png", "--overlays", "overlays.png", "--samples", "2")
    code, out, err = run(*given, *written, "--output", "one.json")
    assert code == 0, err
    assert "Wrote confusion.png" in err
    found = json.loads((folder / "one.json").read_text())
    assert scored(run, *given, "--output", "two.json") == found
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()
    assert (found["scales"], found["flip"], found["pictures"]) == ([0.5, 1.0], True, 2)
    assert found["boundary"]["share"] == 0.02
    lines = out.splitlines()
    assert lines[1] == "weights  its own, in network/network.safetensors"
    assert lines[2] == f"looks    at scenes/val in {_sizes(found)}, each mirrored too"
    assert lines[3].split() == ["class", "IoU", "boundary", "recall", "precision", "pixels"]
    assert f"mIoU {found['miou']:.4f}, boundary mIoU {found['boundary']['miou']:.4f}" in out
    for name in ("confusion.png", "overlays.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 300


def _sizes(found: dict[str, Any]) -> str:
    return ", ".join(f"{width}x{height}" for height, width in found["input_sizes"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["9"], 2, "A code has 29 digits"),
        (["runs/serch"], 2, "'runs/serch' is no code, and no file or folder of this name is there."),
        (["search"], 2, "mosegedge evaluate search:1"),
        ([CODE, "--supernet", "none"], 6, "no checkpoint none"),
        ([CODE, "--scales", "1,0"], 2, "cannot be looked at in the scale 0"),
        ([CODE, "--scales", "1;2"], 2, "--scales 1;2 cannot be read"),
        ([CODE, "--picture", "matrix.svg"], 2, "Name it *.png"),
        ([CODE, "--on", "gpu"], 2, "no processor 'gpu'"),
        (["none.safetensors"], 6, "no checkpoint none.safetensors"),
        (["supernet.safetensors"], 6, "mosegedge-supernet-1"),
        (["swapped.safetensors"], 6, "was trained on other classes than those of scenes: class 0 is 'bicycle' in it"),
        (["network", "--supernet", "demo"], 2, "Leave --supernet out"),
        (["."], 2, "mosegedge evaluate CODE --supernet ."),
        (["both"], 2, "holds both"),
        (["none.onnx"], 9, "no file none.onnx"),
        (["bundle", "--scales", "0.5,1"], 2, "one input size"),
        (["bundle", "--on", "cuda"], 2, "ONNX Runtime on the CPU"),
        (["network", "--part", "test"], 2, "test"),
        (["network", "--data", "camvid"], 5, "CamVid is read from a folder, and none was named"),
        (["network", "--data", "folder", "--data-root", "none"], 5, "does not exist"),
        (["network", "--data", "folder", "--data-root", "without"], 5, "images/val, labels/val are not there"),
        (["network", "--data", "folder", "--data-root", "own"], 2, "folder has 3 classes, the network tells 19"),
        (["bundle", "--data", "folder", "--data-root", "own"], 2, "folder has 3 classes, the network tells 19"),
        ([CODE, "--supernet", "supernet.safetensors", "--data", "folder", "--data-root", "own"], 2, "3 classes"),
    ],
)
def test_what_cannot_be_scored_is_refused(run: Run, arguments: list[str], code: int, said: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, ""), err
    assert said in err


@pytest.fixture
def searched(folder: Path) -> Path:
    """A finished search with the supernet, which is not the shipped one."""
    run = folder / "search"
    run.mkdir(exist_ok=True)
    supernet = {"path": "supernet.safetensors", "digest": sha256_of_file(folder / "supernet.safetensors")}
    (run / "front.json").write_text(json.dumps({"chosen": [{"k": 1, "code": CODE}]}))
    (run / "run.json").write_text(json.dumps({"profile": {"reference": "x"}, "supernet": supernet}))
    return run


@pytest.mark.usefixtures("searched")
def test_a_chosen_network_has_the_weights_of_its_search(run: Run, folder: Path) -> None:
    found = scored(run, "search:1", "--part", "guide")
    assert found["miou"] == evaluator()(Architecture.parse(CODE))
    assert found["sha256"] == sha256_of_file(folder / "supernet.safetensors")


def test_another_supernet_than_that_of_the_search_is_said_or_refused(run: Run, searched: Path) -> None:
    record = json.loads((searched / "run.json").read_text())
    record["supernet"]["digest"] = "0" * 64
    (searched / "run.json").write_text(json.dumps(record))
    code, _, err = run("search:1")
    assert code == 6
    assert "supernet.safetensors is not the checkpoint that the search of search:1 used" in err
    code, _, err = run("search:1", "--supernet", "supernet.safetensors", "--on", "cpu")
    assert code == 0
    assert "another supernet than that of the search which chose search:1" in err
