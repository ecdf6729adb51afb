"""Scales put every value inside their pixels, in order, and label them with round numbers."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.report.scale import LogScale, Scale

values = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))
spans = st.tuples(values, st.floats(1e-3, 1e6))


def scale_of(span: tuple[float, float], **fields: float) -> Scale:
    low, extent = span
    return Scale(low=low, high=low + extent, **{"start": 0.0, "end": 100.0, **fields})


@given(st.lists(values, max_size=20))
def test_a_scale_around_values_shows_them_all(shown):
    scale = Scale.around(shown, 20.0, 500.0)
    assert all(20.0 - 1e-6 <= scale(value) <= 500.0 + 1e-6 for value in shown)


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_a_scale_from_zero_has_no_margin_there(shown):
    scale = Scale.around(shown, 400.0, 10.0, zero=True)
    assert scale(0.0) == 400.0
    assert all(10.0 - 1e-6 <= scale(value) <= 400.0 + 1e-6 for value in shown)


@given(spans, values, values)
def test_pixels_grow_with_values(span, first, second):
    scale = scale_of(span)
    assert (scale(first) <= scale(second)) == (first <= second) or math.isclose(scale(first), scale(second))


@given(spans)
def test_the_ends_are_where_they_were_put(span):
    scale = scale_of(span, start=300.0, end=40.0)
    assert scale(scale.low) == pytest.approx(300.0)
    assert scale(scale.high) == pytest.approx(40.0)


@given(spans, st.integers(3, 12))
def test_ticks_are_few_even_and_inside(span, most):
    scale = scale_of(span)
    ticks = scale.ticks(most)
    slack = 1e-6 * (scale.high - scale.low)
    assert 1 <= len(ticks) <= most
    assert all(scale.low - slack <= tick <= scale.high + slack for tick in ticks)
    steps = [after - before for before, after in itertools.pairwise(ticks)]
    assert all(step == pytest.approx(steps[0], rel=1e-4) for step in steps)


@given(spans)
def test_there_are_enough_ticks_to_read_a_distance(span):
    assert len(scale_of(span).ticks()) >= 2


@given(spans)
def test_labels_say_what_ticks_are(span):
    labels = scale_of(span).labels()
    step = labels[1][0] - labels[0][0]
    assert len({text for _, text in labels}) == len(labels)
    for value, text in labels:
        assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, abs=1e-3 * step)


@given(st.integers(-50, 50), st.integers(1, 200))
def test_whole_scales_have_whole_ticks(low, extent):
    scale = Scale(low=low - 0.3, high=low + extent + 0.3, start=0.0, end=1.0, whole=True)
    ticks = scale.ticks()
    assert ticks
    assert all(tick == int(tick) for tick in ticks)
    assert all("." not in text for _, text in scale.labels()) or len(ticks) == 1


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, math.inf), (math.nan, 1.0)])
def test_a_scale_without_extent_is_refused(low, high):
    with pytest.raises(ValueError, match="cannot go"):
        Scale(low=low, high=high, start=0.0, end=1.0)


def test_known_ticks():
    scale = Scale(low=0.0, high=10.0, start=0.0, end=100.0)
    assert [text for _, text in scale.labels()] == ["0", "2", "4", "6", "8", "10"]
    assert [text for _, text in Scale(low=0.21, high=0.5, start=0.0, end=1.0).labels()] == [
        "0.25", "0.30", "0.35", "0.40", "0.45", "0.50",
    ]  # fmt: skip


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_a_logarithmic_scale_shows_all_values_and_a_few_round_numbers(shown):
    scale = LogScale.around(shown, 20.0, 500.0)
    assert all(20.0 <= scale(value) <= 500.0 for value in shown)
    labels = scale.labels()
    assert len(labels) <= 6
    assert all(20.0 <= scale(value) <= 500.0 and float(text) == pytest.approx(value) for value, text in labels)


def test_equal_factors_are_equally_far_on_a_logarithmic_scale():
    scale = LogScale(low=1.0, high=100.0, start=0.0, end=200.0)
    assert (scale(1.0), scale(10.0), scale(100.0)) == (0.0, pytest.approx(100.0), pytest.approx(200.0))
    for low, high in ((0.0, 1.0), (2.0, 1.0), (1.0, math.inf)):
        with pytest.raises(ValueError, match="logarithmic"):
            LogScale(low=low, high=high, start=0.0, end=1.0)
