"""Pictures of an evaluation in as much memory as there is for them: what is kept, and that it makes no difference."""

import numpy as np
import pytest
import torch

from mosegedge.data import Sample, room
from mosegedge.data.prepared import PictureCache
from mosegedge.data.room import Room, free_bytes, usual_bytes
from mosegedge.data.transforms import to_batch
from mosegedge.errors import DataError

PICTURE = 3 * 40 * 60 + 40 * 60
BATCH_BYTES = 8 * 3 * 32 * 64 * 4


class Counted:
    """Small pictures; it counts how often each is read, and the fourth may be damaged."""

    name, split, classes, label_size = "counted", "guide", ("a", "b"), (40, 60)
    palette = np.zeros((2, 3), np.uint8)

    def __init__(self, *, damaged=False):
        self.reads, self.damaged = [], damaged

    def __len__(self):
        return 19

    def read(self, index):
        if self.damaged and index == 3:
            raise DataError("Picture 3 is unreadable.")
        self.reads.append(index)
        rng = np.random.default_rng(index)
        return Sample(rng.integers(0, 256, (40, 60, 3), np.uint8), rng.integers(0, 2, (40, 60), np.uint8))


ALL = tuple(range(19))


@pytest.mark.parametrize("most_bytes", [0, 5 * PICTURE, 19 * PICTURE, 19 * PICTURE + BATCH_BYTES, 1 << 30])
def test_batches_are_the_same_whatever_there_is_room_for(most_bytes):
    data = Counted()
    samples = [data.read(index) for index in ALL]
    cache = PictureCache(data, ALL, Room(most_bytes))
    for size in ((32, 64), (64, 96), (32, 64)):
        batches = list(cache.labelled(size))
        assert [len(batch.pictures) for batch in batches] == [8, 8, 3]
        assert torch.equal(torch.cat([batch.pictures for batch in batches]), to_batch(samples, size))
        masks = [mask for batch in batches for mask in batch.masks]
        assert all(np.array_equal(mask, sample.mask) for mask, sample in zip(masks, samples, strict=True))
        assert torch.equal(next(cache.batches(size)), batches[0].pictures)


@pytest.mark.parametrize(
    ("most_bytes", "read_again"),
    [
        (0, 19),
        (5 * PICTURE, 14),  # the first five are kept decoded
        (19 * PICTURE, 0),
    ],
)
def test_what_fits_is_kept_and_the_rest_is_read_each_time(most_bytes, read_again):
    data = Counted()
    cache = PictureCache(data, ALL, Room(most_bytes))
    assert sorted(data.reads) == list(ALL)
    for _ in range(2):
        data.reads.clear()
        list(cache.labelled((32, 64)))
        assert len(data.reads) == read_again


def test_two_caches_share_their_room_and_prepared_pictures_are_kept_where_decoded_ones_leave_some():
    shared = Room(2 * PICTURE + 2 * 3 * 32 * 64 * 4)
    small = PictureCache(Counted(), (0, 1), shared)
    assert next(small.labelled((32, 64))).pictures is next(small.labelled((32, 64))).pictures
    assert not shared.take(1)
    data = Counted()
    large = PictureCache(data, ALL, shared)
    assert next(large.labelled((32, 64))).pictures is not next(large.labelled((32, 64))).pictures
    data.reads.clear()
    list(large.labelled((32, 64)))
    assert sorted(data.reads) == list(ALL)


def test_a_damaged_picture_is_known_before_anything_is_evaluated():
    with pytest.raises(DataError, match="Picture 3"):
        PictureCache(Counted(damaged=True), ALL, Room(1 << 30))


def test_free_memory_is_that_of_the_machine_or_of_the_container_whichever_is_less(tmp_path):
    assert free_bytes(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:    4000 kB\n")
    assert free_bytes(tmp_path) == 4000 << 10
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000000\n")
    (group / "memory.stat").write_text("anon 600000\ninactive_file 300000\n")
    assert free_bytes(tmp_path) == 4000 << 10
    (group / "memory.max").write_text("2000000\n")
    assert free_bytes(tmp_path) == 1_300_000
    (group / "memory.max").unlink()
    (group / "memory").mkdir()
    (group / "memory/memory.limit_in_bytes").write_text("500000\n")
    (group / "memory/memory.usage_in_bytes").write_text("700000\n")
    assert free_bytes(tmp_path) == 0


def test_processes_of_one_machine_share_a_quarter_of_what_is_free(monkeypatch):
    for free, alone, four in ((64 << 30, 16 << 30, 4 << 30), (None, 2 << 30, 512 << 20), (0, 256 << 20, 256 << 20)):
        monkeypatch.setattr(room, "free_bytes", lambda free=free: free)
        assert (usual_bytes(), usual_bytes(4)) == (alone, four)
