from __future__ import annotations

import numpy as np
import pytest
from generated import FLAT, SPACES, STAGED, accuracy, descriptions, scrambled
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import kendalltau

from mosegedge.errors import SearchError
from mosegedge.search.predictors.evidence import Evidence, Hyperparameters
from mosegedge.search.predictors.gp import GaussianProcess
from mosegedge.search.predictors.interface import UncertainPredictor


def fitted(description, count=80, seed=1):
    codes = description.sample(count, np.random.default_rng(seed))
    return GaussianProcess(description).fit(codes, accuracy(description, codes)), codes


@given(st.integers(0, 1000))
def test_the_gradient_of_the_evidence_is_that_of_its_value(seed):
    rng = np.random.default_rng(seed)
    features, groups = rng.normal(size=(12, 5)), [rng.normal(size=(12, columns)) for columns in (1, 2, 3)]
    evidence = Evidence(features, groups, rng.normal(size=12))
    at = rng.normal(-1.0, 1.0, size=6)
    numeric = approx_fprime(at, lambda point: evidence(point)[0], 1e-6)
    assert evidence(at)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_evidence_is_that_of_a_normal_distribution(rng):
    x, y = rng.normal(size=(7, 2)), rng.normal(size=7)
    found = Hyperparameters(linear=0.7, matern=0.4, noise=0.1, weights=(1.0,))
    r = np.sqrt(5) * np.linalg.norm(x[:, None] - x, axis=2)
    kernel = 0.7 * x @ x.T + 0.4 * (1 + r + r**2 / 3) * np.exp(-r) + 0.1 * np.eye(7)
    log_density = -0.5 * (y @ np.linalg.solve(kernel, y) + np.linalg.slogdet(2 * np.pi * kernel)[1])
    value, _ = Evidence(x, [x], y)(found.logarithms())
    prior = np.log([0.7, 0.4, 0.1 / 0.02, 1.0]) / [2, 2, 1.5, 2]
    assert value == pytest.approx(-log_density + 0.5 * prior @ prior)


@pytest.mark.parametrize("name", SPACES)
def test_it_orders_networks_that_it_has_not_seen(name):
    process, _ = fitted(SPACES[name])
    fresh = SPACES[name].sample(300, np.random.default_rng(9))
    expected = accuracy(SPACES[name], fresh)
    assert kendalltau(process.predict(fresh), expected).statistic > 0.8
    assert np.abs(process.predict(fresh) - expected).mean() < 0.3 * expected.std()


def textbook(process, codes, y, fresh):
    """Means and standard deviations by the formulas as they are written, pair by pair and by solving."""
    count, encoder, found = len(codes), process._encoder, process.hyperparameters
    features = encoder.features(np.concatenate([codes, fresh]))
    sd = features[:count].std(axis=0)
    scaled = (features - features[:count].mean(axis=0)) / np.where(sd > 1e-9, sd, 1)
    parts = [features[:, columns] / np.sqrt(2) for columns in encoder.groups]
    parts += [scaled[:, [column]] / 2 for column in range(encoder.columns, features.shape[1])]
    q = sum(w * ((part[:, None] - part) ** 2).sum(axis=2) for w, part in zip(found.weights, parts, strict=True))
    r = np.sqrt(5 * q)
    kernel = found.linear * scaled @ scaled.T / features.shape[1]
    kernel += found.matern * (1 + r + r**2 / 3) * np.exp(-r)
    known, new = slice(0, count), slice(count, None)
    solved = np.linalg.solve(kernel[known, known] + found.noise * np.eye(count), kernel[known, new])
    variance = np.diag(kernel[new, new] - kernel[new, known] @ solved)
    return y.mean() + y.std() * (y - y.mean()) / y.std() @ solved, y.std() * np.sqrt(np.maximum(variance, 0))


@settings(max_examples=20)
@given(descriptions(), st.integers(0, 1000))
def test_predictions_agree_with_the_textbook_formula(description, seed):
    rng = np.random.default_rng(seed)
    codes, y, fresh = description.sample(15, rng), rng.normal(0.5, 0.1, 15), description.sample(9, rng)
    process = GaussianProcess(description).fit(codes, y)
    mean, sd = process.predict_with_std(fresh)
    expected_mean, expected_sd = textbook(process, codes, y, fresh)
    assert mean == pytest.approx(expected_mean, rel=1e-9)
    assert sd**2 == pytest.approx(expected_sd**2, rel=1e-7, abs=1e-12)
    assert process.predict(fresh) == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("name", SPACES)
def test_switched_off_digits_do_not_matter_and_neither_does_the_order_of_the_rows(name, rng):
    description = SPACES[name]
    process, codes = fitted(description, 40)
    order = rng.permutation(40)
    again = GaussianProcess(description).fit(
        scrambled(description, codes, rng)[order], accuracy(description, codes)[order]
    )
    fresh = description.sample(100, rng)
    mean, sd = process.predict_with_std(fresh)
    assert (process.predict_with_std(scrambled(description, fresh, rng))[0] == mean).all()
    other_mean, other_sd = again.predict_with_std(fresh)
    assert other_mean == pytest.approx(mean, rel=1e-3)
    assert other_sd == pytest.approx(sd, rel=2e-2, abs=1e-5)


