"""Made-up code spaces and an accuracy law over them, so that predictors are tested on more than one space."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from mosegedge.search.domain import Domain
from mosegedge.search.predictors.description import CodeDescription, Switch
from mosegedge.search.predictors.spaces import describe
from mosegedge.space import SearchSpace

STAGED = CodeDescription.of_choices(
    [3, 3, 3, 3, 2, 3, 3, 3, 3, 3],
    switches=(Switch(depth=0, base=1, positions=(1, 2, 3)), Switch(depth=4, base=2, positions=(5, 6, 7))),
)
FLAT = CodeDescription.of_choices([2] * 12)
PADDED = describe(Domain(SearchSpace.load("nano")))
SPACES = {"staged": STAGED, "flat": FLAT, "padded": PADDED}


@st.composite
def descriptions(draw):
    """Spaces of one to three stages, each a depth digit and its positions, and some positions that are always on."""
    choices, switches = [], []
    for _ in range(draw(st.integers(0, 3))):
        base, extra = draw(st.integers(0, 2)), draw(st.integers(0, 3))
        depth = len(choices)
        choices += [extra + 1, *[draw(st.integers(1, 3)) for _ in range(base + extra)]]
        switches.append(Switch(depth=depth, base=base, positions=tuple(range(depth + 1, len(choices)))))
    choices += draw(st.lists(st.integers(1, 4), min_size=0 if choices else 1, max_size=3))
    return CodeDescription.of_choices(choices, switches=tuple(switches))


def accuracy(description, codes):
    """A law with effects of single positions, diminishing returns and some interactions; 0.3 to 0.8 or so."""
    codes = description.canonical(codes)
    weights = 1.0 + np.sin(np.arange(description.length)) ** 2
    x = (codes / np.array([max(digits) for digits in description.digits])) @ weights / weights.sum()
    pairs = (codes[:, :-1] * codes[:, 1:]).mean(axis=1) / max(map(max, description.digits)) ** 2
    return 0.3 + 0.4 * np.sqrt(x) + 0.1 * pairs


def scrambled(description, codes, rng):
    """The same networks with other digits at switched-off positions."""
    return np.where(description.active(codes), codes, rng.integers(0, 2, size=codes.shape))
