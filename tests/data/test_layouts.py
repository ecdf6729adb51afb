import shutil

import miniatures
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mosegedge import data
from mosegedge.data import camvid, cocostuff
from mosegedge.data.labels import CITYSCAPES, IGNORE, bit_colours
from mosegedge.errors import DataError

TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9,
    23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip
"""From id to trainId, as cityscapesScripts 2.3.0 has them."""


def test_cityscapes_divides_by_cities(tmp_path):
    root = miniatures.cityscapes(tmp_path, {"train/bochum": 2, "train/jena": 1, "train/ulm": 1, "val/lindau": 1})
    names = {split: data.load("cityscapes", split, root).names for split in data.SPLITS}
    assert names == {
        "train": ["bochum/bochum_000000_000019", "bochum/bochum_000001_000019"],
        "guide": ["jena/jena_000000_000019", "ulm/ulm_000000_000019"],
        "val": ["lindau/lindau_000000_000019"],
    }


def test_cityscapes_ids_become_the_classes_that_are_scored(tmp_path):
    labels = np.zeros((1024, 2048), np.uint8)
    labels[0, :34] = range(34)
    root = miniatures.cityscapes(tmp_path, {"train/bochum": 1, "val/lindau": 1}, labels=labels)
    dataset = data.load("cityscapes", "val", root)
    expected = [TRAIN_IDS.get(label, IGNORE) for label in range(34)]
    assert dataset.read(0).mask[0, :34].tolist() == expected
    assert dataset.classes == tuple(CITYSCAPES)
    assert dataset.label_size == (1024, 2048)


def test_voc_takes_its_own_labels_first_and_those_of_the_boundaries_else(tmp_path):
    extra = [f"2008_{number:06d}" for number in range(4)]
    root = miniatures.voc(tmp_path / "VOCdevkit" / "VOC2012", extra=extra)
    elsewhere = tmp_path / "benchmark_RELEASE" / "dataset"
    miniatures.boundaries(elsewhere, ["2007_000032", *extra[:2]], ["2007_000033", *extra[2:]])
    train, guide = data.load("voc2012", "train", root), data.load("voc2012", "guide", root)
    assert sorted(train.names + guide.names) == ["2007_000032", *extra]
    assert len(guide) == 1
    labels = {
        name: int(held.read(index).mask[0, 0]) for held in (train, guide) for index, name in enumerate(held.names)
    }
    assert labels == {"2007_000032": 15, **dict.fromkeys(extra, 2)}
    assert data.load("voc2012", "val", root).names == ["2007_000033"]
    assert train.classes[15] == "person"
    assert train.label_size is None


@pytest.mark.parametrize(
    ("file", "line"),
    [("train_aug", "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png"), ("trainaug", "{0}")],
)
def test_voc_with_converted_labels(tmp_path, file, line):
    root = miniatures.voc(tmp_path)
    names = ("2007_000032", "2008_000002")
    miniatures.write_mask(root / "SegmentationClassAug" / "2008_000002.png", 20)
    miniatures.write_names(root / "ImageSets" / "Segmentation" / f"{file}.txt", [line.format(name) for name in names])
    held = data.load("voc2012", "train", root)
    assert held.names == list(names)
    assert held.read(1).mask[0, 0] == 20


def test_voc_without_a_list_of_the_extra_pictures_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(DataError, match="no list of the names") as caught:
        data.load("voc2012", "train", miniatures.voc(tmp_path))
    assert "train_aug.txt" in caught.value.known
    assert "benchmark_RELEASE/dataset/train.txt" in caught.value.known


def test_voc_keeps_palette_indices_and_ignores_borders(tmp_path):
    root = miniatures.voc(tmp_path)
    miniatures.write_mask(root / "SegmentationClass" / "2007_000033.png", [[0, 1], [20, 255]], palette=True)
    miniatures.write_picture(root / "JPEGImages" / "2007_000033.jpg", (2, 2))
    assert data.load("voc2012", "val", root).read(0).mask.tolist() == [[0, 1], [20, IGNORE]]


def test_colours_of_voc_follow_its_rule():
    assert bit_colours(21)[:4] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    assert bit_colours(21)[20] == (0, 64, 128)
    assert len(set(bit_colours(255))) == 255


@pytest.mark.parametrize(("ending", "offset", "unlabelled"), [("mat", 0, 0), ("png", 1, 255)])
def test_cocostuff_has_171_classes_in_both_numberings(tmp_path, ending, offset, unlabelled):
    labels = [[unlabelled, 1 - offset, 11 - offset, 13 - offset, 92 - offset, 182 - offset]]
    root = miniatures.cocostuff(tmp_path, ["a", "b"], ["c"], labels, ending)
    held = data.load("cocostuff10k", "val", root)
    assert held.read(0).mask.tolist() == [[IGNORE, 0, 10, 11, 80, 170]]
    assert [held.classes[number] for number in (0, 10, 11, 80, 170)] == [
        "person",
        "fire hydrant",
        "stop sign",
        "banner",
        "wood",
    ]
    assert len(held.classes) == len(np.unique(held.palette, axis=0)) == 171
    assert data.load("cocostuff10k", "train", root).names == ["a", "b"]


