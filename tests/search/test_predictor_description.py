from __future__ import annotations

import numpy as np
import pytest
from generated import FLAT, PADDED, SPACES, STAGED, descriptions, scrambled
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.errors import UsageError
from mosegedge.search.domain import Domain
from mosegedge.search.predictors.description import CodeDescription, Switch
from mosegedge.search.predictors.encoding import Encoder, Scaler
from mosegedge.search.predictors.spaces import describe
from mosegedge.space import SearchSpace


@given(descriptions(), st.integers(0, 100))
def test_a_sample_is_of_its_kind_and_its_features_do_not_show_what_is_switched_off(description, seed):
    rng = np.random.default_rng(seed)
    codes = description.checked(description.sample(20, rng))
    canonical = description.canonical(codes)
    assert (description.canonical(canonical) == canonical).all()
    encoder = Encoder(description)
    features = encoder.features(codes)
    assert (features == encoder.features(scrambled(description, codes, rng))).all()
    assert (encoder.one_hot(codes).sum(axis=1) == description.active(codes).sum(axis=1)).all()
    assert (encoder.plain_one_hot(codes).sum(axis=1) == description.length).all()
    assert np.isfinite(features).all()


@given(descriptions(), st.integers(0, 100))
def test_groups_hold_each_one_hot_column_once(description, seed):
    encoder = Encoder(description)
    columns = np.concatenate(encoder.groups)
    assert sorted(columns) == list(range(encoder.columns))
    codes = description.sample(2, np.random.default_rng(seed))
    assert encoder.one_hot(codes).shape[1] == encoder.columns


def test_codes_differ_in_their_features_exactly_where_their_canonical_forms_differ(rng):
    codes = STAGED.sample(300, rng)
    canonical, features = STAGED.canonical(codes), Encoder(STAGED).one_hot(codes)
    same = (canonical[:, None] == canonical).all(axis=2)
    assert ((features[:, None] == features).all(axis=2) == same).all()
    assert same.sum() > len(codes)


def test_the_aggregates_of_a_code_by_hand():
    description = CodeDescription.of_choices(
        [2, 3, 3, 2],
        switches=(Switch(depth=0, base=1, positions=(1, 2)),),
        values=((0.0, 1.0), (0.5, 1.0, 2.0), (0.5, 1.0, 2.0), (10.0, 20.0)),
        aggregates=lambda codes: codes.sum(axis=1, keepdims=True),
    )
    codes = np.array([[0, 2, 1, 0], [1, 2, 1, 1]])
    assert Encoder(description).aggregates(codes).tolist() == [[1, 2.0, 10.0, 2], [2, 1.5, 20.0, 5]]


def test_this_projects_codes_are_described_as_the_space_sees_them(rng):
    space = SearchSpace.load("nano")
    codes = space.sample(200, rng)
    assert (PADDED.checked(codes) == codes).all()
    assert (PADDED.canonical(codes) == codes).all()
    encoder = Encoder(PADDED)
    assert (encoder.plain_one_hot(codes) == space.one_hot(codes)).all()
    aggregates = encoder.aggregates(codes)
    assert aggregates[:, -2] == pytest.approx(np.log(space.flops(codes)))
    assert aggregates[:, -1] == pytest.approx(np.log(space.params(codes)))
    sample = PADDED.sample(200, rng)
    assert (space.repair(sample, rng) == sample).all()


def test_a_domain_of_some_scales_is_sampled_inside_them(rng):
    domain = Domain(SearchSpace.load("nano"), (1, 3))
    description = describe(domain)
    assert set(description.sample(100, rng)[:, 0]) == {1, 3}
    with pytest.raises(UsageError, match=r"Position 0 of code 1 is 2.*\[1, 3\]"):
        description.checked(np.stack([description.sample(1, rng)[0], [2, *description.sample(1, rng)[0, 1:]]]))


@pytest.mark.parametrize("codes", [np.zeros((3, 11), dtype=int), np.zeros(12, dtype=int), np.zeros((3, 12))])
def test_arrays_that_are_no_codes_are_refused(codes):
    with pytest.raises(UsageError, match="N x 12 integers"):
        FLAT.checked(codes)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"digits": ((1, 0),)}, "ascending"),
        ({"digits": ((),)}, "at least one"),
        ({"digits": ((0, 1),), "values": ((1.0,),)}, "values"),
        ({"digits": ((0, 1), (0,)), "groups": ((0,),)}, "groups"),
        ({"digits": ((0, 1), (0,)), "switches": (Switch(depth=0, base=0, positions=(2,)),)}, "switches"),
        ({"digits": ((0, 1), (0,)), "switches": (Switch(depth=0, base=0, positions=(1, 1)),)}, "twice"),
        ({"digits": ((0, 1), (0,)), "switches": (Switch(depth=0, base=-1, positions=(1,)),)}, "not negative"),
        ({"digits": ()}, "no position"),
        (
            {
                "digits": ((0, 1), (0, 1), (0, 1)),
                "switches": (Switch(depth=0, base=0, positions=(1,)), Switch(depth=1, base=0, positions=(2,))),
            },
            r"\[1\] are switched themselves",
        ),
    ],
)
def test_descriptions_that_do_not_fit_together_are_refused(wrong, said):
    with pytest.raises(UsageError, match=said):
        CodeDescription(**wrong)


@pytest.mark.parametrize("bad", [lambda codes: codes.sum(axis=1), lambda codes: np.full((len(codes), 1), np.nan)])
def test_aggregates_that_are_no_rows_of_numbers_are_refused(bad, rng):
    description = CodeDescription.of_choices([2, 2], aggregates=bad)
    with pytest.raises(UsageError, match="aggregates"):
        Encoder(description).features(description.sample(4, rng))


@pytest.mark.parametrize("name", SPACES)
def test_a_scaler_standardises_and_leaves_constant_columns_at_zero(name, rng):
    features = np.concatenate([Encoder(SPACES[name]).features(SPACES[name].sample(50, rng)), np.full((50, 1), 0.1)], 1)
    scaled = Scaler.of(features)(features)
    assert scaled.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert (np.isclose(scaled.std(axis=0), 1) | (np.ptp(features, axis=0) < 1e-12)).all()
    assert (np.abs(scaled[:, -1]) < 1e-9).all()
