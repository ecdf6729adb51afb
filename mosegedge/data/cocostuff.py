"""COCO-Stuff 10K, version 1.1: everyday pictures, 80 kinds of things and 91 of stuff."""

from __future__ import annotations

from dataclasses import replace

from mosegedge.data.guide import spread
from mosegedge.data.labels import IGNORE, bit_colours
from mosegedge.data.layout import Layout, NameList, Part, Values

_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, street sign,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, hat, backpack,
umbrella, shoe, eye glasses, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
baseball glove, skateboard, surfboard, tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl, banana,
apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, mirror,
dining table, window, desk, toilet, door, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster,
sink, refrigerator, blender, book, clock, vase, scissors, teddy bear, hair drier, toothbrush, hair brush, banner,
blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth,
clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other,
floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other,
hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, net, paper, pavement, pillow,
plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea, shelf,
sky-other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, tent, textile-other, towel,
tree, vegetable, wall-brick, wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other,
waterdrops, window-blind, window-other, wood
"""
"""Names of the labels 1 to 182 (cocostuff-labels.txt)."""

_NEVER = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
"""Labels of COCO's list that no picture has; so 171 of the 182 are classes."""

_LABELS = tuple(name.strip() for name in _NAMES.split(","))
_USED = tuple(label for label in range(1, len(_LABELS) + 1) if label not in _NEVER)
_CLASSES = {_LABELS[label - 1]: colour for label, colour in zip(_USED, bit_colours(len(_USED) + 1)[1:], strict=True)}


def _part(name: str, ending: str) -> Part:
    return Part(
        pictures=("images/{name}.jpg",),
        labels=(f"annotations/{{name}}.{ending}",),
        lists=(NameList(include=(f"imageLists/{name}.txt",)),),
    )


_MAT = Layout(
    data="cocostuff10k",
    title="COCO-Stuff 10K",
    described=(
        "The package cocostuff-10k-v1.1 unpacked: images/NAME.jpg, annotations/NAME.mat with the label map S, "
        "imageLists/train.txt and imageLists/test.txt."
    ),
    landmarks=("images", "annotations/*.mat", "imageLists/train.txt", "imageLists/test.txt"),
    train=_part("train", "mat"),
    val=_part("test", "mat"),
    guide=spread(500),
    classes=_CLASSES,
    values=Values(
        described=(
            "Labels of version 1.1 are 0 for unlabelled and 1 to 182; the 11 that no picture has "
            f"({', '.join(map(str, _NEVER))}) are no classes."
        ),
        classes={0: IGNORE} | {label: number for number, label in enumerate(_USED)},
        mat_field=("S",),
    ),
    aspect=(1, 1),
    counts={"train": 8500, "guide": 500, "val": 1000},
)

_PNG = replace(
    _MAT,
    described=(
        "The same with annotations/NAME.png in the numbering that the data set's own conversion for DeepLab writes: "
        "label minus one, 255 for unlabelled."
    ),
    landmarks=("images", "annotations/*.png", "imageLists/train.txt", "imageLists/test.txt"),
    train=_part("train", "png"),
    val=_part("test", "png"),
    values=Values(
        described=(
            "Labels in PNG files are those of cocostuff-labels.txt minus one, 0 to 181, and 255 for unlabelled; the 11 "
            f"that no picture has ({', '.join(str(label - 1) for label in _NEVER)}) are no classes."
        ),
        classes={IGNORE: IGNORE} | {label - 1: number for number, label in enumerate(_USED)},
    ),
)

LAYOUTS = (_MAT, _PNG)
