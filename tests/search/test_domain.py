from __future__ import annotations

import numpy as np
import pytest
from standin import SPACE

from mosegedge.errors import UsageError
from mosegedge.search.domain import Domain
from mosegedge.space.codes import check


def test_samples_are_canonical_and_keep_to_the_scales(rng):
    codes = Domain(SPACE, (1, 3)).sample(500, rng)
    check(codes)
    assert set(codes[:, 0]) == {1, 3}


def test_unrestricted_samples_use_every_choice(rng):
    domain = Domain(SPACE)
    codes = domain.draw(2000, rng)
    for position, choices in enumerate(domain.choices):
        assert set(codes[:, position]) == set(choices)


def test_bounds_and_baselines_lie_in_the_scales():
    domain = Domain(SPACE, (1, 2))
    assert (domain.smallest.scale, domain.largest.scale) == (1, 2)
    assert domain.smallest.digits[1:] == SPACE.smallest.digits[1:]
    assert domain.largest.digits[1:] == SPACE.largest.digits[1:]
    baselines = domain.baselines()
    assert len(set(baselines)) == 6
    assert {baseline.scale for baseline in baselines} == {1, 2}


def test_neighbours_are_different_canonical_networks_of_the_domain(rng):
    domain = Domain(SPACE, (0, 4))
    for code in domain.sample(20, rng):
        near = domain.neighbours(code)
        check(near)
        assert len(np.unique(near, axis=0)) == len(near)
        assert (near != code).any(axis=1).all()
        assert set(near[:, 0]) <= {0, 4}


def test_the_smallest_network_has_every_single_step_as_a_neighbour():
    near = {tuple(code) for code in Domain(SPACE).neighbours(np.array(SPACE.smallest.digits))}
    widened = list(SPACE.smallest.digits)
    widened[2] = 1
    deepened = list(SPACE.smallest.digits)
    deepened[3], deepened[7] = 1, 2
    assert {tuple(widened), tuple(deepened)} <= near


@pytest.mark.parametrize("scales", [(), (5,), (1, 1), (2, 1), (-1,)])
def test_scales_that_do_not_exist_are_refused(scales):
    with pytest.raises(UsageError, match="Scale digits are 0, 1, 2, 3 and 4"):
        Domain(SPACE, scales)
