"""Energy and memory of networks: the models, and what is said where nothing was measured."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from test_profile_file import SPACE, TIMING, make_profile

from mosegedge.errors import ProfileError
from mosegedge.profiling.activations import peak_elements
from mosegedge.profiling.profile import Profile
from mosegedge.space import BottleneckSpec, SearchSpace

COUNT = 24
MEASURED = {"energy": {"measured": True, "words": "a law"}, "memory": {"measured": True, "words": "a law"}}


def networks_at(scale: int, count: int, seed: int) -> np.ndarray:
    codes = SPACE.sample(count, np.random.default_rng(seed))
    codes[:, 0] = scale
    return codes


def energies_mj(profile: Profile, codes: np.ndarray) -> np.ndarray:
    """7 W while it runs, 1.5 mJ a billion multiply-adds, and 0.2 mJ whatever runs."""
    return 7 * profile.latency_model().predict(codes)[0] + 1.5 * SPACE.flops(codes) / 1e9 + 0.2


def memories_mib(codes: np.ndarray) -> np.ndarray:
    return 30 + (8 * SPACE.params(codes) + 4 * peak_elements(SPACE, codes)) / 2**20


def profile_with(energy: bool = True, memory: bool = True, count: int = COUNT, **changes) -> Profile:
    codes = networks_at(0, count, seed=1)
    plain = make_profile()
    values = zip(SPACE.decode(codes), energies_mj(plain, codes), memories_mib(codes), strict=True)
    networks = [
        {
            "code": str(network), "role": "fit" if number % 2 else "held-out", **TIMING,
            "energy_mj": float(mj) if energy else None, "memory_mib": float(mib) if memory else None,
        }
        for number, (network, mj, mib) in enumerate(values)
    ]  # fmt: skip
    return make_profile(networks=networks, **changes)


def test_the_laws_of_energy_and_memory_are_found_again_on_other_networks():
    profile, others = profile_with(costs=MEASURED), networks_at(0, 50, seed=2)
    energy, memory = profile.energy_model(), profile.memory_model(SPACE)
    assert energy.unit == "mJ"
    np.testing.assert_allclose(energy.predict(others)[0], energies_mj(profile, others), rtol=0.01)
    np.testing.assert_allclose(memory.predict(others)[0], memories_mib(others), rtol=0.01)
    assert (memory.predict(others)[1] >= 0).all()
    assert energy.error(others, energies_mj(profile, others)).mape < 0.01


def test_noise_shows_in_the_standard_deviation():
    profile = profile_with(count=60)
    rng = np.random.default_rng(0)
    noisy = [
        entry.model_copy(update={"energy_mj": entry.energy_mj * float(np.exp(rng.normal(0, 0.05)))})
        for entry in profile.networks
    ]
    model = profile.model_copy(update={"networks": noisy}).energy_model()
    assert 0.03 < model.relative_sd < 0.08
    mean, sd = model.predict(networks_at(0, 5, seed=3))
    np.testing.assert_allclose(sd, model.relative_sd * mean)


@pytest.mark.parametrize("cost", ["energy", "memory"])
def test_what_was_not_measured_is_an_error_that_says_why(cost):
    why = {"measured": False, "words": "no counter of energy can be read: permission denied"}
    profile = profile_with(energy=False, memory=False, costs={"energy": why, "memory": why})
    with pytest.raises(ProfileError, match="not measured") as caught:
        getattr(profile, f"{cost}_model")()
    assert caught.value.known == why["words"]
    assert f"--{cost}" in caught.value.fix
    with pytest.raises(ProfileError, match="not measured"):
        getattr(make_profile(), f"{cost}_model")()


def test_other_scales_other_spaces_and_too_few_networks_are_refused():
    profile = profile_with()
    with pytest.raises(ProfileError, match="scale 3"):
        profile.memory_model().predict(networks_at(3, 2, seed=4))
    with pytest.raises(ProfileError, match="digest"):
        profile.energy_model(SearchSpace.load("tiny"))
    with pytest.raises(ProfileError, match="3 networks"):
        profile_with(count=6).memory_model()


def test_feature_maps_grow_with_the_picture_and_hold_at_least_the_largest_layer():
    codes = [networks_at(scale, 30, seed=5) for scale in range(5)]
    peaks = [peak_elements(SPACE, at_scale) for at_scale in codes]
    assert all((smaller < larger).all() for smaller, larger in pairwise(peaks))
    for network, peak in zip(SPACE.decode(codes[0]), peaks[0], strict=True):
        specs = [layer.spec for layer in SPACE.layers_of(network)]
        held = [
            spec.in_channels * spec.height * spec.width + spec.hidden_channels * spec.height * spec.width
            for spec in specs
            if isinstance(spec, BottleneckSpec)
        ]
        assert peak >= max(held)
