from __future__ import annotations

import numpy as np
import pytest
import torch
from generated import PADDED
from scipy.stats import kendalltau
from standin import SPACE, global_random_state, miou_of

from mosegedge.errors import SearchError, UsageError
from mosegedge.search.config import RankNetSettings
from mosegedge.search.predictors.description import CodeDescription
from mosegedge.search.predictors.paper import Mlp, PaperRankNet
from mosegedge.search.predictors.teachers import CubicRbf, DecisionTree, GradientBoosting

QUICK = RankNetSettings(epochs=150, neurons=64)


def fitted(count=120, settings=QUICK, seed=3):
    rng = np.random.default_rng(seed)
    codes = SPACE.sample(count, rng)
    ranknet = PaperRankNet(PADDED, rng, settings)
    ranknet.fit(codes, miou_of(codes))
    return ranknet, codes


def test_ranknet_orders_networks_that_it_has_not_seen():
    ranknet, _ = fitted()
    codes = SPACE.sample(300, np.random.default_rng(99))
    assert kendalltau(ranknet.predict(codes), miou_of(codes)).statistic > 0.75


def test_teachers_help_on_few_rows():
    codes = SPACE.sample(300, np.random.default_rng(99))
    taus = {
        share: kendalltau(
            fitted(40, RankNetSettings(epochs=150, neurons=64, synthetic_share=share))[0].predict(codes), miou_of(codes)
        ).statistic
        for share in (0.0, 0.5)
    }
    assert taus[0.5] > taus[0.0]


def test_scores_are_calibrated_to_the_targets():
    ranknet, codes = fitted()
    error = np.abs(ranknet.predict(codes) - miou_of(codes))
    assert error.mean() < 0.1 * miou_of(codes).std()
    fresh = SPACE.sample(300, np.random.default_rng(99))
    assert np.abs(ranknet.predict(fresh) - miou_of(fresh)).mean() < 0.4 * miou_of(fresh).std()


def test_a_better_score_than_all_training_scores_is_a_better_prediction(rng):
    middle = SPACE.sample(400, rng)
    middle = middle[np.argsort(miou_of(middle))[100:300]]
    ranknet = PaperRankNet(PADDED, rng, QUICK)
    ranknet.fit(middle, miou_of(middle))
    best, worst = ranknet.predict(SPACE.encode([SPACE.largest, SPACE.smallest]))
    assert best > miou_of(middle).max()
    assert worst < miou_of(middle).min()


def test_the_same_generator_gives_the_same_predictions_whatever_the_number_of_threads():
    codes = SPACE.sample(50, np.random.default_rng(5))
    before = torch.get_num_threads()
    first = fitted()[0].predict(codes)
    torch.set_num_threads(2)
    try:
        second = fitted()[0].predict(codes)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert (first == second).all()


def test_no_global_random_state_is_read_or_changed():
    state = global_random_state()
    first = fitted()[0].predict(SPACE.sample(50, np.random.default_rng(5)))
    assert global_random_state() == state
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert (fitted()[0].predict(SPACE.sample(50, np.random.default_rng(5))) == first).all()


def test_equal_targets_give_that_target(rng):
    codes = SPACE.sample(30, rng)
    ranknet = PaperRankNet(PADDED, rng, RankNetSettings(epochs=5, neurons=8))
    ranknet.fit(codes, np.full(30, 0.4))
    assert ranknet.predict(codes) == pytest.approx(0.4)


def test_codes_of_another_space_work_too(rng):
    bits = CodeDescription.of_choices([2] * 12)
    codes = bits.sample(80, rng)
    target = codes @ np.arange(12.0)
    ranknet = PaperRankNet(bits, rng, QUICK)
    ranknet.fit(codes, target)
    fresh = bits.sample(200, rng)
    assert kendalltau(ranknet.predict(fresh), fresh @ np.arange(12.0)).statistic > 0.8


def test_too_few_rows_and_a_prediction_before_the_fit_are_refused(rng):
    ranknet = PaperRankNet(PADDED, rng, QUICK)
    with pytest.raises(SearchError, match="before it was fitted"):
        ranknet.predict(SPACE.sample(1, rng))
    with pytest.raises(SearchError, match=r"ranknet-paper was given 4 evaluated networks.*at least 5.*--initial"):
        ranknet.fit(SPACE.sample(4, rng), np.arange(4.0))


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("margin", -1.0), ("learning_rate", float("nan"))])
def test_impossible_hyperparameters_are_refused(name, value):
    with pytest.raises(UsageError, match=name):
        RankNetSettings(**{name: value})


def test_the_cubic_rbf_passes_through_its_points_and_extends_a_linear_law(rng):
    features = SPACE.one_hot(SPACE.sample(150, rng))
    law = rng.normal(size=features.shape[1])
    rbf = CubicRbf()
    rbf.fit(features, features @ law)
    assert rbf.predict(features) == pytest.approx(features @ law, abs=1e-6)
    fresh = SPACE.one_hot(SPACE.sample(5000, rng))
    assert rbf.predict(fresh) == pytest.approx(fresh @ law, abs=1e-5)


@pytest.mark.parametrize("make", [lambda: DecisionTree(4), lambda: GradientBoosting(4, rows_per_leaf=5)])
def test_tree_teachers_are_deterministic_quiet_and_better_than_the_mean(make, rng, capfd):
    codes = SPACE.sample(150, rng)
    fresh = SPACE.sample(200, rng)
    predictions = []
    for _ in range(2):
        teacher = make()
        teacher.fit(SPACE.one_hot(codes), miou_of(codes))
        predictions.append(teacher.predict(SPACE.one_hot(fresh)))
    assert (predictions[0] == predictions[1]).all()
    assert np.square(predictions[0] - miou_of(fresh)).mean() < miou_of(fresh).var()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: Mlp(PADDED, rng, QUICK),
        lambda rng: PaperRankNet(PADDED, rng, QUICK, encoding="digits"),
        lambda rng: PaperRankNet(PADDED, rng, QUICK, loss="squared"),
    ],
)
def test_each_part_of_it_can_be_taken_away(make, rng):
    codes, fresh = SPACE.sample(80, np.random.default_rng(3)), SPACE.sample(200, np.random.default_rng(99))
    predictor = make(rng).fit(codes, miou_of(codes))
    assert kendalltau(predictor.predict(fresh), miou_of(fresh)).statistic > 0.5
