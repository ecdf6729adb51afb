from dataclasses import replace

import numpy as np

from mosegedge.data import ConfusionMatrix
from mosegedge.data.lettering import caption, confusion_picture, legend
from mosegedge.data.metrics import score_table

CLASSES = ("road", "sky", "traffic light")


def matrix():
    found = ConfusionMatrix(3)
    found.update(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    return found


def test_a_confusion_picture_is_dark_where_pixels_went():
    shown = confusion_picture(matrix(), CLASSES)
    side = shown.shape[0] - 8 - 3 * 34
    places = [side + 3 + 34 * k for k in range(3)]
    corner = shown[np.ix_(places, places)]
    assert corner[0, 0].tolist() == [8, 69, 148]
    assert corner[0, 1].tolist() == [255, 255, 255]
    assert corner[1, 0].tolist() == corner[1, 1].tolist() != [255, 255, 255]
    assert {tuple(colour) for colour in corner[2].tolist()} == {(236, 236, 236)}


def test_a_legend_takes_as_many_lines_as_it_needs():
    colours = np.array([[200, 10, 10]] * 40, np.uint8)
    names = [f"class number {number}" for number in range(40)]
    wide, narrow = legend(names, colours, 2000), legend(names, colours, 300)
    assert narrow.shape[0] > 3 * wide.shape[0]
    patches = [(shown == [200, 10, 10]).all(axis=2).sum() for shown in (wide, narrow)]
    assert patches[0] == patches[1] == 40 * 13 * 13
    assert caption("camvid/val", 300).shape == (30, 300, 3)


def test_scores_of_classes():
    road, sky, light = matrix().scores(CLASSES)
    assert (road.iou, road.recall, road.precision, road.pixels) == (2 / 3, 1.0, 2 / 3, 2)
    assert (sky.iou, sky.recall, sky.precision, sky.pixels) == (0.5, 0.5, 1.0, 2)
    assert all(np.isnan([light.iou, light.recall, light.precision]))
    assert road.boundary_iou is None
    lines = score_table(matrix().scores(CLASSES)).splitlines()
    assert lines[0].split() == ["class", "IoU", "recall", "precision", "pixels"]
    assert lines[1].split() == ["road", "66.67", "100.00", "66.67", "50.00%"]
    assert lines[3].split() == ["traffic", "light", "-", "-", "-", "0.00%"]
    assert lines[4].split() == ["mean", "58.33", "75.00", "83.33"]


def test_a_table_has_a_column_for_edges_where_they_were_scored():
    rows = [
        replace(row, boundary_iou=iou) for row, iou in zip(matrix().scores(CLASSES), (0.5, 0.25, np.nan), strict=True)
    ]
    lines = score_table(rows).splitlines()
    assert lines[0].split() == ["class", "IoU", "boundary", "recall", "precision", "pixels"]
    assert lines[2].split() == ["sky", "50.00", "25.00", "50.00", "100.00", "50.00%"]
    assert lines[3].split() == ["traffic", "light", "-", "-", "-", "-", "0.00%"]
    assert lines[4].split() == ["mean", "58.33", "37.50", "75.00", "83.33"]
    assert len({len(line) for line in lines[:4]}) == 1


def test_the_heading_of_the_confusion_picture_stays_left_of_the_first_class_however_short_the_names():
    page = confusion_picture(ConfusionMatrix(2), ["a", "b"])
    first = page[: page.shape[1] // 2, :]
    inked = np.flatnonzero((first[:20] < 128).all(axis=2).any(axis=0))
    cells = np.flatnonzero((page[-30] == 236).all(axis=1))
    assert inked.max() < cells.min()
