"""What is counted while a network is scored, and how it is shown."""

import json
import math

import numpy as np
import pytest

from mosegedge.cli.scores_text import scores_text
from mosegedge.data import IGNORE, Sample
from mosegedge.data.scores import PartScores
from mosegedge.data.sheet import prediction_sheet

CLASSES = ("road", "sky", "train", "bus")
MASK = np.array([[0, 0, 1, IGNORE]], np.uint8)
SAID = np.array([[0, 3, 1, 2]], np.uint8)


def scores(boundary_share=None, image=0):
    found = PartScores(CLASSES, boundary_share=boundary_share)
    found.update(Sample(np.full((1, 4, 3), image, np.uint8), MASK), SAID)
    return found


def test_everything_is_in_the_json():
    found = scores(boundary_share=0.02).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["miou"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["pixel_accuracy"] == pytest.approx(2 / 3)
    assert (found["pictures"], found["ignored_pixels"], found["absent"]) == (1, 1, ["train"])
    assert found["boundary"] == {"share": 0.02, "miou": pytest.approx(0.5)}
    assert found["classes"]["road"] == {
        "iou": 0.5, "boundary_iou": 0.5, "recall": 0.5, "precision": 1.0, "pixels": 2, "pixel_share": 2 / 3,
    }  # fmt: skip
    assert found["classes"]["train"]["iou"] is None
    assert found["classes"]["bus"] | {"iou": 0.0, "recall": None} == found["classes"]["bus"]
    assert found["confusion"] == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_edges_are_scored_only_where_they_are_wanted():
    found = scores().to_json()
    assert found["boundary"] is None
    assert found["classes"]["road"]["boundary_iou"] is None
    assert "boundary" not in scores_text(scores())


def test_the_digest_is_that_of_pictures_and_labels():
    assert scores().pixels_sha256 == scores(boundary_share=0.1).pixels_sha256
    assert scores().pixels_sha256 != scores(image=1).pixels_sha256


def test_nothing_at_all_is_no_score():
    found = PartScores(CLASSES)
    assert found.to_json()["miou"] is None
    assert found.absent == CLASSES
    assert math.isnan(found.matrix.miou)


def test_the_text_names_what_is_in_no_mean_and_what_is_in_it_as_zero():
    lines = scores_text(scores(boundary_share=0.02)).splitlines()
    assert lines[-3] == ("mIoU 0.5000, boundary mIoU 0.5000 in 2.0% of the diagonal, pixel accuracy 0.6667; 1 picture")
    assert lines[-2].endswith("in no mean: train.")
    assert lines[-1].endswith("as IoU 0: bus.")


def test_a_sheet_shows_labels_predictions_and_mistakes():
    mask, said = np.zeros((90, 120), np.uint8), np.zeros((90, 120), np.uint8)
    mask[:20], said[:30], said[:, :10] = IGNORE, 1, 1
    palette = np.array([[200, 0, 0], [0, 200, 0]], np.uint8)
    pairs = [(Sample(np.full((90, 120, 3), 100, np.uint8), mask), said)] * 2
    sheet = prediction_sheet("own/val", pairs, CLASSES[:2], palette)
    assert sheet.shape[1] == 240
    red, green, plain = ((sheet == colour).all(axis=2).sum() for colour in ([150, 50, 50], [50, 150, 50], [100] * 3))
    true, found = int((mask == 0).sum()), int((said == 1).sum())
    wrong = int(((mask != IGNORE) & (mask != said)).sum())
    assert red == 2 * (true + mask.size - found)
    assert green == 2 * (found + wrong)
    assert plain == 2 * (mask.size - true + mask.size - wrong)