@pytest.mark.parametrize("name", SPACES)
def test_it_is_less_sure_away_from_the_data(name, rng):
    description = SPACES[name]
    process, codes = fitted(description, 40)
    other = description.sample(40, rng)
    both = description.active(codes) & description.active(other)
    mixed = np.where(both & (rng.random(codes.shape) < 0.3), other, codes)
    for switch in description.switches:
        mixed[:, switch.depth] = codes[:, switch.depth]
    at, near, far = (process.predict_with_std(rows)[1].mean() for rows in (codes, mixed, description.sample(300, rng)))
    assert 0 < at < near < far


def test_its_deviations_cover_its_errors(rng):
    process, _ = fitted(STAGED, 60)
    fresh = STAGED.sample(500, rng)
    mean, sd = process.predict_with_std(fresh)
    off = (mean - accuracy(STAGED, fresh)) / sd
    assert 0.3 < np.sqrt(np.square(off).mean()) < 3


def test_a_refit_from_earlier_hyperparameters_is_as_good_and_depends_on_nothing_else(rng):
    process, codes = fitted(STAGED, 60)
    more = np.concatenate([codes, STAGED.sample(8, rng)])
    y, fresh = accuracy(STAGED, more), STAGED.sample(200, rng)
    refits = [GaussianProcess(STAGED, start=process.hyperparameters).fit(more, y).predict(fresh) for _ in range(2)]
    assert (refits[0] == refits[1]).all()
    cold = GaussianProcess(STAGED).fit(more, y).predict(fresh)
    expected = accuracy(STAGED, fresh)
    assert np.abs(refits[0] - expected).mean() < 1.2 * np.abs(cold - expected).mean()


def test_the_higher_of_two_maxima_is_taken():
    x = np.random.default_rng(1).uniform(-1.0, 1.0, size=(30, 3))
    y = np.round(2 * x[:, 0]) + 0.02 * x[:, 1] + 0.02 * np.sin(4 * x[:, 2])  # clumps, and little in them
    evidence = Evidence(x / np.sqrt(3), [x[:, [column]] for column in range(3)], (y - y.mean()) / y.std())
    starts = [Hyperparameters.start(3, trend=trend) for trend in (True, False)]
    with_trend, without = (evidence(evidence.maximise([start], 100).logarithms())[0] for start in starts)
    assert without < with_trend - 1
    for order in (starts, starts[::-1]):
        assert evidence(evidence.maximise(order, 100).logarithms())[0] == pytest.approx(without)


@pytest.mark.parametrize("name", SPACES)
def test_its_fit_reaches_the_maximum_also_on_what_a_search_evaluates(name, rng):
    description = SPACES[name]
    many, fresh = description.sample(2000, rng), description.sample(100, rng)
    codes = np.concatenate([many[:50], many[np.argsort(accuracy(description, many))[-30:]]])
    y = accuracy(description, codes)
    found = GaussianProcess(description).fit(codes, y)
    further = GaussianProcess(description, start=found.hyperparameters).fit(codes, y)
    before, after = (process.predict_with_std(fresh)[1] for process in (found, further))
    assert np.abs(np.log(after / before)).max() < 0.02


def test_predictions_of_many_rows_are_those_of_each_alone(rng):
    process, _ = fitted(STAGED, 30)
    fresh = STAGED.sample(1500, rng)
    mean, sd = process.predict_with_std(fresh)
    assert process.predict(fresh) == pytest.approx(mean)
    assert process.predict_with_std(fresh[1200:1203])[1] == pytest.approx(sd[1200:1203])
    assert [part.shape for part in process.predict_with_std(fresh[:0])] == [(0,), (0,)]


def test_equal_targets_give_that_target_without_doubt(rng):
    codes = STAGED.sample(20, rng)
    mean, sd = GaussianProcess(STAGED).fit(codes, np.full(20, 0.4)).predict_with_std(STAGED.sample(5, rng))
    assert mean == pytest.approx(0.4)
    assert (sd == 0).all()


def test_the_same_network_with_two_accuracies_is_no_obstacle(rng):
    codes = np.repeat(STAGED.sample(10, rng), 2, axis=0)
    y = np.repeat(accuracy(STAGED, codes[::2]), 2) + np.tile([0.01, -0.01], 10)
    mean = GaussianProcess(STAGED).fit(codes, y).predict(codes)
    assert (mean[::2] == mean[1::2]).all()


def test_many_rows_are_all_learned_from_though_hyperparameters_see_a_thousand(rng):
    codes = FLAT.sample(1050, rng)
    y = accuracy(FLAT, codes)
    start = GaussianProcess(FLAT).fit(codes[:100], y[:100]).hyperparameters
    process = GaussianProcess(FLAT, start=start, iterations=3).fit(codes, y)
    assert np.abs(process.predict(codes) - y).mean() < 0.02 * y.std()


def test_it_is_an_uncertain_predictor_and_says_what_is_missing(rng):
    process = GaussianProcess(STAGED)
    assert isinstance(process, UncertainPredictor)
    for ask in (process.predict, process.predict_with_std, lambda _: process.hyperparameters):
        with pytest.raises(SearchError, match="before it was fitted"):
            ask(STAGED.sample(1, rng))
    with pytest.raises(SearchError, match=r"gp was given 4 evaluated networks.*at least 5.*--initial"):
        process.fit(STAGED.sample(4, rng), np.arange(4.0))
    for targets in (np.arange(7.0), np.full(6, np.nan)):
        with pytest.raises(SearchError, match="one finite number a code"):
            process.fit(STAGED.sample(6, rng), targets)
