from __future__ import annotations

import numpy as np
import pytest
from generated import PADDED, STAGED, accuracy
from scipy.stats import kendalltau

from mosegedge.errors import UsageError
from mosegedge.search.predictors.gp import GaussianProcess
from mosegedge.search.predictors.ranknet import EnsembleSettings, RankNet
from mosegedge.space import SearchSpace

DEFAULTS = EnsembleSettings()


def fitted(description=STAGED, count=60, *, settings=DEFAULTS, seed=1):
    rng = np.random.default_rng(seed)
    codes = description.sample(count, rng)
    return RankNet(description, rng, settings).fit(codes, accuracy(description, codes)), codes


def test_it_orders_networks_well():
    ranknet, _ = fitted()
    fresh = STAGED.sample(300, np.random.default_rng(9))
    assert kendalltau(ranknet.predict(fresh), accuracy(STAGED, fresh)).statistic > 0.8


def test_the_teacher_helps_on_few_rows():
    fresh = PADDED.sample(300, np.random.default_rng(9))
    taus = {
        pool: kendalltau(
            fitted(PADDED, 40, settings=EnsembleSettings(pool=pool))[0].predict(fresh), accuracy(PADDED, fresh)
        ).statistic
        for pool in (0, 1000)
    }
    assert taus[1000] > taus[0]


def test_scores_are_calibrated_to_the_targets():
    ranknet, codes = fitted()
    y = accuracy(STAGED, codes)
    assert np.abs(ranknet.predict(codes) - y).mean() < 0.1 * y.std()
    fresh = STAGED.sample(300, np.random.default_rng(9))
    assert np.abs(ranknet.predict(fresh) - accuracy(STAGED, fresh)).mean() < 0.3 * y.std()


def test_a_better_score_than_all_training_scores_is_a_better_prediction(rng):
    middle = PADDED.sample(300, rng)
    middle = middle[np.argsort(accuracy(PADDED, middle))[75:225]]
    y = accuracy(PADDED, middle)
    space = SearchSpace.load("nano")
    best, worst = RankNet(PADDED, rng).fit(middle, y).predict(space.encode([space.largest, space.smallest]))
    assert best > y.max()
    assert worst < y.min()


def test_its_teacher_starts_from_given_hyperparameters(rng):
    ranknet, codes = fitted()
    y = accuracy(STAGED, codes)
    process = GaussianProcess(STAGED).fit(codes, y)
    assert ranknet.hyperparameters == process.hyperparameters
    refit = RankNet(STAGED, rng, start=process.hyperparameters).fit(codes, y)
    expected = GaussianProcess(STAGED, start=process.hyperparameters).fit(codes, y).hyperparameters
    assert refit.hyperparameters == expected


@pytest.mark.parametrize(("name", "value"), [("nets", 0), ("pool", -1), ("learning_rate", 0.0)])
def test_impossible_hyperparameters_are_refused(name, value):
    with pytest.raises(UsageError, match=name):
        EnsembleSettings(**{name: value})
