import threading
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mosegedge.data import IGNORE, Sample
from mosegedge.data.batches import batch_at, batches, sample_indices
from mosegedge.data.transforms import MEAN, STD, augment, to_batch, to_targets
from mosegedge.errors import DataError


class Stripes:
    """Pictures whose three channels hold their mask, so that any misalignment shows."""

    name, split, classes = "stripes", "train", tuple("abcdef")

    def __init__(self, size=10, shape=(24, 48)):
        self._size, self.label_size = size, shape

    @property
    def palette(self):
        return np.zeros((6, 3), np.uint8)

    def __len__(self):
        return self._size

    def read(self, index):
        rows, columns = self.label_size
        mask = ((np.arange(rows)[:, None] // 8 + np.arange(columns) // 8 + index) % 6).astype(np.uint8)
        return Sample(np.repeat(mask[..., None] * 40, 3, axis=2), mask)


def take(count, **options):
    with batches(Stripes(), crop=(24, 48), batch_size=3, **options) as stream:
        return [next(stream) for _ in range(count)]


@settings(max_examples=10, deadline=None)
@given(start=st.integers(0, 40), prefetch=st.integers(0, 3), workers=st.integers(1, 4))
def test_a_stream_resumes_exactly(start, prefetch, workers):
    resumed = take(2, seed=5, start_step=start, prefetch=prefetch, workers=workers)
    for offset, batch in enumerate(resumed):
        whole = batch_at(Stripes(), step=start + offset, crop=(24, 48), batch_size=3, seed=5)
        assert batch.step == start + offset
        assert torch.equal(batch.images, whole.images)
        assert torch.equal(batch.masks, whole.masks)


def test_another_seed_gives_another_stream():
    assert not torch.equal(take(1, seed=1)[0].images, take(1, seed=2)[0].images)


@given(size=st.integers(1, 30), batch_size=st.integers(1, 12), seed=st.integers(0, 2**40))
def test_epochs_are_without_replacement(size, batch_size, seed):
    steps = range(-(-2 * size // batch_size))
    order = [index for step in steps for index in sample_indices(size, step, batch_size, seed)]
    assert Counter(order[:size]) == Counter(range(size))
    assert Counter(order[size : 2 * size]) == Counter(range(size))


def test_epochs_are_shuffled_anew():
    first, second = sample_indices(50, 0, 50, 3), sample_indices(50, 1, 50, 3)
    assert first != second
    assert first != list(range(50))


def test_shapes_and_types():
    batch = take(1, seed=0)[0]
    assert batch.images.shape == (3, 3, 24, 48)
    assert batch.images.dtype == torch.float32
    assert batch.masks.shape == (3, 24, 48)
    assert batch.masks.dtype == torch.int64


def test_closing_ends_the_thread():
    stream = batches(Stripes(), crop=(24, 48), batch_size=2, seed=0, prefetch=2)
    next(stream)
    assert any(thread.name.startswith("batches") for thread in threading.enumerate())
    stream.close()
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())
    with pytest.raises(StopIteration):
        next(stream)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_reaches_the_consumer(prefetch):
    class Broken(Stripes):
        def read(self, index):
            raise DataError("A file is damaged.")

    stream = batches(Broken(), crop=(24, 48), batch_size=2, seed=0, prefetch=prefetch)
    with pytest.raises(DataError, match="damaged"):
        next(stream)
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())


def test_an_empty_data_set_is_refused():
    with pytest.raises(DataError, match="stripes/train is empty"):
        batches(Stripes(size=0), crop=(24, 48), batch_size=2, seed=0)


def test_pictures_and_masks_stay_aligned():
    sample = Stripes().read(0)
    agreements = []
    for seed in range(30):
        pixels, mask = augment(sample, (24, 48), np.random.default_rng(seed))
        known = mask != IGNORE
        shown, wanted = pixels[0].mean(0).numpy()[known], mask[known].astype(float)
        agreements.append(np.corrcoef(shown, wanted)[0, 1])
    assert min(agreements) > 0.9


def test_masks_hold_labels_of_the_sample_only():
    sample = Stripes().read(0)
    masked = Sample(sample.image, np.where(sample.mask == 3, np.uint8(5), np.uint8(0)))
    for seed in range(20):
        assert set(np.unique(augment(masked, (17, 40), np.random.default_rng(seed))[1])) <= {0, 5, IGNORE}


def test_views_beyond_the_picture_are_ignored_there():
    seen = [
        bool((augment(Stripes().read(0), (24, 48), np.random.default_rng(seed))[1] == IGNORE).any())
        for seed in range(30)
    ]
    assert any(seen)
    assert not all(seen)


def test_flips_happen_half_of_the_time():
    gradient = np.tile((np.arange(48) * 5).astype(np.uint8), (24, 1))
    sample = Sample(np.repeat(gradient[..., None], 3, axis=2), np.zeros((24, 48), np.uint8))
    flips = 0
    for seed in range(40):
        pixels, mask = augment(sample, (24, 48), np.random.default_rng(seed))
        known = np.flatnonzero((mask != IGNORE).any(axis=0))
        flips += bool(pixels[0, 0, 12, known[0]] > pixels[0, 0, 12, known[-1]])
    assert 8 < flips < 32


def test_to_batch_normalises_and_resizes():
    sample = Sample(np.full((20, 40, 3), 102, np.uint8), np.zeros((20, 40), np.uint8))
    batch = to_batch([sample, sample], (32, 64))
    assert batch.shape == (2, 3, 32, 64)
    assert batch.unique().tolist() == pytest.approx([(102 / 255 - MEAN[0]) / STD[0]], abs=1e-5)


def test_to_batch_averages_when_it_shrinks():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    sample = Sample(np.repeat(board[..., None], 3, axis=2).astype(np.uint8), np.zeros((64, 64), np.uint8))
    values = to_batch([sample], (16, 16)) * STD[0] + MEAN[0]
    assert (values - 0.5).abs().max() < 0.05


def test_to_batch_takes_read_only_pictures_and_leaves_them():
    sample = Stripes().read(1)
    before = sample.image.copy()
    sample.image.flags.writeable = False
    to_batch([sample], (24, 48)).add_(1.0)
    assert (sample.image == before).all()


def test_to_targets():
    masks = to_targets([Stripes().read(0), Stripes().read(1)])
    assert masks.dtype == torch.int64
    assert (masks[1].numpy() == Stripes().read(1).mask).all()
