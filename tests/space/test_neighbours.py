"""Neighbours are the canonical codes that differ in one digit and what has to follow it."""

from __future__ import annotations

import numpy as np
import pytest

from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import CODE_LENGTH, DIGITS, STAGES
from mosegedge.space.codes import check
from mosegedge.space.counting import elements_moved_of
from mosegedge.space.neighbours import neighbours

SPACE = SearchSpace.load("nano")
DEPTHS = {stage.depth: stage for stage in STAGES}


def networks(count: int) -> list[Architecture]:
    codes = SPACE.sample(count, np.random.default_rng(4))
    return [SPACE.smallest, SPACE.largest, *SPACE.decode(codes)]


def by_brute_force(architecture: Architecture) -> dict[tuple[int, int], tuple[int, ...]]:
    """Every digit one up or down, then the last active layer's expansion for layers that come, 0 for those that go."""
    found = {}
    for position in range(CODE_LENGTH):
        for step in (-1, 1):
            digits = list(architecture.digits)
            digits[position] += step
            if not 0 <= digits[position] <= DIGITS[position].high:
                continue
            if position in DEPTHS:
                stage = DEPTHS[position]
                before, after = architecture.depth_of(STAGES.index(stage)), stage.base_depth + digits[position]
                last = digits[stage.expansions[before - 1]]
                for layer in range(before, after):
                    digits[stage.expansions[layer]] = last
                for layer in range(after, before):
                    digits[stage.expansions[layer]] = 0
            try:
                check(np.array([digits]))
            except ValueError:
                continue
            found[position, step] = tuple(digits)
    return found


@pytest.mark.parametrize("architecture", networks(20), ids=str)
def test_neighbours_are_those_of_a_brute_force_search(architecture, monkeypatch):
    from mosegedge.space import codes

    def refuse(rows):
        raise ValueError(rows)

    # `check` names what is wrong by decoding it; here it only has to say that something is.
    monkeypatch.setattr(codes, "decode", refuse)
    found = {(near.position, near.step): near.architecture.digits for near in neighbours(architecture)}
    assert found == by_brute_force(architecture)


def test_what_follows_is_named():
    architecture = Architecture.parse("0-00-001300-001100-00111100-001100")
    up = next(near for near in neighbours(architecture) if (near.position, near.step) == (3, 1))
    assert str(up.architecture) == "0 00 101330 001100 00111100 001100"
    assert up.follows == (7,)
    back = next(near for near in neighbours(up.architecture) if (near.position, near.step) == (3, -1))
    assert back.architecture == architecture
    assert back.follows == (7,)
    assert all(near.follows == () for near in neighbours(architecture) if near.position not in DEPTHS)


def test_elements_moved_by_hand():
    bottleneck = SPACE.layers_of(SPACE.smallest)[1].spec
    a, b, c = bottleneck.in_channels, bottleneck.hidden_channels, bottleneck.out_channels
    pixels = bottleneck.height * bottleneck.width
    weights = (a * b + b) + (9 * b * b + b) + (b * c + c) + (a * c + c)
    assert elements_moved_of(bottleneck) == weights + (a + c) * pixels
