"""Codes: text form, canonical padding, errors that name position, value and range."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.errors import ArchitectureError
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space import codes as code_arrays
from mosegedge.space.architecture import DIGITS

SMALLEST = "0 00 001100 001100 00111100 001100"
seeds = st.integers(0, 2**32 - 1)


def some_codes(seed: int, count: int = 20) -> np.ndarray:
    return code_arrays.sample(count, np.random.default_rng(seed))


@given(seeds)
def test_text_form_round_trips_with_blanks_dashes_and_neither(seed: int) -> None:
    for architecture in code_arrays.decode(some_codes(seed)):
        assert Architecture.parse(str(architecture)) == architecture
        assert Architecture.parse(architecture.slug) == architecture
        assert Architecture.parse(str(architecture).replace(" ", "")) == architecture


def test_text_form_is_the_documented_one() -> None:
    assert str(Architecture.parse("0-00-001100-001100-00111100-001100")) == SMALLEST
    assert str(SearchSpace.load("tiny").smallest) == SMALLEST
    assert str(SearchSpace.load("tiny").largest) == "4 12 223333 223333 22333333 223333"


@pytest.mark.parametrize(
    ("code", "position", "value", "allowed"),
    [
        ("5 00 001100 001100 00111100 001100", "Position 0 (scale)", "is 5", "0..4"),
        ("0 20 001100 001100 00111100 001100", "Position 1 (stem depth)", "is 2", "0..1"),
        ("0 00 001000 001100 00111100 001100", "Position 6 (stage 1 expansion of layer 2)", "is 0", "1..3"),
        ("0 00 001110 001100 00111100 001100", "Position 7 (stage 1 expansion of layer 3)", "is 1", "allowed here: 0"),
        ("0 00 001100 001100 00111100 001104", "Position 28 (stage 4 expansion of layer 4)", "is 4", "allowed here: 0"),
        ("0 00 031100 001100 00111100 001100", "Position 4 (stage 1 width)", "is 3", "0..2"),
    ],
)
def test_bad_digit_is_named_with_value_and_range(code: str, position: str, value: str, allowed: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        Architecture.parse(code)
    for part in (position, value, allowed):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["", "0 00", SMALLEST + "0", "0 00 0011oo 001100 00111100 001100", "é"])
def test_text_that_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ArchitectureError):
        Architecture.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    with contextlib.suppress(ArchitectureError):
        Architecture.parse(text)


@given(st.lists(st.integers(-1, 5), min_size=29, max_size=29))
def test_array_check_agrees_with_the_architecture(digits: list[int]) -> None:
    def refused(check: object) -> bool:
        try:
            check()  # type: ignore[operator]
        except ArchitectureError:
            return True
        return False

    assert refused(lambda: Architecture(tuple(digits))) == refused(lambda: code_arrays.check(np.array([digits])))


@given(seeds)
def test_repair_gives_canonical_codes_and_keeps_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, code_arrays.UPPER_BOUNDS + 1, size=(50, 29))
    repaired = code_arrays.repair(raw, rng)
    code_arrays.check(repaired)
    assert np.array_equal(code_arrays.repair(repaired, rng), repaired)
    active = code_arrays.active_layers(raw)
    assert np.array_equal(repaired[active & (raw > 0)], raw[active & (raw > 0)])


@given(seeds)
def test_one_hot_has_96_columns_and_tells_codes_apart(seed: int) -> None:
    codes = np.unique(some_codes(seed, 50), axis=0)
    hot = code_arrays.one_hot(codes)
    assert hot.shape == (len(codes), 96)
    assert np.array_equal(hot.sum(axis=1), np.full(len(codes), len(DIGITS)))
    assert len(np.unique(hot, axis=0)) == len(codes)


def test_every_one_hot_column_is_used() -> None:
    assert code_arrays.one_hot(some_codes(0, 2000)).any(axis=0).all()
