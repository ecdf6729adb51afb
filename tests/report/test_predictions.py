"""Predictions and the images made of them."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from standins import SPACE

from mosegedge.data.scenes import SceneSet
from mosegedge.errors import CheckpointError
from mosegedge.files import sha256_of_file
from mosegedge.report.pictures import mask_png, photo_jpeg
from mosegedge.report.predictions import accuracy, few_of, open_source
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

PALETTE = np.array([[128, 64, 128], [0, 0, 142], [220, 20, 60]], np.uint8)


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ()), (1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (4, (1, 2, 4)), (5, (1, 3, 5))]
)
def test_smallest_middle_largest(count, expected):
    assert few_of(count) == expected


def test_a_mask_keeps_its_colours(rng):
    mask = rng.integers(0, 4, (24, 40)).astype(np.uint8)
    mask[mask == 3] = 255
    image = np.asarray(Image.open(io.BytesIO(mask_png(mask, PALETTE))).convert("RGB"))
    black = np.zeros((1, 3), np.uint8)
    assert np.array_equal(image, np.vstack([PALETTE, black])[np.where(mask == 255, 3, mask)])


def test_large_pictures_are_made_smaller(rng):
    mask = rng.integers(0, 3, (64, 2048)).astype(np.uint8)
    assert Image.open(io.BytesIO(mask_png(mask, PALETTE))).size == (512, 16)
    photo = rng.integers(0, 256, (128, 4096, 3)).astype(np.uint8)
    assert Image.open(io.BytesIO(photo_jpeg(photo, (64, 2048)))).size == (512, 16)


def test_accuracy_leaves_unlabelled_pixels_out():
    truth = np.array([[0, 1, 255, 255]], np.uint8)
    assert accuracy(np.array([[0, 2, 0, 1]], np.uint8), truth, 3) == 0.5
    assert accuracy(truth, np.full_like(truth, 255), 3) == 0.0


def test_no_masks_are_shown_of_a_supernet_that_knows_other_classes(tmp_path):
    path, classes = tmp_path / "supernet.safetensors", SceneSet.classes[::-1]
    info = SupernetInfo(space=SPACE, data="scenes", step=0, training={}, classes=classes)
    save_supernet(path, Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    used = SimpleNamespace(path=str(path), digest=sha256_of_file(path))
    with pytest.raises(CheckpointError, match="was trained on other classes than those of scenes"):
        open_source(SimpleNamespace(supernet=used, data="scenes", evaluation={}), None, None)
