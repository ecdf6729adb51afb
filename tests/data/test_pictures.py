import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mosegedge import data
from mosegedge.cli import data as commands
from mosegedge.data.census import take_census
from mosegedge.data.labels import CITYSCAPES, palette_of
from mosegedge.data.sheet import contact_sheet
from mosegedge.errors import DataError
from mosegedge.progress import Silent

PALETTE = np.array([[10, 20, 30], [200, 100, 0]], np.uint8)


def run(*arguments):
    import typer

    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["data", *arguments])


def test_colorize():
    shown = data.colorize(np.array([[0, 1, 255]]), PALETTE)
    assert shown.tolist() == [[[10, 20, 30], [200, 100, 0], [0, 0, 0]]]


def test_overlay_keeps_ignored_pixels():
    image = np.full((1, 2, 3), 100, np.uint8)
    assert data.overlay(image, np.array([[1, 255]]), PALETTE).tolist() == [[[150, 100, 50], [100, 100, 100]]]


def test_palettes_have_distinct_colours():
    for name in ("scenes",):
        palette = data.load(name, "val").palette
        assert len({tuple(colour) for colour in palette.tolist()}) == len(palette) == len(CITYSCAPES)
    assert palette_of(CITYSCAPES).dtype == np.uint8


@pytest.mark.parametrize(("count", "columns", "shape"), [(3, 2, (384, 1536, 3)), (1, 4, (192, 768, 3))])
def test_contact_sheet_is_a_full_grid(count, columns, shape):
    assert contact_sheet(data.load("scenes", "val"), range(count), columns=columns).shape == shape


def test_an_empty_sheet_is_refused():
    with pytest.raises(DataError, match="at least one"):
        contact_sheet(data.load("scenes", "val"), [])


def test_census_counts_every_pixel():
    census = take_census(data.load("scenes", "guide"), Silent(), limit=4)
    assert census.pictures == 4
    assert census.pixels.sum() + census.ignored == 4 * 192 * 384
    assert census.shares.sum() == pytest.approx(1.0)
    assert census.appearances.max() == 4


def test_show_writes_a_picture(tmp_path):
    result = run("show", "scenes", "--output", str(tmp_path / "new" / "sheet.png"), "--count", "2", "--blend", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["indices"] == [0, 1]
    with Image.open(answer["file"]) as sheet:
        assert sheet.size == (1536, 192)


def test_check_counts_the_splits():
    result = run("check", "scenes", "--pictures", "2", "--json")
    assert result.exit_code == 0, result.output
    splits = json.loads(result.stdout)["splits"]
    assert set(splits) == set(data.SPLITS)
    assert (splits["val"]["read"], splits["val"]["pictures"]) == (2, 300)
    assert list(splits["val"]["classes"]) == list(CITYSCAPES)


def test_check_prints_a_table():
    result = run("check", "scenes", "--pictures", "1")
    assert "traffic sign" in result.stdout
    assert "train      2,000     2,000       1  384x192" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "camvid"),
        ("check", "kitti"),
        ("show", "scenes", "--output", "x.png", "--split", "test"),
        ("show", "scenes", "--output", "x.png", "--first", "200"),
    ],
)
def test_bad_input_is_a_data_error(arguments):
    assert isinstance(run(*arguments).exception, DataError)


@pytest.mark.parametrize("command", ["check", "show"])
def test_help_has_an_example(command):
    assert "Example: mosegedge data" in run(command, "--help").stdout
