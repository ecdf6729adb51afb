from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from standin import SPACE, Latency

from mosegedge.errors import UsageError
from mosegedge.search.config import SearchConfig
from mosegedge.search.costs import costs_of
from mosegedge.search.domain import Domain
from mosegedge.search.feasible import Feasible
from mosegedge.search.initial import initial_codes
from mosegedge.search.limits import Limit

DOMAIN = Domain(SPACE)
COSTS = costs_of(DOMAIN, SPACE, Latency())
SCALE = 0


def drawn(config, *, limits=(), seed=3):
    return initial_codes(Feasible(costs=COSTS, limits=limits), config, np.random.default_rng(seed))


def spread(codes):
    """Standard deviation of log FLOPs within a scale."""
    flops = np.log(SPACE.flops(codes))
    return np.mean([flops[codes[:, SCALE] == scale].std() for scale in range(5)])


@pytest.mark.parametrize("sampling", ["leaning", "uniform"])
def test_a_search_starts_from_the_bounds_and_different_random_networks(sampling):
    codes, reasons = drawn(SearchConfig(initial=40, sampling=sampling))
    assert len(np.unique(codes, axis=0)) == len(reasons) == 40
    assert (codes[:2] == DOMAIN.ends).all()
    assert reasons[:2] == ["lower bound", "upper bound"]
    assert reasons.count("leaning") == (19 if sampling == "leaning" else 0)
    assert (SPACE.repair(codes, np.random.default_rng(0)) == codes).all()
    again, _ = drawn(SearchConfig(initial=40, sampling=sampling))
    assert (again == codes).all()


def test_leaning_networks_reach_from_small_to_large_at_every_scale():
    count = 2000
    leaning = DOMAIN.sample_leaning(count, np.random.default_rng(0))
    uniform = DOMAIN.sample(count, np.random.default_rng(0))
    assert spread(leaning) > 1.5 * spread(uniform)
    assert np.bincount(leaning[:, SCALE]).min() > 0.15 * count
    for scale in range(5):
        mine, others = (SPACE.flops(codes[codes[:, SCALE] == scale]) for codes in (leaning, uniform))
        assert (mine < others.min()).mean() > 0.03
        assert (mine > others.max()).mean() > 0.03


def test_leaning_networks_keep_to_the_scales_of_the_search():
    domain = Domain(SPACE, (1, 3))
    assert set(domain.sample_leaning(100, np.random.default_rng(0))[:, SCALE]) == {1, 3}


@pytest.mark.parametrize("sampling", ["leaning", "uniform"])
def test_all_initial_networks_keep_to_the_limits(sampling):
    limit = 1.6
    uniform = Latency().predict(SPACE.sample(5000, np.random.default_rng(0)))[0]
    assert uniform.min() > limit
    limits = (Limit(objective="latency", bound=limit),)
    codes, reasons = drawn(SearchConfig(initial=20, sampling=sampling), limits=limits)
    assert len(np.unique(codes, axis=0)) == 20
    assert Latency().predict(codes)[0].max() <= limit
    assert "upper bound" not in reasons


def test_an_unknown_sampling_is_refused():
    with pytest.raises(UsageError, match="no sampling 'even'"):
        replace(SearchConfig(), sampling="even")
