"""Data sets whose pictures have sizes of their own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.data import IGNORE, Sample
from mosegedge.data.prepared import PictureCache
from mosegedge.data.transforms import MEAN, STD, augment, field_of, to_batch
from mosegedge.supernet.evaluate import confusion_of, labels_of

SIDES = st.integers(20, 700)


@given(height=SIDES, width=SIDES, size=st.sampled_from([(64, 64), (96, 128), (192, 384)]))
def test_a_field_holds_the_picture_and_has_nearly_the_shape_of_the_input(height, width, size):
    field = field_of((height, width, 3), size)
    assert field[0] >= height
    assert field[1] >= width
    stretch = (field[1] * size[0]) / (field[0] * size[1])
    assert 1 / 1.26 <= stretch <= 1.26
    assert field[0] == height or field[1] == width


@pytest.mark.parametrize("size", [(64, 96), (96, 128), (128, 160), (160, 224), (192, 256)])
def test_a_picture_of_about_the_inputs_shape_is_stretched(size):
    assert field_of((360, 480, 3), size) == (360, 480)


def test_an_upright_picture_keeps_its_shape_in_a_square_input():
    upright = Sample(np.full((64, 32, 3), 200, np.uint8), np.zeros((64, 32), np.uint8))
    batch = (to_batch([upright], (64, 64)) * STD[0] + MEAN[0]) * 255
    assert batch[0, :, :, :32].unique().tolist() == pytest.approx([200.0], abs=0.01)
    assert batch[0, :, :, 32:].unique().tolist() == pytest.approx([102.0], abs=0.01)


def test_training_views_keep_shapes_too():
    disc = (np.hypot(*np.ogrid[-50:50, -25:25]) < 20).astype(np.uint8)
    upright = Sample(np.repeat(disc[..., None] * 200, 3, axis=2), disc)
    ratios = []
    for seed in range(40):
        mask = augment(upright, (64, 64), np.random.default_rng(seed))[1]
        rows, columns = (np.flatnonzero((mask == 1).any(axis=axis)) for axis in (1, 0))
        if len(rows) and rows[0] > 0 and rows[-1] < 63 and columns[0] > 0 and columns[-1] < 63:
            ratios.append(len(rows) / len(columns))
    assert len(ratios) > 10
    assert max(ratios) < 1.15
    assert min(ratios) > 1 / 1.15


class Mixed:
    """Pictures of all shapes; their first channel is their mask."""

    name, split, classes, label_size = "mixed", "val", ("a", "b", "c"), None
    palette = np.zeros((3, 3), np.uint8)
    shapes = ((40, 90), (90, 40), (64, 64), (30, 31))

    def __len__(self):
        return len(self.shapes)

    def read(self, index):
        height, width = self.shapes[index]
        mask = (np.arange(height)[:, None] * 2 // height + np.arange(width) * 2 // width).astype(np.uint8)
        return Sample(np.repeat(mask[..., None], 3, axis=2), np.where(mask == 2, IGNORE, mask).astype(np.uint8))


def test_labels_are_compared_at_the_size_of_each_picture():
    pictures = PictureCache(Mixed(), tuple(range(4)))

    def from_colours(batch):
        values = (batch[:, :1] * STD[0] + MEAN[0]) * 255
        return torch.cat([-(values - label).abs() for label in range(3)], dim=1)

    matrix = confusion_of(from_colours, pictures, (256, 256))
    (batch,) = pictures.labelled((256, 256))
    assert matrix.counts.sum() == sum(int((mask != IGNORE).sum()) for mask in batch.masks)
    assert matrix.iou()[:2].min() > 0.97
    for mask in batch.masks:
        assert labels_of(torch.zeros(3, 16, 16), mask.shape, (256, 256)).shape == mask.shape
