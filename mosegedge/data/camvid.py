"""CamVid: 701 frames of drives through Cambridge, of whose 32 labels 11 classes are made."""

from __future__ import annotations

from collections.abc import Callable

from mosegedge.data.guide import last_of_each_sequence
from mosegedge.data.labels import CAMVID, IGNORE
from mosegedge.data.layout import Colour, Layout, Part, Values, packed

_VOID = 11
_GUIDE = last_of_each_sequence(0.18)
_COUNTS_TRAIN, _COUNTS_GUIDE, _COUNTS_VAL = 301, 66, 101

_COLOURS: dict[str, tuple[Colour, ...]] = {
    "sky": ((128, 128, 128),),  # Sky
    # Archway, Bridge, Building, Tunnel, Wall
    "building": ((192, 0, 128), (0, 128, 64), (128, 0, 0), (64, 0, 64), (64, 192, 0)),
    "pole": ((192, 192, 128), (0, 0, 64)),  # Column_Pole, TrafficCone
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),  # Road, LaneMkgsDriv, LaneMkgsNonDriv
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),  # Sidewalk, ParkingBlock, RoadShoulder
    "tree": ((128, 128, 0), (192, 192, 0)),  # Tree, VegetationMisc
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),  # SignSymbol, Misc_Text, TrafficLight
    "fence": ((64, 64, 128),),  # Fence
    # Car, OtherMoving, SUVPickupTruck, Train, Truck_Bus
    "car": ((64, 0, 128), (128, 64, 64), (64, 128, 192), (192, 64, 128), (192, 128, 192)),
    # Animal, CartLuggagePram, Child, Pedestrian
    "pedestrian": ((64, 128, 64), (64, 0, 192), (192, 128, 64), (64, 64, 0)),
    "bicyclist": ((0, 128, 192), (192, 0, 192)),  # Bicyclist, MotorcycleScooter
}
"""Colours of label_colors.txt that each class is made of; Void (0, 0, 0) is ignored."""

_INDEX = Values(
    described=f"Labels are 0 to {_VOID - 1} for {', '.join(CAMVID)}, and {_VOID} for void.",
    classes={number: number for number in range(len(CAMVID))} | {_VOID: IGNORE},
)
_COLOURED = Values(
    described="Labels are the 32 colours of label_colors.txt; 31 of them make the 11 classes, black is void.",
    classes={packed((0, 0, 0)): IGNORE}
    | {packed(colour): number for number, name in enumerate(CAMVID) for colour in _COLOURS[name]},
    coloured=True,
)


def _segnet(name: str) -> Part:
    pictures = tuple(f"{name}/{{name}}.{ending}" for ending in ("png", "jpg", "jpeg"))
    return Part(pictures=pictures, labels=(f"{name}annot/{{name}}.png",))


def _foldered(name: str) -> Part:
    return Part(pictures=(f"{name}/{{name}}.png",), labels=(f"{name}_labels/{{name}}_L.png",))


def _official(belongs: Callable[[str], bool]) -> Part:
    return Part(
        pictures=("701_StillsRaw_full/{name}.png",),
        labels=("LabeledApproved_full/{name}_L.png",),
        belongs=belongs,
    )


def _in_test(name: str) -> bool:
    sequence, _, frame = name.partition("_")
    return sequence == "Seq05VD" or (sequence == "0001TP" and frame > "008520")


def _in_val(name: str) -> bool:
    sequence, _, frame = name.partition("_")
    return sequence == "0016E5" and "07959" <= frame <= "08159"


def _in_train(name: str) -> bool:
    return not _in_val(name) and not _in_test(name)


def _layout(
    described: str,
    landmarks: tuple[str, ...],
    parts: tuple[Part, Part],
    *,
    values: Values,
    size: tuple[int, int],
    complete: bool,
) -> Layout:
    return Layout(
        data="camvid",
        title="CamVid",
        described=described,
        landmarks=landmarks,
        train=parts[0],
        val=parts[1],
        guide=_GUIDE,
        classes=CAMVID,
        values=values,
        aspect=(3, 4),
        size=size,
        counts={"train": _COUNTS_TRAIN, "guide": _COUNTS_GUIDE, "val": _COUNTS_VAL} if complete else {},
    )


LAYOUTS = (
    _layout(
        "The SegNet layout, 480x360: a picture is train/NAME.png or .jpg, its labels trainannot/NAME.png; val and "
        "valannot likewise.",
        ("train", "trainannot", "val", "valannot"),
        (_segnet("train"), _segnet("val")),
        values=_INDEX,
        size=(360, 480),
        complete=True,
    ),
    _layout(
        "The official files, 960x720: a picture is 701_StillsRaw_full/NAME.png, its labels "
        "LabeledApproved_full/NAME_L.png; they are divided as in the SegNet layout.",
        ("701_StillsRaw_full", "LabeledApproved_full"),
        (_official(_in_train), _official(_in_val)),
        values=_COLOURED,
        size=(720, 960),
        complete=True,
    ),
    _layout(
        "The official files in folders, 960x720: a picture is train/NAME.png, its labels train_labels/NAME_L.png; val "
        "and val_labels likewise.",
        ("train", "train_labels", "val", "val_labels"),
        (_foldered("train"), _foldered("val")),
        values=_COLOURED,
        size=(720, 960),
        complete=False,
    ),
)
