"""The profiles that lie in the repository: readable, certified, described."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mosegedge.profiling import list_profiles, load_profile
from mosegedge.space import Architecture, SearchSpace

ROOT = Path(__file__).parents[2] / "profiles"
SHIPPED = [str(path.relative_to(ROOT).with_suffix("")) for path in list_profiles(ROOT)]


def test_some_are_shipped_and_each_is_described():
    readme = (ROOT / "README.md").read_text()
    assert SHIPPED
    assert [name for name in SHIPPED if f"`{name.rsplit('/', 1)[0]}`" not in readme] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_it_was_measured_and_says_how_good_it_is(name):
    profile = load_profile(name, root=ROOT)
    assert profile.name == name
    assert profile.origin == "measured"
    assert profile.certificate is not None
    assert profile.certificate.networks >= 16
    assert profile.device.name not in ("local", "torch", "cuda")  # those are names of the reader's own machine


@pytest.mark.parametrize("name", SHIPPED)
def test_it_predicts_its_judging_networks_as_its_certificate_says(name):
    profile = load_profile(name, root=ROOT)
    space = SearchSpace.load(profile.space.name)
    judging = [entry for entry in profile.networks if entry.role == profile.certificate.source]
    codes = space.encode([Architecture.parse(entry.code) for entry in judging])
    mean_ms, _ = profile.latency_model(space).predict(codes)
    measured_ms = np.array([entry.value_ms for entry in judging])
    assert np.mean(np.abs(mean_ms / measured_ms - 1)) == pytest.approx(profile.certificate.mape, rel=0.05)
