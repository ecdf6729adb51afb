"""PASCAL VOC 2012, trained on the annotations of the Semantic Boundaries Dataset as well: 20 classes and background."""

from __future__ import annotations

from mosegedge.data.guide import spread
from mosegedge.data.labels import IGNORE, bit_colours
from mosegedge.data.layout import Layout, NameList, Part, Values

_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_PICTURES = ("JPEGImages/{name}.jpg",)
_LISTS = "ImageSets/Segmentation"
_BOUNDARIES = ("../../benchmark_RELEASE/dataset", "benchmark_RELEASE/dataset", "../VOCaug/dataset")
"""Where the Semantic Boundaries Dataset is looked for: beside VOCdevkit, inside VOC2012, inside VOCdevkit."""


def _all_but_val(boundaries: str) -> NameList:
    """The list train_aug, made of the lists that both data sets come with; 10,582 names."""
    return NameList(
        include=(f"{_LISTS}/train.txt", f"{boundaries}/train.txt", f"{boundaries}/val.txt"),
        exclude=(f"{_LISTS}/val.txt",),
    )


LAYOUTS = (
    Layout(
        data="voc2012",
        title="PASCAL VOC 2012",
        described=(
            "The folder VOCdevkit/VOC2012 with JPEGImages, SegmentationClass and ImageSets/Segmentation. The extra "
            "annotations are SegmentationClassAug/NAME.png in it, or benchmark_RELEASE/dataset/cls/NAME.mat beside "
            "VOCdevkit; the names of train_aug are in ImageSets/Segmentation/train_aug.txt or trainaug.txt, or follow "
            "from train.txt and val.txt of both data sets."
        ),
        landmarks=("JPEGImages", "SegmentationClass", f"{_LISTS}/train.txt", f"{_LISTS}/val.txt"),
        train=Part(
            pictures=_PICTURES,
            # The labels of VOC itself first: those of the other data set have no border of ignored pixels.
            labels=(
                "SegmentationClass/{name}.png",
                "SegmentationClassAug/{name}.png",
                *(f"{boundaries}/cls/{{name}}.mat" for boundaries in _BOUNDARIES),
            ),
            lists=(
                NameList(include=(f"{_LISTS}/train_aug.txt",)),
                NameList(include=(f"{_LISTS}/trainaug.txt",)),
                *(_all_but_val(boundaries) for boundaries in _BOUNDARIES),
            ),
        ),
        val=Part(
            pictures=_PICTURES,
            labels=("SegmentationClass/{name}.png",),
            lists=(NameList(include=(f"{_LISTS}/val.txt",)),),
        ),
        guide=spread(500),
        classes=dict(zip(_CLASSES, bit_colours(len(_CLASSES)), strict=True)),
        values=Values(
            described="Labels are palette indices: 0 for background, 1 to 20 for the classes, 255 for ignored borders.",
            classes={number: number for number in range(len(_CLASSES))} | {IGNORE: IGNORE},
            mat_field=("GTcls", "Segmentation"),
        ),
        aspect=(1, 1),
        counts={"train": 10082, "guide": 500, "val": 1449},
    ),
)
