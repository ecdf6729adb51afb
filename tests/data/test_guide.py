import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.data.guide import folders, last_of_each_sequence, spread

NAMES = st.lists(
    st.builds(lambda a, b: f"{a}/{a}_{b:04d}", st.sampled_from("abc"), st.integers(0, 9999)), unique=True, max_size=60
)
RULES = [spread(5), last_of_each_sequence(0.18), folders("b")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.described)
@given(names=NAMES, seed=st.integers(0, 99))
def test_a_rule_depends_on_the_names_alone(rule, names, seed):
    shuffled = random.Random(seed).sample(names, len(names))
    assert rule.choose(shuffled) == rule.choose(names) <= set(names)


@given(names=NAMES)
def test_spread_takes_as_many_as_wanted_and_never_most(names):
    chosen = spread(5).choose(names)
    assert len(chosen) == (5 if len(names) >= 10 else len(names) // 5)


def test_spread_leaves_equal_gaps():
    names = [f"{number:03d}" for number in range(100)]
    assert sorted(spread(4).choose(names)) == ["012", "037", "062", "087"]
