"""The drawing of a network is its layers, one block each."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.report.networks import drawing, ratio_of
from mosegedge.space import BottleneckSpec, SearchSpace

SPACES = [SearchSpace.load(name) for name in ("nano", "tiny", "tiny:192x256:11", "mosegnas")]


@given(st.sampled_from(SPACES), st.integers(0, 2**32 - 1))
def test_one_block_a_layer(space, seed):
    (architecture,) = space.decode(space.sample(1, np.random.default_rng(seed)))
    layers = space.layers_of(architecture)
    picture = drawing(space, architecture)
    keys = re.findall(r'<rect class="block [^>]*><title>[^:]*: ([^<]*)</title>', picture)
    assert keys == [layer.spec.key for layer in layers]
    assert picture.count('class="ghost"') == len(space.slots) + 1


@given(st.sampled_from(SPACES), st.integers(0, 2**32 - 1))
def test_the_ratio_is_that_of_the_code(space, seed):
    (architecture,) = space.decode(space.sample(1, np.random.default_rng(seed)))
    drawn = [
        ratio_of(space, name, spec) for name, spec in space.layers_of(architecture) if isinstance(spec, BottleneckSpec)
    ]
    groups = str(architecture).split()[2:]
    assert drawn == [int(digit) - 1 for group in groups for digit in group[2:] if digit != "0"]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_blocks_stay_inside_the_picture(space):
    for architecture in (space.smallest, space.largest):
        for place in re.findall(r'<rect class="(?:block|ghost|input)[^>]*>', drawing(space, architecture)):
            x, y, width, height = (
                float(re.search(f'{name}="([-0-9.]+)"', place)[1]) for name in ("x", "y", "width", "height")
            )
            assert x >= 0
            assert y >= 0
            assert x + width <= 680
            assert y + height <= 176 - 34, "labels stand below"


def test_a_larger_expansion_is_a_wider_block():
    space = SPACES[0]
    picture = drawing(space, space.largest)
    small = drawing(space, space.smallest)
    widths = [float(w) for w in re.findall(r'class="block ratio2"[^>]* width="([0-9.]+)"', picture)]
    narrow = [float(w) for w in re.findall(r'class="block ratio0"[^>]* width="([0-9.]+)"', small)]
    assert len(widths) == 18
    assert len(narrow) == 10
    assert max(narrow) < min(widths)
