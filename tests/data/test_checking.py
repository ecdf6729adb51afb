import json

import miniatures
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from mosegedge import data
from mosegedge.cli import data as commands
from mosegedge.data.check import check_split
from mosegedge.errors import DataError
from mosegedge.progress import Silent


def run(*arguments):
    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["data", "check", *map(str, arguments)])


def problems_of(root, name="folder"):
    result = run(name, "--root", root, "--json")
    assert result.exit_code == (DataError.exit_code if json.loads(result.stdout)["problems"] else 0), result.output
    return json.loads(result.stdout)["problems"]


@pytest.fixture
def root(tmp_path):
    return miniatures.own(tmp_path / "mine")


def test_a_data_set_in_order(root):
    result = run("folder", "--root", root)
    assert result.exit_code == 0, result.output
    assert "Every file is in order." in result.stdout
    assert "guide is held out from train" in result.stdout
    answer = json.loads(run("folder", "--root", root, "--json").stdout)
    assert [answer["splits"][split]["pictures"] for split in ("train", "guide", "val")] == [5, 1, 2]
    assert answer["splits"]["val"]["sizes"] == {"40x30": 2}
    assert answer["splits"]["val"]["classes"]["sky"] == {"pixel_share": 0.5, "pictures": 1}


def test_missing_partners_are_found_on_both_sides(root):
    (root / "images" / "val" / "000.png").unlink()
    (root / "labels" / "train" / "001.png").unlink()
    found = {(problem["split"], problem["kind"], problem["file"]) for problem in problems_of(root)}
    assert found == {
        ("val", "missing picture", str(root / "images" / "val" / "000.png")),
        ("train", "missing labels", str(root / "labels" / "train" / "001.png")),
    }


def test_without_a_readable_picture_there_is_no_sheet_but_every_problem(root, tmp_path):
    for mask in (root / "labels").rglob("*.png"):
        mask.unlink()
    sheet = tmp_path / "sheet.png"
    result = run("folder", "--root", root, "--picture", sheet)
    assert result.exit_code == DataError.exit_code, result.output
    assert "missing labels" in result.stdout
    assert "was not written" in result.stderr
    assert not sheet.exists()


def test_a_missing_file_moves_no_other_picture_to_another_split(root):
    before = data.load("folder", "guide", root).names
    (root / "labels" / "train" / "000.png").unlink()
    layout, place = data.located("folder", root)
    findings = check_split(layout, "guide", place, Silent(), workers=1)
    assert findings.pairs == len(before)


def test_damage_sizes_and_strange_labels_are_all_named(root):
    (root / "images" / "val" / "000.png").write_bytes(b"no picture")
    miniatures.write_mask(root / "labels" / "val" / "001.png", 0, (20, 30))
    strange = np.zeros((30, 40), np.uint8)
    strange[0, :2] = 3, 77
    miniatures.write_mask(root / "labels" / "train" / "001.png", strange)
    Image.new("RGB", (40, 30)).save(root / "labels" / "train" / "003.png")
    (root / "images" / "train" / "004.png").write_bytes((root / "images" / "train" / "005.png").read_bytes()[:60])
    found = problems_of(root)
    assert {problem["file"].removeprefix(f"{root}/"): problem["kind"] for problem in found} == {
        "images/val/000.png": "unreadable",
        "labels/val/001.png": "another size",
        "labels/train/001.png": "labels without a meaning",
        "labels/train/003.png": "unreadable",
        "images/train/004.png": "unreadable",
    }
    details = " ".join(problem["detail"] for problem in found)
    for words in ("is 20x30, its picture", "labels 3 (1 pixels), 77 (1 pixels)", "kind 'RGB'", "cannot be read"):
        assert words in details


def test_text_names_the_problems_and_a_hundred_do_not_fill_the_screen(tmp_path):
    root = miniatures.own(tmp_path, train=40)
    for path in (root / "labels" / "train").iterdir():
        path.unlink()
    result = run("folder", "--root", root)
    assert result.exit_code == DataError.exit_code
    assert "40 problems: 40 missing labels." in result.stdout
    assert "and 20 more" in result.stdout


def test_an_incomplete_data_set_is_noted_but_no_problem(tmp_path):
    root = miniatures.cocostuff(tmp_path, [f"{number:02d}" for number in range(6)], ["t"], [[1, 2]])
    result = run("cocostuff10k", "--root", root)
    assert result.exit_code == 0, result.output
    assert "Note: train has 5 pictures with labels; complete it has 8,500." in result.stdout


def test_samples_are_shown_with_a_legend(root, tmp_path):
    miniatures.write_picture(root / "images" / "val" / "000.png", (960, 30))  # wider than a cell, and unequal
    miniatures.write_mask(root / "labels" / "val" / "000.png", 2, (960, 30))
    (root / "images" / "val" / "001.png").write_bytes(b"")
    result = run("folder", "--root", root, "--picture", tmp_path / "sheet.png", "--samples", "2", "--json")
    assert result.exit_code == DataError.exit_code
    with Image.open(json.loads(result.stdout)["picture"]) as sheet:
        pixels = np.array(sheet)
    overlaid = np.rint(np.array([10, 20, 30]) * 0.5 + data.load("folder", "train", root).palette[2] * 0.5)
    assert (pixels == overlaid).all(axis=2).sum() >= 480 * 15
    assert (pixels == [70, 130, 180]).all(axis=2).sum() > 100  # sky, in the legend


def test_only_the_first_pictures(root):
    result = run("folder", "--root", root, "--pictures", "2", "--json")
    assert {split: found["read"] for split, found in json.loads(result.stdout)["splits"].items()} == {
        "train": 2,
        "guide": 1,
        "val": 2,
    }


def test_scenes_are_checked_too(tmp_path):
    result = run("scenes", "--pictures", "1", "--picture", tmp_path / "sheet.png", "--samples", "1")
    assert result.exit_code == 0, result.output
    assert "384x192" in result.stdout
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 384
