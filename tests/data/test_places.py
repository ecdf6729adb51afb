import miniatures
import pytest

from mosegedge import data
from mosegedge.errors import DataError


@pytest.fixture
def root(tmp_path):
    return miniatures.own(tmp_path / "outer" / "inner" / "mine")


@pytest.mark.parametrize(
    ("wrong", "how"),
    [("..", "high"), ("../..", "high"), ("images", "deep"), ("images/train", "deep")],
)
def test_the_right_folder_above_or_below_is_found(root, wrong, how):
    with pytest.raises(DataError, match=f"too {how}") as caught:
        data.load("folder", "val", (root / wrong).resolve())
    assert caught.value.fix.endswith(f"--data-root {root}")


def test_what_is_missing_is_listed(root):
    (root / "labels" / "val").rename(root / "labels" / "validation")
    with pytest.raises(DataError, match="labels/val is not there") as caught:
        data.load("folder", "val", root)
    assert "index masks" in caught.value.known


def test_a_package_that_was_unpacked_beside_the_other_is_found(tmp_path):
    miniatures.cityscapes(tmp_path, {"train/bochum": 1, "val/lindau": 1}, size=(4, 2))
    (tmp_path / "gtFine_trainvaltest").mkdir()
    (tmp_path / "gtFine").rename(tmp_path / "gtFine_trainvaltest" / "gtFine")
    with pytest.raises(DataError, match="gtFine/train, gtFine/val are not there") as caught:
        data.load("cityscapes", "val", tmp_path)
    assert str(tmp_path / "gtFine_trainvaltest" / "gtFine") in caught.value.what


def test_a_folder_with_nothing_of_it_gets_every_layout(tmp_path):
    with pytest.raises(DataError, match="was not found") as caught:
        data.load("camvid", "val", tmp_path)
    for word in ("SegNet", "701_StillsRaw_full", "train_labels"):
        assert word in caught.value.known


def test_a_missing_root_and_a_file_are_named(tmp_path):
    with pytest.raises(DataError, match="nowhere, which does not exist"):
        data.load("cityscapes", "val", tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file, which is no folder"):
        data.load("cityscapes", "val", tmp_path / "file")
