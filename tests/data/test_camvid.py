import numpy as np
import pytest
from PIL import Image

from mosegedge import data
from mosegedge.data.labels import IGNORE
from mosegedge.errors import DataError


def write_frame(root, part, name, *, label=3, suffix=".png", size=(480, 360)):
    for folder in (root / part, root / f"{part}annot"):
        folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (10, 20, 30)).save(root / part / f"{name}{suffix}")
    Image.new("L", size, label).save(root / f"{part}annot" / f"{name}.png")


@pytest.fixture
def root(tmp_path):
    for sequence, frames in (("0001TP", 11), ("Seq05VD", 22)):
        for frame in range(frames):
            write_frame(tmp_path, "train", f"{sequence}_{frame:05d}", suffix=".jpg" if frame % 2 else ".png")
    write_frame(tmp_path, "val", "0016E5_00000", label=11)
    write_frame(tmp_path, "val", "0016E5_00001", label=10)
    return tmp_path


def test_splits(root):
    sets = {split: data.load("camvid", split, root) for split in data.SPLITS}
    assert {split: len(held) for split, held in sets.items()} == {"train": 27, "guide": 6, "val": 2}
    assert not set(sets["train"].names) & set(sets["guide"].names)


def test_guide_is_the_last_stretch_of_each_sequence(root):
    names = data.load("camvid", "guide", root).names
    assert names == [f"0001TP_{frame:05d}" for frame in (9, 10)] + [f"Seq05VD_{frame:05d}" for frame in range(18, 22)]


def test_void_becomes_ignore_and_other_labels_stay(root):
    dataset = data.load("camvid", "val", root)
    void, bicyclist = dataset.read(0), dataset.read(1)
    assert np.unique(void.mask).tolist() == [IGNORE]
    assert np.unique(bicyclist.mask).tolist() == [10]
    assert bicyclist.image[0, 0].tolist() == [10, 20, 30]
    assert len(dataset.classes) == len(dataset.palette) == 11
    assert dataset.classes[0] == "sky"
    assert dataset.classes[10] == "bicyclist"


def test_reading_needs_a_root():
    with pytest.raises(DataError, match="--data-root DIR") as caught:
        data.load("camvid", "val")
    assert "SegNet" in str(caught.value)


@pytest.mark.parametrize("folder", ["train", "trainannot"])
def test_a_missing_folder_is_named(root, folder):
    (root / folder).rename(root / "elsewhere")
    with pytest.raises(DataError, match=f"{folder} is not there") as caught:
        data.load("camvid", "train", root)
    assert "valannot" in caught.value.known
    assert "--data-root" in caught.value.fix


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere, which does not exist"):
        data.load("camvid", "val", tmp_path / "nowhere")


def test_an_empty_folder_is_named(root):
    for folder in ("val", "valannot"):
        for path in (root / folder).iterdir():
            path.unlink()
    with pytest.raises(DataError, match="holds no picture of val"):
        data.load("camvid", "val", root)


@pytest.mark.parametrize(("part", "lacking"), [("valannot", "labels"), ("val", "a picture")])
def test_a_lonely_file_is_named(root, part, lacking):
    (root / part / "0016E5_00001.png").unlink()
    with pytest.raises(
        DataError, match=rf"1 of the 2 pictures of CamVid's val lack {lacking}; the first is 0016E5_00001"
    ):
        data.load("camvid", "val", root)


def test_a_wrong_label_is_named(root):
    write_frame(root, "val", "0016E5_00001", label=12)
    with pytest.raises(DataError, match=r"0016E5_00001\.png holds the label 12 \(172800 pixels\)") as caught:
        data.load("camvid", "val", root).read(1)
    assert "11 for void" in caught.value.known


def test_a_wrong_size_is_named(root):
    write_frame(root, "val", "0016E5_00000", size=(960, 720))
    with pytest.raises(DataError, match="is 960x720") as caught:
        data.load("camvid", "val", root).read(0)
    assert "480x360" in caught.value.known


def test_coloured_labels_are_refused(root):
    Image.new("RGB", (480, 360)).save(root / "valannot" / "0016E5_00000.png")
    with pytest.raises(DataError, match="kind 'RGB'"):
        data.load("camvid", "val", root).read(0)


def test_a_damaged_picture_is_named(root):
    (root / "val" / "0016E5_00000.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0016E5_00000\.png cannot be read"):
        data.load("camvid", "val", root).read(0)
