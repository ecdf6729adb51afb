"""What holds for every predictor."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from generated import PADDED, SPACES, STAGED, accuracy, scrambled
from scipy.stats import kendalltau, rankdata
from standin import global_random_state

from mosegedge.errors import SearchError, UsageError
from mosegedge.search.config import RankNetSettings
from mosegedge.search.predictors.interface import UncertainPredictor
from mosegedge.search.predictors.registry import PREDICTORS, make_predictor

QUICK = RankNetSettings(epochs=80, neurons=48)
SEES_SWITCHED_OFF_DIGITS = ("ranknet-paper", "mlp", "lightgbm-defaults")


def fitted(name, description, count=80, seed=1):
    rng = np.random.default_rng(seed)
    codes = description.sample(count, rng)
    predictor = make_predictor(name, description, rng, paper=QUICK)
    return predictor.fit(codes, accuracy(description, codes)), codes


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", PREDICTORS)
def test_each_orders_networks_of_each_space_quietly_and_in_the_unit_of_the_targets(name, space, capfd):
    description = SPACES[space]
    predictor, _ = fitted(name, description)
    fresh = description.sample(200, np.random.default_rng(9))
    found, expected = predictor.predict(fresh), accuracy(description, fresh)
    assert found.shape == (200,)
    assert found.dtype == np.float64
    assert kendalltau(found, expected).statistic > 0.3
    assert np.abs(found - expected).mean() < 0.9 * expected.std()
    assert predictor.predict(fresh[:0]).shape == (0,)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_same_seed_gives_the_same_predictions_whatever_else_happens(name):
    fresh = STAGED.sample(50, np.random.default_rng(5))
    state, threads = global_random_state(), torch.get_num_threads()
    first = fitted(name, STAGED, 40)[0].predict(fresh)
    assert global_random_state() == state
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    torch.set_num_threads(2)
    try:
        assert (fitted(name, STAGED, 40)[0].predict(fresh) == first).all()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", [name for name in PREDICTORS if name not in SEES_SWITCHED_OFF_DIGITS])
def test_switched_off_digits_do_not_matter(name, rng):
    predictor, codes = fitted(name, STAGED, 40)
    fresh = STAGED.sample(100, rng)
    assert (predictor.predict(scrambled(STAGED, fresh, rng)) == predictor.predict(fresh)).all()
    again = make_predictor(name, STAGED, np.random.default_rng(3), paper=QUICK)
    first = again.fit(codes, accuracy(STAGED, codes)).predict(fresh)
    again = make_predictor(name, STAGED, np.random.default_rng(3), paper=QUICK)
    assert (again.fit(scrambled(STAGED, codes, rng), accuracy(STAGED, codes)).predict(fresh) == first).all()


@pytest.mark.parametrize("name", ["rbf", "kriging", "svr", "gp"])
def test_the_order_of_the_training_rows_does_not_matter(name, rng):
    predictor, codes = fitted(name, PADDED, 60)
    order = rng.permutation(60)
    again = make_predictor(name, PADDED, rng).fit(codes[order], accuracy(PADDED, codes)[order])
    fresh = PADDED.sample(100, rng)
    assert again.predict(fresh) == pytest.approx(predictor.predict(fresh), abs=2e-4)


@pytest.mark.parametrize("name", PREDICTORS)
def test_another_unit_of_the_targets_gives_the_same_predictions_in_that_unit(name, rng):
    codes, fresh = STAGED.sample(60, rng), STAGED.sample(100, rng)
    y = accuracy(STAGED, codes)
    first, second = (
        make_predictor(name, STAGED, np.random.default_rng(2), paper=QUICK).fit(codes, target).predict(fresh)
        for target in (y, 100.0 * y - 7.0)
    )
    assert np.abs((second + 7.0) / 100.0 - first).mean() < 0.1 * y.std()


@pytest.mark.parametrize("name", PREDICTORS)
def test_equal_targets_give_that_target(name, rng):
    predictor = make_predictor(name, STAGED, rng, paper=QUICK).fit(STAGED.sample(20, rng), np.full(20, 0.4))
    assert predictor.predict(STAGED.sample(10, rng)) == pytest.approx(0.4)


@pytest.mark.parametrize("name", PREDICTORS)
def test_too_few_rows_other_codes_and_a_prediction_before_the_fit_are_refused(name, rng):
    predictor = make_predictor(name, STAGED, rng)
    with pytest.raises(SearchError, match=f"{name} was asked for a prediction before"):
        predictor.predict(STAGED.sample(1, rng))
    with pytest.raises(SearchError, match=rf"{name} was given 4 evaluated networks.*at least 5"):
        predictor.fit(STAGED.sample(4, rng), np.arange(4.0))
    with pytest.raises(UsageError, match="Position 9 of code 0 is 7"):
        predictor.fit(np.full((6, 10), 7) * (np.arange(10) == 9), np.arange(6.0))


@pytest.mark.parametrize("name", ["gp", "kriging"])
def test_deviations_are_in_the_unit_of_the_targets_and_grow_away_from_the_data(name, rng):
    predictor, codes = fitted(name, STAGED, 40)
    assert isinstance(predictor, UncertainPredictor)
    fresh = STAGED.sample(300, rng)
    mean, sd = predictor.predict_with_std(fresh)
    assert mean == pytest.approx(predictor.predict(fresh))
    assert predictor.predict_with_std(codes)[1].mean() < sd.mean() < 2 * accuracy(STAGED, fresh).std()
    assert [part.shape for part in predictor.predict_with_std(fresh[:0])] == [(0,), (0,)]


def test_an_unknown_name_is_refused_with_the_closest_one():
    with pytest.raises(
        UsageError, match=r"no predictor 'ranknett'.*gp, ranknet, ranknet-paper.*Did you mean ranknet\?"
    ):
        make_predictor("ranknett", STAGED, np.random.default_rng(0))
    with pytest.raises(UsageError, match="Choose one of them"):
        make_predictor("x", STAGED, np.random.default_rng(0))


def test_a_gaussian_process_does_not_load_torch():
    code = (
        "import sys, numpy as np\n"
        "from mosegedge.search.predictors.description import CodeDescription\n"
        "from mosegedge.search.predictors.registry import make_predictor\n"
        "description = CodeDescription.of_choices([2, 2, 2])\n"
        "codes = description.sample(8, np.random.default_rng(0))\n"
        "make_predictor('gp', description, np.random.default_rng(0)).fit(codes, codes.sum(axis=1).astype(float))\n"
        "assert 'torch' not in sys.modules and 'lightgbm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ranks_survive_calibration(rng):
    from mosegedge.search.predictors.calibration import Quantiles

    scores, y = rng.normal(size=50), rng.normal(size=50)
    rising = Quantiles(scores, y)
    asked = np.sort(rng.normal(size=500) * 3)
    assert (np.diff(rising(asked)) > 0).all()
    assert rising(scores) == pytest.approx(np.sort(y)[rankdata(scores).astype(int) - 1], abs=1e-5)
