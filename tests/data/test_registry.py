import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mosegedge import data
from mosegedge.errors import DataError, SpaceError
from mosegedge.progress import Silent


def test_an_unknown_name_gets_the_close_match_and_the_list():
    with pytest.raises(DataError, match="camvid, cityscapes, cocostuff10k, folder, scenes, voc2012") as caught:
        data.load("scense", "val")
    assert caught.value.fix == "Did you mean 'scenes'?"


def test_an_unknown_split_gets_the_list():
    with pytest.raises(DataError, match="train, guide, val"):
        data.load("scenes", "test")


def test_scenes_take_no_root():
    with pytest.raises(DataError, match="--data-root"):
        data.load("scenes", "val", Path("/somewhere"))


@pytest.mark.parametrize(
    ("preset", "name", "expected"),
    [
        ("tiny", "camvid", "tiny:192x256:11"),
        ("tiny", "scenes", "tiny:192x384:19"),
        ("mosegnas", "camvid", "mosegnas:768x1024:11"),
        ("nano", "camvid", "nano:192x256:11"),
        ("mosegnas", "cityscapes", "mosegnas:768x1536:19"),
        ("tiny", "voc2012", "tiny:192x192:21"),
        ("tiny", "cocostuff10k", "tiny:192x192:171"),
        ("tiny:192x320:11", "camvid", "tiny:192x320:11"),
    ],
)
def test_space_for(preset, name, expected):
    assert data.space_for(preset, name).name == expected


def test_the_shipped_space_keeps_its_short_name():
    assert data.space_for("tiny", "scenes").slug == "tiny"


def test_a_space_of_another_number_of_classes_is_refused():
    with pytest.raises(SpaceError, match="has 19 classes, camvid has 11"):
        data.space_for("tiny:192x256:19", "camvid")


@pytest.mark.parametrize("name", sorted({*data.names()} - {"folder"}))
def test_geometry_needs_no_files(name):
    geometry = data.geometry(name)
    assert geometry.classes > 1
    assert len(geometry.aspect) == 2


def test_importing_data_is_cheap():
    program = (
        "import sys, mosegedge.data; mosegedge.data.geometry('camvid');"
        "print('torch' in sys.modules, 'PIL' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_cached_reads_once_and_gives_the_same():
    class Counting:
        name, split, classes, label_size = "counting", "val", ("a", "b"), (2, 2)
        palette = np.zeros((2, 3), np.uint8)
        reads = 0

        def __len__(self):
            return 3

        def read(self, index):
            self.reads += 1
            return data.Sample(np.full((2, 2, 3), index, np.uint8), np.zeros((2, 2), np.uint8))

    inner = Counting()
    held = data.cached(inner)
    held.fill(Silent())
    held.fill(Silent())
    assert [held.read(index).image[0, 0, 0] for index in range(3)] == [0, 1, 2]
    assert inner.reads == 3
    assert (len(held), held.name, held.split, held.label_size) == (3, "counting", "val", (2, 2))
    with pytest.raises(ValueError, match="read-only"):
        held.read(0).image[0] = 1

    small = data.cached(Counting(), most_bytes=40)
    before = small._inner.reads
    for _ in range(2):
        assert [small.read(index).image[0, 0, 0] for index in range(3)] == [0, 1, 2]
    assert small._inner.reads == before + 4  # two of the three have room
