"""Cityscapes: street scenes of German and neighbouring cities, 2048 x 1024, 19 classes that are scored."""

from __future__ import annotations

from mosegedge.data.guide import folders
from mosegedge.data.labels import CITYSCAPES, IGNORE
from mosegedge.data.layout import Layout, Part, Values

_LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The ids of the scored classes in label files, in the order of `CITYSCAPES` (cityscapesScripts, helpers/labels.py)."""

_IDS = 34


def _part(name: str) -> Part:
    return Part(
        pictures=(f"leftImg8bit/{name}/{{name}}_leftImg8bit.png",),
        labels=(f"gtFine/{name}/{{name}}_gtFine_labelIds.png",),
    )


LAYOUTS = (
    Layout(
        data="cityscapes",
        title="Cityscapes",
        described=(
            "The packages leftImg8bit_trainvaltest and gtFine_trainvaltest unpacked into one folder: a picture is "
            "leftImg8bit/PART/CITY/NAME_leftImg8bit.png, its labels gtFine/PART/CITY/NAME_gtFine_labelIds.png, PART "
            "being train or val."
        ),
        landmarks=("leftImg8bit/train", "leftImg8bit/val", "gtFine/train", "gtFine/val"),
        train=_part("train"),
        val=_part("val"),
        # Cities nobody trained on, as those of val are; these four have 119 + 144 + 95 + 142 = 500 pictures together.
        guide=folders("jena", "tubingen", "ulm", "weimar"),
        classes=CITYSCAPES,
        values=Values(
            described="Labels are the ids 0 to 33 of gtFine_labelIds files; 19 of them are scored, the others ignored.",
            classes=dict.fromkeys(range(_IDS), IGNORE) | {label: number for number, label in enumerate(_LABEL_IDS)},
        ),
        aspect=(1, 2),
        size=(1024, 2048),
        counts={"train": 2475, "guide": 500, "val": 500},
    ),
)
