"""Networks that are chosen for what they teach."""

from __future__ import annotations

import numpy as np
import pytest

from mosegedge.profiling.informative import informative_networks, mean_variance
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE

SPACE = SearchSpace.load("tiny")
ENDS = SPACE.encode([SPACE.smallest, SPACE.largest])


def chosen(count: int, seed: int = 0, scales=(0, 3)) -> np.ndarray:
    return informative_networks(SPACE, scales=scales, count=count, taken=ENDS, rng=np.random.default_rng(seed))


def test_they_are_distinct_valid_new_and_spread_over_the_scales():
    found = chosen(25)
    assert SPACE.encode(SPACE.decode(found)).tolist() == found.tolist()
    assert len(np.unique(np.concatenate([found, ENDS]), axis=0)) == 27
    assert [np.sum(found[:, SCALE] == scale) for scale in (0, 3)] == [13, 12]


def test_the_seed_decides_them():
    assert chosen(10).tolist() == chosen(10).tolist() != chosen(10, seed=1).tolist()


def test_the_first_are_the_same_however_many_are_wanted():
    assert chosen(6).tolist() == chosen(18)[:6].tolist()


@pytest.mark.parametrize("count", [6, 20])
def test_they_leave_less_uncertain_than_random_ones(count):
    rng = np.random.default_rng(7)
    fresh, random = SPACE.sample(200, rng), [SPACE.sample(count, rng) for _ in range(6)]
    for codes in (fresh, *random):
        codes[:, SCALE] = np.resize([0, 3], len(codes))
    ours = mean_variance(SPACE, np.concatenate([ENDS, chosen(count)]), fresh)
    theirs = [mean_variance(SPACE, np.concatenate([ENDS, codes]), fresh) for codes in random]
    assert ours < min(theirs)


def test_very_many_are_filled_up_from_the_same_pool():
    found = chosen(450, scales=(2,))
    assert len(np.unique(found, axis=0)) == 450


def test_more_measured_networks_never_leave_more_uncertain():
    fresh, known = SPACE.sample(100, np.random.default_rng(8)), SPACE.sample(30, np.random.default_rng(9))
    variances = [mean_variance(SPACE, known[:count], fresh) for count in (0, 5, 15, 30)]
    assert variances == sorted(variances, reverse=True)
    assert variances[-1] > 0