def test_labels_of_cocostuff_that_no_picture_has_are_refused(tmp_path):
    root = miniatures.cocostuff(tmp_path, ["a"], ["c"], [[1, 12, 91, 91]])
    with pytest.raises(DataError, match=r"labels 12 \(1 pixels\), 91 \(2 pixels\)"):
        data.load("cocostuff10k", "val", root).read(0)
    assert len(cocostuff.LAYOUTS[0].values.classes) == 172


def test_a_mat_file_without_labels_is_named(tmp_path):
    root = miniatures.cocostuff(tmp_path, ["a"], ["c"], [[1, 2]])
    whole = (root / "annotations" / "a.mat").read_bytes()
    savemat(tmp_path / "other.mat", {"T": np.zeros((2, 2))})
    for content in (b"no matrix", b"", whole[:150], (tmp_path / "other.mat").read_bytes()):
        (root / "annotations" / "c.mat").write_bytes(content)
        with pytest.raises(DataError, match=r"c\.mat cannot be read"):
            data.load("cocostuff10k", "val", root).read(0)


@pytest.mark.parametrize("layout", ["official", "folders"])
def test_coloured_camvid(tmp_path, layout):
    colours = [(0, 0, 0), (128, 128, 128), (64, 192, 0), (128, 0, 192), (192, 192, 0), (192, 128, 192), (192, 0, 192)]
    pixels = np.zeros((720, 960, 3), np.uint8)
    pixels[0, : len(colours)] = colours
    for part, name in (("train", "0006R0_f00930"), ("val", "0016E5_08001"), ("test", "Seq05VD_f00000")):
        if layout == "official":
            picture, labels = tmp_path / "701_StillsRaw_full", tmp_path / "LabeledApproved_full"
        else:
            picture, labels = tmp_path / part, tmp_path / f"{part}_labels"
        miniatures.write_picture(picture / f"{name}.png", (960, 720))
        labels.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(labels / f"{name}_L.png", compress_level=1)
    held = data.load("camvid", "val", tmp_path)
    assert held.names == ["0016E5_08001"]
    assert held.read(0).mask[0, : len(colours)].tolist() == [IGNORE, 0, 1, 3, 5, 8, 10]
    assert data.load("camvid", "train", tmp_path).names == ["0006R0_f00930"]


def test_the_official_files_are_divided_as_in_the_segnet_layout():
    official = camvid.LAYOUTS[1]
    parts = {
        "train": ["0001TP_006690", "0001TP_008520", "0006R0_f03930", "0016E5_07920", "0016E5_08190", "0016E5_00390"],
        "val": ["0016E5_07959", "0016E5_08159"],
        "test": ["0001TP_008550", "Seq05VD_f05100"],
    }
    for part, names in parts.items():
        assert [official.train.belongs(name) for name in names] == [part == "train"] * len(names)
        assert [official.val.belongs(name) for name in names] == [part == "val"] * len(names)


def test_an_unknown_colour_is_named(tmp_path):
    for part, name in (("train", "0006R0_f00930"), ("val", "0016E5_08001")):
        miniatures.write_picture(tmp_path / part / f"{name}.png", (960, 720))
        miniatures.write_picture(tmp_path / f"{part}_labels" / f"{name}_L.png", (960, 720), (1, 2, 3))
    with pytest.raises(DataError, match=r"the colour \(1, 2, 3\) \(691200 pixels\)"):
        data.load("camvid", "val", tmp_path).read(0)


def test_a_folder_of_ones_own(tmp_path):
    root = miniatures.own(tmp_path, train=10)
    held = data.load("folder", "val", root)
    assert held.classes == ("road", "sky", "traffic light")
    assert held.palette[1].tolist() == [70, 130, 180]
    assert held.palette[0].tolist() != [0, 0, 0]
    assert [held.read(index).mask[0, 0] for index in range(2)] == [0, 1]
    train, guide = (data.load("folder", split, root).names for split in ("train", "guide"))
    assert guide == ["002", "007"]
    assert sorted(train + guide) == [f"{number:03d}" for number in range(10)]
    assert data.geometry("folder", root) == data.DataGeometry(classes=3, aspect=(30, 40))
    assert data.space_for("tiny", "folder", root).name == "tiny:192x256:3"


def test_a_folder_may_divide_by_itself(tmp_path):
    root = miniatures.own(tmp_path)
    for kind in ("images", "labels"):
        shutil.copytree(root / kind / "val", root / kind / "guide")
    assert data.load("folder", "guide", root).names == ["000", "001"]
    assert len(data.load("folder", "train", root)) == 6


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["road"], "names 1 classes"),
        (["road", "road"], "'road' twice"),
        (["road 1 2 300", "sky"], "colour beyond 255"),
    ],
)
def test_a_bad_class_list_is_refused(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        data.load("folder", "val", miniatures.own(tmp_path, classes=lines))


def test_a_folder_needs_a_root_for_its_geometry():
    with pytest.raises(DataError, match="read from a folder") as caught:
        data.geometry("folder")
    assert "classes.txt" in caught.value.known
