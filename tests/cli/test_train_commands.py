"""`mosegedge train` and `retrain`: plans, what is refused, and a retrained network on its way into a bundle."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mosegedge.cli import options
from mosegedge.cli.main import main
from mosegedge.data import SegmentationSet, cached
from mosegedge.data.scenes import SceneSet
from mosegedge.export.bundle import load_bundle
from mosegedge.space import SearchSpace
from mosegedge.supernet import place as place_module
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet, supernet_info
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.place import Place

FIRST_CPU = torch.device("cpu", 0)
SPACE = SearchSpace.load("nano:96x192:19")
CODE = "0 00 001100 001100 00111100 001100"
FEW = ["--steps", "1", "--batch-size", "2"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    info = SupernetInfo(space=SPACE, data="scenes", step=0, training={})
    save_supernet(folder / "supernet.safetensors", Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    rng = np.random.default_rng(0)
    for name in ("train/car", "train/tree"):
        (folder / "classes" / name).mkdir(parents=True)
        for index in range(2):
            pixels = rng.integers(0, 256, (40, 60, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "classes" / name / f"{index}.png")
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in the project folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def few(name: str, split: str, root: Path | None) -> SegmentationSet:
        assert name == "scenes"
        return cached(SceneSet(split, 4))

    for module in ("train", "retrain", "plan", "weights"):
        monkeypatch.setattr(f"mosegedge.cli.{module}.open_data", few)
    monkeypatch.setattr("mosegedge.cli.retrain.open_once", few)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mosegedge", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def test_a_dry_run_prints_the_plan_and_writes_nothing(run: Run, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    code, out, _ = run("train", "--dry-run", "--steps", "100", "--on", "cpu")
    assert code == 0
    assert "data        scenes, 4 pictures\nsteps       100 of 8 pictures, 200.0 times over the pictures" in out
    assert "from step   0: the largest network alone\nfrom step   10: depth\nfrom step   20: expansion" in out
    recipe = 'data = "scenes"\nspace = "nano"\n[segment]\nsteps = 1000\nwarmup_steps = 0\nlearning_rate = 0.2\n'
    (folder / "mine.toml").write_text(recipe)
    code, out, _ = run("train", "--recipe", "mine.toml", "--batch-size", "16", "--dry-run", "--json", "--on", "cpu")
    plan = json.loads(out)
    assert (plan["recipe"], plan["stage"], plan["space"], plan["data"]) == (
        "mine", "segment", "nano:192x384:19", "scenes",
    )  # fmt: skip
    assert (plan["settings"]["steps"], plan["settings"]["batch_size"], plan["pictures"]) == (1000, 16, 4)
    assert plan["learning_rates"] == {"after_warmup": 0.2, "last": pytest.approx(0.2 * 0.001**0.9)}
    assert [part["first"] for part in plan["stages"]] == [0, 100, 200, 300]
    code, out, _ = run("retrain", CODE, "--from-scratch", "--recipe", "mine.toml", "--dry-run", "--on", "cpu")
    assert "recipe      mine, stage retrain" in out
    assert "rate        0.01, poly to 7.2e-07 in the last step" in out
    (folder / "mine.toml").unlink()
    assert sorted(folder.rglob("*")) == before


def test_a_plan_of_a_pretraining_counts_the_pictures_of_its_classes(run: Run) -> None:
    given = ("train", "--stage", "pretrain", "--dry-run", "--on", "cpu")
    _, out, _ = run(*given)
    assert "not named: --data-root DIR" in out
    code, out, err = run(*given, "--data-root", "classes", "--data", "folder", "--json")
    assert code == 0, err
    assert json.loads(out)["pictures"] == 4


def test_a_plan_without_its_pictures_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mosegedge.cli.plan.open_data", options.open_data)
    code, out, _ = run("train", "--data", "camvid", "--dry-run", "--on", "cpu")
    assert code == 0
    assert "data        camvid, not opened: CamVid is read from a folder, and none was named" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train"], 2, "--output runs/NAME"),
        (["train", "--stage", "sement", "--dry-run"], 2, "no stage 'sement'"),
        (["train", "--recipe", "senes", "--dry-run"], 2, "no recipe senes"),
        (["train", "--precision", "fp16", "--on", "cpu", "--dry-run"], 2, "fp16 cannot be trained on a CPU"),
        (["train", "--precision", "int8", "--dry-run"], 2, "precision"),
        (["train", "--stage", "pretrain", "--output", "run"], 2, "--data-root DIR"),
        (["train", "--stage", "pretrain", "--encoder", "demo", "--output", "run"], 2, "not from --encoder demo"),
        (["train", "--encoder", "none", "--output", "run"], 6, "no checkpoint none"),
        (["train", "--space", "nano", "--guide-pictures", "0", "--output", "run"], 2, "guide_pictures is 0"),
        (["retrain", CODE, "--output", "run"], 2, "--from-scratch"),
        (["retrain", CODE, "--supernet", "demo", "--from-scratch", "--output", "run"], 2, "Give one of"),
        (["retrain", "9", "--from-scratch", "--output", "run"], 2, "A code has 29 digits"),
        (["retrain", CODE, "--supernet", "supernet.safetensors", "--space", "tiny", "--output", "run"], 6, "of space"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    run: Run, folder: Path, arguments: list[str], code: int, said: str
) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, ""), err
    assert said in err
    assert not (folder / "run").exists()


@pytest.mark.parametrize(("name", "value"), [("WORLD_SIZE", "two"), ("RANK", ""), ("MASTER_PORT", "first")])
def test_a_launcher_that_says_nonsense_is_told_so(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    launched = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", name: value}
    for variable, said in launched.items():
        monkeypatch.setenv(variable, said)
    found, out, err = run("train", "--space", "nano", *FEW, "--output", "run", "--on", "cpu")
    assert (found, out) == (2, ""), err
    assert name in err
    assert "torchrun" in err
    assert not (folder / "run").exists()


def test_a_retrained_network_is_scored_and_exported_with_its_own_weights(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--supernet", "supernet.safetensors", *FEW, "--output", "network", "--on", "cpu", "--json")
    code, out, err = run("retrain", CODE, *arguments)
    assert code == 0, err
    result = json.loads(out)
    assert (result["code"], result["data"]) == (CODE.replace(" ", "-"), "scenes")
    assert 0 <= result["val_miou"] == result["val"]["miou"] <= 1
    assert (result["val"]["pictures"], len(result["val"]["classes"])) == (4, 19)
    assert "mosegedge export network" in err

    code, _, err = run("export", "network", "--output", "bundle", "--no-build")
    assert code == 0, err
    exported = load_bundle(folder / "bundle").subnet().state_dict()
    from mosegedge.supernet.network import load_network

    own = load_network(folder / "network/network.safetensors").subnet.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in exported.items())

    swapped = cached(SceneSet("guide", 4))
    swapped.classes = swapped.classes[::-1]
    monkeypatch.setattr("mosegedge.cli.weights.open_data", lambda *_: swapped)
    code, _, err = run("export", "network", "--output", "swapped", "--no-build")
    assert (code, (folder / "swapped").exists()) == (6, False), err
    assert "was trained on other classes than those of scenes" in err


def watched_places(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Learns where a training computes and where its networks are scored; --on cpu means the first CPU from here on."""
    places: dict[str, object] = {}
    supernet, evaluator = Place.hold, InheritedEvaluator.__init__

    def hold(place: Place, network: torch.nn.Module, *, channels_last: bool) -> torch.nn.Module:
        places["trained"] = place.device
        return supernet(place, network, channels_last=channels_last)

    def begin(self: InheritedEvaluator, *arguments: object, **options: object) -> None:
        places["scored"], places["pictures"] = options["device"], options["guide_pictures"]
        evaluator(self, *arguments, **options)

    monkeypatch.setattr(place_module, "device_named", lambda name: {"cpu": FIRST_CPU}[name])
    monkeypatch.setattr(Place, "hold", hold)
    monkeypatch.setattr(InheritedEvaluator, "__init__", begin)
    return places


