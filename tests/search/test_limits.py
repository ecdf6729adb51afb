"""Limits with a confidence against trying everything, and what is said where they cannot be met."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from standin import SPACE, Latency
from test_objectives import Wide

from mosegedge.cli.search_limits import limits_of
from mosegedge.errors import InfeasibleError, UsageError
from mosegedge.search.costs import costs_of
from mosegedge.search.domain import Domain
from mosegedge.search.feasible import Feasible
from mosegedge.search.limits import Limit, all_limits, deviations_for
from mosegedge.search.objectives import LATENCY, objective

COSTS = costs_of(Domain(SPACE), SPACE, Latency(), {"latency@wide": Wide()})
CODES = np.unique(SPACE.sample(400, np.random.default_rng(0)), axis=0)


def feasible(confidence=0.5, **bounds):
    limits = tuple(Limit(objective=name.replace("__", "@"), bound=bound) for name, bound in bounds.items())
    return Feasible(costs=COSTS, limits=limits, deviations=deviations_for(confidence))


@settings(max_examples=30)
@given(st.floats(2, 20), st.floats(0.5, 8), st.floats(0.5, 0.99))
def test_a_network_is_allowed_where_it_is_probably_below_every_limit(here, there, confidence):
    given_limits = feasible(confidence, latency=here, latency__wide=there)
    probable = np.ones(len(CODES), dtype=bool)
    for model, bound in ((Latency(), here), (Wide(), there)):
        mean, sd = model.predict(CODES)
        probable &= norm.cdf(bound, mean, sd) >= confidence
    assert given_limits.meets(CODES).tolist() == probable.tolist()
    assert (given_limits.excess(CODES) <= 0).tolist() == probable.tolist()


def test_more_confidence_asks_for_faster_networks():
    counts = [feasible(confidence, latency=6.0).meets(CODES).sum() for confidence in (0.5, 0.8, 0.95, 0.999)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_sampled_networks_keep_to_all_limits(rng):
    limits = feasible(0.9, latency=6.0, latency__wide=4.0, params=300_000)
    found = limits.sample(40, rng)
    assert len(np.unique(found, axis=0)) == 40
    assert limits.meets(found).all()
    assert (SPACE.params(found) <= 300_000).all()


@pytest.mark.parametrize(
    ("bounds", "model", "said"),
    [
        ({"latency": 0.1}, Latency(), "No network keeps to latency at most 0.1 ms with"),
        ({"latency__wide": 0.1}, Wide(), "No network keeps to latency on wide at most 0.1 ms with"),
    ],
)
def test_the_fastest_network_is_named_with_its_spread_where_none_is_fast_enough(bounds, model, said, rng):
    mean, sd = model.predict(SPACE.encode([SPACE.smallest]))
    with pytest.raises(InfeasibleError, match=said) as refusal:
        feasible(0.95, **bounds).require_feasible(rng)
    assert f"takes {mean[0]:.4g} +- {sd[0]:.2g} ms" in refusal.value.known
    named = refusal.value.fix.split("--max-latency-ms to ")[1].split()[0]
    bound = float(named.removeprefix("wide="))
    assert mean[0] + 1.645 * sd[0] <= bound <= 1.01 * (mean[0] + 1.645 * sd[0])
    feasible(0.95, **dict.fromkeys(bounds, bound)).require_feasible(rng)


def test_the_smallest_network_is_named_where_none_is_small_enough(rng):
    with pytest.raises(InfeasibleError, match=r"No network keeps to parameters at most 0\.001 M") as refusal:
        feasible(params=1000).require_feasible(rng)
    assert f"{SPACE.params(SPACE.encode([SPACE.smallest]))[0] / 1e6:.4g} M" in refusal.value.known
    assert "--max-params to" in refusal.value.fix


def test_limits_that_only_exclude_one_another_are_answered_with_the_nearest(rng):
    class Opposite:
        def predict(self, codes):
            return 30.0 / Latency().predict(codes)[0], np.zeros(len(codes))

    costs = costs_of(Domain(SPACE), SPACE, Latency(), {"latency@odd": Opposite()})
    limits = (Limit(objective="latency", bound=4.0), Limit(objective="latency@odd", bound=4.0))
    with pytest.raises(InfeasibleError, match=r"Each of these limits can be met.*latency at most 4 ms; latency on odd"):
        Feasible(costs=costs, limits=limits).require_feasible(rng)


def test_one_limit_holds_on_every_profile_unless_one_has_its_own():
    latencies = (LATENCY, objective("latency@wide"))
    own = Limit(objective="latency@wide", bound=9.0)
    assert all_limits(5.0, [own], latencies) == (Limit(objective="latency", bound=5.0), own)
    assert [limit.bound for limit in all_limits(5.0, [], latencies)] == [5.0, 5.0]
    with pytest.raises(UsageError, match="limited twice"):
        all_limits(None, [own, own], latencies)


def test_limits_are_read_as_they_are_typed():
    nothing = {"flops": None, "params": None, "energy_mj": None, "memory_mib": None, "miou": None, "latency_ms": None}
    everywhere, limits = limits_of(**nothing | {"latency_ms": ["30", "atlas=12.5"], "params": "1.5M", "miou": 0.4})
    assert everywhere == 30
    assert [(limit.objective, limit.bound) for limit in limits] == [
        ("latency@atlas", 12.5), ("params", 1.5e6), ("miou", 0.4),
    ]  # fmt: skip
    assert limits[1].text() == "parameters at most 1.5 M"
    assert limits_of(**nothing) == (None, ())
    for wrong in ({"latency_ms": ["fast"]}, {"latency_ms": ["1", "2"]}, {"flops": "9X"}, {"params": "-1"}):
        with pytest.raises(UsageError):
            limits_of(**nothing | wrong)
