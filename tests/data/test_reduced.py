import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.data import Sample
from mosegedge.data.batches import batch_at, batches
from mosegedge.data.reduced import Reduced, reduced

SIDES = st.integers(10, 90)


def striped(height, width):
    mask = ((np.arange(height)[:, None] // 16 + np.arange(width) // 16) % 3).astype(np.uint8)
    return Sample(np.repeat(mask[..., None] * 80, 3, axis=2), mask)


class Large:
    """Pictures of 128 x 256, read as often as `reads` says."""

    name, split, classes, label_size = "large", "train", ("a", "b", "c"), (128, 256)
    palette = np.zeros((3, 3), np.uint8)

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return 4

    def read(self, index):
        self.reads += 1
        return striped(128, 256)


@given(height=SIDES, width=SIDES, crop=st.tuples(st.integers(4, 30), st.integers(4, 30)))
def test_reducing_leaves_what_the_strongest_zoom_shows_and_is_done_once(height, width, crop):
    sample = striped(height, width)
    small = reduced(sample, crop)
    assert reduced(small, crop) is small
    if small is not sample:
        rows, columns = small.mask.shape
        assert rows >= 2 * crop[0]
        assert columns >= 2 * crop[1]
        assert rows == 2 * crop[0] or columns == 2 * crop[1]
        assert columns / rows == pytest.approx(width / height, rel=0.6 / rows + 0.6 / columns)
    else:
        assert height <= 2 * crop[0] + 1 or width <= 2 * crop[1] + 1


def test_picture_and_mask_stay_aligned_and_labels_are_not_mixed():
    small = reduced(striped(128, 256), (32, 64))
    assert small.mask.shape == (64, 128)
    assert set(np.unique(small.mask)) == {0, 1, 2}
    assert np.abs(small.image[..., 0] / 80.0 - small.mask).mean() < 0.1


def test_a_stream_reads_large_pictures_once_and_gives_the_same_batches():
    dataset = Large()
    with batches(dataset, crop=(32, 64), batch_size=4, seed=1, prefetch=0) as stream:
        found = [next(stream) for _ in range(3)]
    assert dataset.reads == 4
    for batch in found:
        expected = batch_at(Large(), step=batch.step, crop=(32, 64), batch_size=4, seed=1)
        assert torch.equal(batch.images, expected.images)
        assert torch.equal(batch.masks, expected.masks)


def test_there_is_an_end_to_memory_and_small_pictures_are_left_alone():
    dataset = Large()
    held = Reduced(dataset, (32, 64), most_bytes=2 * 64 * 128 * 4)
    for _ in range(2):
        assert {held.read(index).mask.shape for index in range(4)} == {(64, 128)}
    assert dataset.reads == 6
    whole = Reduced(dataset, (128, 256))
    assert whole.read(0).mask.shape == (128, 256)