def test_an_encoder_is_pretrained_and_a_supernet_starts_from_it(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ("--space", "nano:96x192:19", "--on", "cpu", "--json")
    code, out, err = run("train", "--stage", "pretrain", "--data-root", "classes", *FEW, *start, "--output", "encoder")
    assert code == 0, err
    assert json.loads(out) == {"encoder": "encoder/encoder.safetensors"}
    assert "mosegedge train --encoder encoder" in err
    printed = err.split("Next: mosegedge ")[1].splitlines()[0]
    code, out, err = run(*shlex.split(printed), "--dry-run", "--json")
    assert (code, json.loads(out)["space"]) == (0, "nano:96x192:19"), err
    places = watched_places(monkeypatch)
    scored = ("--guide-pictures", "3")
    code, out, err = run("train", "--encoder", "encoder", *FEW, *start, *scored, "--output", "trained")
    assert code == 0, err
    result = json.loads(out)
    assert set(result["scores"]) == {"smallest", "middle", "largest"}
    assert result["guide_pictures"] == 3
    assert places == {"trained": FIRST_CPU, "scored": FIRST_CPU, "pictures": 3}
    training = supernet_info(folder / "trained/supernet.safetensors").training
    assert (training["recipe"], training["steps"], len(training["encoder"])) == ("scenes", 1, 64)
