"""Measurements, rank correlations, the formula and the latency model on laws that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from mosegedge.errors import ProfileError
from mosegedge.profiling.bayes import formula_ms
from mosegedge.profiling.fit import fit_formula
from mosegedge.profiling.formula import Overflow, entry_costs, entry_terms
from mosegedge.profiling.judge import agreement, kendall_tau, spearman
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.measurement import Measurement, choose_statistic
from mosegedge.profiling.model import Evidence, latency_model_of
from mosegedge.profiling.sections import ModelSection
from mosegedge.space import SearchSpace
from mosegedge.space.counting import params_of

SPACE = SearchSpace.load("nano")
ENTRY_MS = 0.02 + SPACE.entry_flops / 2e7
LAW = {"sum_of_layers": 0.9, "layers": 0.01, "weights_million": 0.25, "boundary_elements_million": -0.05}


def networks(rng, count=120, scales=range(5)):
    codes = SPACE.sample(count, rng)
    codes[:, 0] = np.array(scales)[np.arange(count) % len(scales)]
    return codes


def latency(codes, law, constants=(0.3,) * 5):
    return SPACE.total(codes, entry_costs(entry_terms(SPACE, ENTRY_MS), law)) + np.array(constants)[codes[:, 0]]


def test_value_halves_and_grade_of_a_measurement():
    steady = Measurement("a", ((1_000_000,) * 6, (1_005_000,) * 6), preempted=1)
    assert steady.value_ms("median") == pytest.approx(1.0025)
    assert steady.halves_ms("median") == (1.0, 1.005)
    assert steady.grade("median") == ("A", "halves 0.5% apart, 12 runs in 2 bursts, 1 preempted")
    assert Measurement("a", ((1_000_000,) * 6, (1_020_000,) * 6), 0).grade("median")[0] == "B"
    assert Measurement("a", ((1_000_000,) * 6, (1_200_000,) * 6), 0).grade("median")[0] == "C"
    assert Measurement("a", ((1_000_000,) * 60,), 0).grade("median")[0] == "C"
    assert Measurement("a", ((1_000_000,), (1_000_000,)), 0).grade("median")[1].startswith("too few")


def test_the_low_quantile_is_used_where_the_machine_was_noisy(rng):
    quiet = [Measurement("a", (tuple(int(x) for x in rng.normal(1e6, 2e3, 50)),), 0) for _ in range(9)]
    noisy = [Measurement("a", (tuple(int(x) for x in 1e6 + rng.exponential(2e5, 50)),), 0) for _ in range(9)]
    assert choose_statistic(quiet) == "median"
    assert choose_statistic(noisy) == "quantile10"


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=30))
def test_rank_correlations_equal_scipys(pairs):
    first, second = np.array(pairs, dtype=float).T
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert kendall_tau(first, second) == spearman(first, second) == 0
        return
    assert kendall_tau(first, second) == pytest.approx(kendalltau(first, second).statistic, abs=1e-12)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_agreement_counts_signed_and_absolute_errors():
    result = agreement(np.array([1.1, 1.8, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert result.mape == pytest.approx(0.2 / 3)
    assert result.bias == pytest.approx(0.0)
    assert result.worst == pytest.approx(0.1)
    assert result.kendall_tau == pytest.approx(1)


def test_the_formula_finds_a_law_with_all_terms_and_constants_by_scale(rng):
    codes = networks(rng)
    constants = (0.1, 0.4, 0.2, 0.9, 0.5)
    formula = fit_formula(SPACE, ENTRY_MS, codes, latency(codes, LAW, constants))
    assert dict(formula.coefficients) == pytest.approx(LAW, rel=1e-3, abs=1e-5)
    assert [formula.constants_ms[scale] for scale in range(5)] == pytest.approx(constants, rel=1e-2)


def test_the_smallest_formula_is_taken_when_a_larger_one_does_not_help(rng):
    codes = networks(rng)
    measured = latency(codes, {"sum_of_layers": 1.1}) * rng.normal(1, 0.02, len(codes))
    formula = fit_formula(SPACE, ENTRY_MS, codes, measured)
    assert set(formula.coefficients) == {"sum_of_layers"}
    assert formula.coefficients["sum_of_layers"] == pytest.approx(1.1, rel=0.02)


def test_few_networks_get_a_formula_that_they_can_carry(rng):
    codes = networks(rng, 4, scales=[0])
    formula = fit_formula(SPACE, ENTRY_MS, codes, latency(codes, LAW))
    assert set(formula.coefficients) == {"sum_of_layers"}
    assert set(formula.constants_ms) == {0}


def test_layers_that_were_not_measured_are_no_basis_for_a_fit(rng):
    codes = networks(rng, 20)
    with pytest.raises(ProfileError, match="not measured"):
        fit_formula(SPACE, np.full(len(SPACE.entries), np.nan), codes, latency(codes, LAW))


def test_the_formula_finds_what_the_cache_holds(rng):
    codes = networks(rng)
    weights = SPACE.params(codes) / 1e6
    held = float(np.quantile(weights, 0.4))
    measured = latency(codes, {"sum_of_layers": 0.9}) + 0.4 * np.maximum(0, weights - held)
    formula = fit_formula(SPACE, ENTRY_MS, codes, measured)
    assert formula.overflow is not None
    assert formula.overflow.held_million == pytest.approx(held, rel=0.02)
    assert formula.overflow.ms_per_million == pytest.approx(0.4, rel=0.05)
    costs = entry_costs(entry_terms(SPACE, ENTRY_MS), formula.coefficients)
    np.testing.assert_allclose(formula_ms(SPACE, formula, costs, codes), measured, rtol=1e-3)


def model(entry_ms=ENTRY_MS, constants=(0.3,) * 5) -> LatencyModel:
    return LatencyModel(
        space=SPACE, name="board/nano-fp32/v1", device="board", entry_ms=entry_ms,
        constant_ms=np.array(constants), relative_sd=0.02, overflow=Overflow(held_million=0.5, ms_per_million=0.1),
    )  # fmt: skip


def test_many_networks_at_once_equal_the_sum_over_each_ones_layers(rng):
    codes = networks(rng, 60)
    mean, sd = model().predict(codes)
    costs = {spec.key: cost for spec, cost in zip(SPACE.entries, ENTRY_MS, strict=True)}
    for network, predicted in zip(SPACE.decode(codes), mean, strict=True):
        layers = sum(costs[layer.spec.key] for layer in SPACE.layers_of(network))
        weights = sum(params_of(layer.spec) for layer in SPACE.layers_of(network)) / 1e6
        assert predicted == pytest.approx(layers + 0.3 + 0.1 * max(0, weights - 0.5))
        assert model().predict_one(network)[0] == pytest.approx(predicted)
    np.testing.assert_allclose(sd, 0.02 * mean)


def test_parts_sum_to_the_whole_and_so_do_their_variances(rng):
    for network in SPACE.decode(networks(rng, 10)):
        mean, sd = model().predict_one(network)
        parts = model().parts(network)
        assert [part.name for part in parts] == [
            "stem",
            "stage1",
            "stage2",
            "stage3",
            "stage4",
            "decoder",
            "constant",
            "overflow",
        ]
        assert sum(part.latency_ms for part in parts) == pytest.approx(mean)
        assert sum(part.sd_ms**2 for part in parts) == pytest.approx(sd**2)


def test_a_missing_scale_is_an_error_that_names_count_and_command(rng):
    size = len(SPACE.entries) // 5
    entry_ms = ENTRY_MS.copy()
    entry_ms[2 * size :] = np.nan
    partial = model(entry_ms, (0.3, 0.3, np.nan, np.nan, np.nan))
    codes = networks(rng, 30, scales=[0, 1, 3])
    assert np.isfinite(partial.predict(codes[codes[:, 0] < 2])[0]).all()
    with pytest.raises(ProfileError) as error:
        partial.predict(codes)
    entries = SPACE.entries_of(codes)
    missing = {SPACE.entries[row].key for row in entries[entries >= 0] if np.isnan(entry_ms[row])}
    assert error.value.what == (
        f"Profile board/nano-fp32/v1 lacks {len(missing)} of the layers that these networks need, and scale 3."
    )
    assert "covers scales 0, 1" in error.value.known
    assert error.value.fix.endswith("mosegedge profile --device board --space nano:192x384:19 --scales 0,1,3")


def test_a_formula_with_an_unknown_term_is_refused():
    section = ModelSection(
        method="both", coefficients={"moon_phase": 1.0}, constants_ms={"0": 1.0}, additivity_sd=0.0,
        constant_sd_ms=0.0, network_sd=0.1,
    )  # fmt: skip
    with pytest.raises(ProfileError, match="moon_phase"):
        latency_model_of(Evidence(space=SPACE, entries=[], networks=[]), section, name="p", device="d")
