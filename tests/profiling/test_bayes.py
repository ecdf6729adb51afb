"""Whole networks update the costs of layers: against brute force, in the limits, and what must not change anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosegedge.errors import ProfileError
from mosegedge.profiling.bayes import Networks, Posterior, Prior, Table, condition, formula_ms
from mosegedge.profiling.fit import assumed_prior, fit_prior
from mosegedge.profiling.formula import FLOPS, SUM, Formula, Overflow, entry_costs, entry_terms
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.model import Evidence, fit_model, latency_model_of, prior_of, section_of
from mosegedge.profiling.sections import LayerEntry, ModelSection, NetworkEntry
from mosegedge.profiling.weights import counts_of, weights_of
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE

SPACE = SearchSpace.load("nano")
WEIGHTS = weights_of(SPACE)
ENTRY_MS = 0.02 + SPACE.entry_flops / 2e7
TABLE = Table(ENTRY_MS, 0.002 * ENTRY_MS)
FORMULA = Formula(
    coefficients={SUM: 0.95, "layers": 0.001},
    overflow=Overflow(held_million=0.3, ms_per_million=0.2),
    constants_ms=dict.fromkeys(range(5), 0.1),
)
PRIOR = Prior(formula=FORMULA, additivity_sd=0.08, shared=0.7, constant_sd_ms=0.05, network_sd=0.01)


def sampled(count: int, seed: int, scales=range(5)) -> np.ndarray:
    codes = SPACE.sample(count, np.random.default_rng(seed))
    codes[:, SCALE] = np.resize(scales, count)
    return codes


def networks(count: int, seed: int = 0, scales=range(5), sd: float = 0.05) -> Networks:
    """Networks whose parts cost something else than the formula says, measured with a small error."""
    rng = np.random.default_rng(seed)
    codes = sampled(count, seed, scales)
    truth = np.random.default_rng(99).normal(1, sd, len(WEIGHTS.part))
    costs = entry_costs(entry_terms(SPACE, ENTRY_MS), FORMULA.coefficients) * truth[WEIGHTS.of_entry]
    measured = formula_ms(SPACE, FORMULA, costs, codes) * rng.normal(1, 0.005, count)
    return Networks(codes, measured, 0.002 * measured)


def model_of(posterior: Posterior, prior: Prior = PRIOR) -> LatencyModel:
    return LatencyModel(
        space=SPACE, name="board/nano-fp32/v1", device="board", entry_ms=posterior.entry_ms,
        overflow=prior.formula.overflow, constant_ms=posterior.constant_ms, relative_sd=prior.network_sd,
        posterior=posterior,
    )  # fmt: skip


def dense(prior: Prior, table: Table, codes: np.ndarray) -> np.ndarray:
    """Prior covariance of networks, written down weight by weight."""
    cost = entry_costs(entry_terms(SPACE, table.entry_ms), prior.formula.coefficients)[WEIGHTS.first_entry]
    se = prior.formula.coefficients[SUM] * table.se_ms[WEIGHTS.first_entry]
    together = WEIGHTS.part[:, None] == WEIGHTS.part
    covariance = prior.additivity_sd**2 * prior.shared * np.outer(cost, cost) * together
    covariance += np.diag(prior.additivity_sd**2 * (1 - prior.shared) * cost**2 + se**2)
    counts = counts_of(SPACE, WEIGHTS, codes)
    same_scale = codes[:, SCALE][:, None] == codes[:, SCALE]
    return counts @ covariance @ counts.T + prior.constant_sd_ms**2 * same_scale


def test_equal_layers_of_a_part_have_one_weight_and_no_others():
    assert len(WEIGHTS.part) == 795
    for weight in range(0, 795, 40):
        rows = np.flatnonzero(WEIGHTS.of_entry == weight)
        assert len({SPACE.entries[row] for row in rows}) == 1
        assert len(set(SPACE.entry_parts[rows])) == 1
    codes = sampled(30, 1)
    counts = counts_of(SPACE, WEIGHTS, codes)
    for code, found in zip(SPACE.decode(codes), counts, strict=True):
        assert found.sum() == len(SPACE.layers_of(code))


def test_parts_of_rows_are_those_of_the_slots_that_they_can_take():
    names = ["stem", "stage1", "stage2", "stage3", "stage4", "decoder"]
    for row in SPACE.entries_of(sampled(50, 2)):
        for slot, entry in zip(SPACE.slots, row, strict=True):
            if entry >= 0:
                assert names[SPACE.entry_parts[entry]] in slot


def test_without_networks_the_model_is_the_formula_and_its_spread():
    codes = sampled(40, 3)
    mean, sd = model_of(condition(SPACE, PRIOR, TABLE, networks(0))).predict(codes)
    costs = entry_costs(entry_terms(SPACE, ENTRY_MS), FORMULA.coefficients)
    np.testing.assert_allclose(mean, formula_ms(SPACE, FORMULA, costs, codes), rtol=1e-13)
    np.testing.assert_allclose(sd**2, np.diag(dense(PRIOR, TABLE, codes)) + (0.01 * mean) ** 2, rtol=1e-10)


def test_without_networks_and_spreads_the_plain_sum_is_the_plain_sum():
    prior = replace(assumed_prior(range(5)), additivity_sd=0.0)
    codes = sampled(20, 4)
    mean, sd = model_of(condition(SPACE, prior, Table(ENTRY_MS, 0 * ENTRY_MS), networks(9)), prior).predict(codes)
    np.testing.assert_allclose(mean, SPACE.total(codes, ENTRY_MS), rtol=1e-13)
    np.testing.assert_array_equal(sd, prior.network_sd * mean)


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 30), st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.05]))
def test_the_closed_form_is_that_of_inverting_the_whole_covariance(count, seed, shared, constant_sd_ms):
    prior = replace(PRIOR, shared=shared, constant_sd_ms=constant_sd_ms)
    known, codes = networks(count, seed), sampled(25, seed + 1)
    model = model_of(condition(SPACE, prior, TABLE, known), prior)
    mean, sd = model.predict(codes)
    every = np.concatenate([known.codes, codes])
    between = dense(prior, TABLE, every)
    noise = (prior.network_sd * known.measured_ms) ** 2 + known.se_ms**2
    inverse = np.linalg.inv(between[:count, :count] + np.diag(noise))
    before = formula_ms(SPACE, FORMULA, entry_costs(entry_terms(SPACE, ENTRY_MS), FORMULA.coefficients), every)
    gain = between[count:, :count] @ inverse
    expected = before[count:] + gain @ (known.measured_ms - before[:count])
    variance = np.diag(between[count:, count:] - gain @ between[:count, count:])
    np.testing.assert_allclose(mean, expected, rtol=1e-8)
    np.testing.assert_allclose(sd**2, variance + (prior.network_sd * mean) ** 2, rtol=1e-6)
    np.testing.assert_allclose(model.predict_table(codes)[1] ** 2, variance, rtol=1e-5, atol=1e-12)


def test_with_very_many_networks_it_is_a_regression_on_them():
    prior = replace(PRIOR, network_sd=1e-4)
    known, fresh = networks(3000, 5, scales=[0]), networks(200, 6, scales=[0])
    exact = Networks(known.codes, known.measured_ms, 0 * known.se_ms)
    mean, _ = model_of(condition(SPACE, prior, TABLE, exact), prior).predict(fresh.codes)
    assert np.abs(mean / fresh.measured_ms - 1).mean() < 0.0055  # what is left is the error of measuring
    before, _ = model_of(condition(SPACE, prior, TABLE, networks(0)), prior).predict(fresh.codes)
    assert np.abs(before / fresh.measured_ms - 1).mean() > 0.01


def test_uncertainty_is_never_negative_and_shrinks_with_every_network():
    known, codes = networks(400, 7, scales=[1]), sampled(100, 8, scales=[1])
    prior = replace(PRIOR, network_sd=0.0)
    before = np.full(100, np.inf)
    for count in (0, 1, 4, 20, 100, 400):
        some = Networks(known.codes[:count], known.measured_ms[:count], 0 * known.se_ms[:count])
        found = condition(SPACE, prior, TABLE, some).variance(SPACE.entries_of(codes), codes[:, SCALE])
        assert (found >= 0).all()
        assert (found <= before * (1 + 1e-9) + 1e-12).all()
        before = found
    assert before.mean() < 1e-6


def test_the_order_of_networks_does_not_matter():
    known, codes = networks(40, 9), sampled(50, 10)
    order = np.random.default_rng(0).permutation(40)
    shuffled = Networks(known.codes[order], known.measured_ms[order], known.se_ms[order])
    first, second = (model_of(condition(SPACE, PRIOR, TABLE, given)).predict(codes) for given in (known, shuffled))
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_networks_of_one_scale_say_nothing_about_the_layers_of_another():
    known, more = networks(20, 11, scales=[0, 2]), networks(20, 12, scales=[2])
    both = Networks(*(np.concatenate(pair) for pair in zip(known, more, strict=True)))
    codes = sampled(30, 13, scales=[0])
    first, second = (model_of(condition(SPACE, PRIOR, TABLE, given)).predict(codes) for given in (known, both))
    np.testing.assert_array_equal(first, second)
    other = sampled(30, 13, scales=[2])
    changed = [model_of(condition(SPACE, PRIOR, TABLE, given)).predict(other)[1] for given in (known, both)]
    assert (changed[1] < changed[0]).all()


def test_many_networks_at_once_equal_one_by_one():
    model = model_of(condition(SPACE, PRIOR, TABLE, networks(40)))
    codes = sampled(6000, 14)
    mean, sd = model.predict(codes)
    for place in range(0, 6000, 371):
        np.testing.assert_allclose(model.predict(codes[[place]]), (mean[[place]], sd[[place]]), rtol=1e-12)


@pytest.mark.parametrize("count", [20, 40, 80])
def test_the_fitted_intervals_hold_fresh_networks_and_the_update_beats_the_formula(count):
    known, fresh = networks(count, 15), networks(300, 16)
    prior = fit_prior(SPACE, TABLE, known)
    model = model_of(condition(SPACE, prior, TABLE, known), prior)
    mean, sd = model.predict(fresh.codes)
    inside = np.mean(np.abs(mean - fresh.measured_ms) <= 1.645 * sd)
    assert 0.78 <= inside <= 0.985
    alone, _ = model_of(condition(SPACE, prior, TABLE, networks(0)), prior).predict(fresh.codes)
    errors = [np.abs(found / fresh.measured_ms - 1).mean() for found in (mean, alone)]
    assert count == 20 or errors[0] < 0.97 * errors[1]  # so few may just as well mislead
    assert errors[0] < 0.02


def test_where_no_layer_was_measured_networks_alone_make_the_model():
    none = Table(np.full(len(ENTRY_MS), np.nan), np.zeros(len(ENTRY_MS)))
    errors = []
    for count in (20, 400):
        known, fresh = networks(count, 17, sd=0.1), networks(200, 18, sd=0.1)
        prior = fit_prior(SPACE, none, known, base=FLOPS)
        assert SUM not in prior.formula.coefficients
        mean, _ = model_of(condition(SPACE, prior, none, known), prior).predict(fresh.codes)
        errors.append(np.abs(mean / fresh.measured_ms - 1).mean())
    assert errors[1] < min(errors[0], 0.015)


def evidence(known: Networks, role: str = "fit") -> Evidence:
    timing = {"median_ms": 1.0, "p95_ms": 1.0, "n": 9, "grade": "A", "reason": ""}
    return Evidence(
        space=SPACE,
        entries=[
            LayerEntry(key=key, value_ms=value, se_ms=0.002 * value, **timing)
            for key, value in {spec.key: ms for spec, ms in zip(SPACE.entries, ENTRY_MS.tolist(), strict=True)}.items()
        ],
        networks=[
            NetworkEntry(code=str(code), role=role, value_ms=ms, se_ms=se, **timing)
            for code, ms, se in zip(
                SPACE.decode(known.codes), known.measured_ms.tolist(), known.se_ms.tolist(), strict=True
            )
        ],
    )


def test_what_the_file_holds_is_all_that_a_prediction_needs():
    known = networks(40, 19)
    section = fit_model(evidence(known), "both", range(5), speed_sd=0.02)
    again = ModelSection.model_validate_json(section.model_dump_json())
    assert section_of("both", prior_of(again), speed_sd=0.02) == section
    codes = sampled(30, 20)
    first, second = (
        latency_model_of(evidence(known), found, name="p", device="d").predict(codes) for found in (section, again)
    )
    np.testing.assert_array_equal(first, second)
    assert section.additivity_sd > 0
    assert (first[1] > 0.02 * first[0]).all()


@pytest.mark.parametrize("role", ["held-out", "check"])
def test_networks_that_judge_change_nothing(role):
    section = section_of("both", PRIOR)
    codes = sampled(30, 21)
    judged, none = (
        latency_model_of(given, section, name="p", device="d").predict(codes)
        for given in (evidence(networks(30, 22), role), evidence(networks(0)))
    )
    np.testing.assert_array_equal(judged, none)
    with pytest.raises(ProfileError, match="no whole network"):
        fit_model(evidence(networks(30, 22), role), "both", range(5))


def test_layers_alone_need_no_network_and_say_that_they_are_less_sure():
    section = fit_model(evidence(networks(0)), "layers", [0, 3])
    assert (section.coefficients, section.constants_ms) == ({SUM: 1.0}, {"0": 0.0, "3": 0.0})
    model = latency_model_of(evidence(networks(0)), section, name="p", device="d")
    mean, sd = model.predict(sampled(20, 23, scales=[0, 3]))
    assert ((sd > 0.05 * mean) & (sd < 0.2 * mean)).all()
    with pytest.raises(ProfileError, match="scale 1"):
        model.predict(sampled(1, 23, scales=[1]))


@pytest.mark.parametrize("huge", [{"additivity_sd": 1e200}, {"constant_sd_ms": 1e300}])
def test_spreads_that_cannot_be_are_an_error(huge):
    section = section_of("both", PRIOR).model_copy(update=huge)
    with pytest.raises(ProfileError, match="cannot be computed") as error:
        latency_model_of(evidence(networks(20)), section, name="p", device="board")
    assert "mosegedge profile --device board" in error.value.fix
