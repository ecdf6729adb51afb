"""What earlier versions of a profile tell about how much the speed of its device changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from comparing import SETTINGS
from test_profile_file import SPACE, TIMING, make_profile

from mosegedge.devices import load_device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.profiling import profile_device, save_profile
from mosegedge.profiling.history import measured_before, speed_sd_by
from mosegedge.profiling.store import series_of

CODES = [str(network) for network in SPACE.decode(SPACE.sample(10, np.random.default_rng(0)))]
DEVICE = make_profile().device
DESCRIPTION = DeviceDescription(
    backend=DEVICE.backend, hardware=DEVICE.hardware, system=DEVICE.system, conditions={}, vendor=DEVICE.vendor
)


def networks(factor: float, role: str = "fit", codes=CODES):
    values = [factor * (1 + 0.1 * place) for place in range(len(codes))]
    return [
        {"code": code, "role": role, **TIMING, "value_ms": value} for code, value in zip(codes, values, strict=True)
    ]


def checked_at(slowdown: float) -> dict[str, object]:
    return {**make_profile().certificate.model_dump(), "source": "check", "slowdown": slowdown}


@pytest.fixture
def series(tmp_path):
    return series_of(tmp_path, device="local", space=SPACE, precision="fp32", threads=1)


def test_each_measurement_of_the_same_device_counts_once(series):
    device = load_device("local")
    other = {**DEVICE.model_dump(), "hardware": {"cpu": "another", "cores": 2}}
    another_way = {**DEVICE.model_dump(), "settings": {"provider": "another"}}
    told = {**DEVICE.hardware, "cpu_design": "family 26 model 2"}
    source = {"profile": "a/b/v1", "digest": "0" * 64}
    for version, changes in enumerate(
        (
            {"networks": networks(1.0)},
            {"networks": [*networks(1.0), *networks(9.0, "check", [str(SPACE.largest)])]},  # a check of the first
            {"networks": networks(2.0), "device": other},
            {"networks": networks(3.0), "merged_from": [source, source]},
            {"networks": networks(1.05)},
            {"networks": networks(4.0), "device": another_way},
            {"networks": networks(5.0), "device": {**DEVICE.model_dump(), "backend": "openvino"}},
            {"networks": networks(1.05), "certificate": checked_at(1.1)},
        ),
        start=1,
    ):
        save_profile(make_profile(version, **changes), series)
    series.path(9).write_text("{}")
    assert [profile.version for profile in measured_before(series, device, DESCRIPTION)] == [1, 5, 8]
    # Now that the design of the processor is told, versions that do not tell it may be of another.
    save_profile(make_profile(10, networks=networks(1.1), device={**DEVICE.model_dump(), "hardware": told}), series)
    now = DESCRIPTION.model_copy(update={"hardware": told})
    assert [profile.version for profile in measured_before(series, device, now)] == [10]


def test_the_spread_is_that_of_the_common_factors():
    now = make_profile(networks=networks(1.0)).networks
    slow, fast = make_profile(networks=networks(1.06)), make_profile(networks=networks(0.98))
    assert speed_sd_by(now, "median", [slow, fast]) == pytest.approx(
        np.sqrt((np.log(1.06) ** 2 + np.log(0.98) ** 2) / 2)
    )
    assert speed_sd_by(now, "median", []) == 0
    # A few networks say more of themselves, and the checks of one profile are no networks of another.
    few, checks = make_profile(networks=networks(2.0, codes=CODES[:7])), make_profile(networks=networks(2.0, "check"))
    assert speed_sd_by(now, "median", [few, checks]) == 0
    # Values of two kinds cannot be compared, medians can: all of them are equal here.
    assert speed_sd_by(now, "quantile10", [slow, fast]) == 0


def test_a_check_counts_by_how_much_slower_the_device_was_by_then():
    now, checked = (
        make_profile(networks=networks(1.0)),
        make_profile(networks=networks(1.02), certificate=checked_at(0.9)),
    )
    assert speed_sd_by(now.networks, "median", [checked]) == pytest.approx(-np.log(1.02 * 0.9))


def test_a_new_version_knows_how_far_the_earlier_one_is_away(board):
    first = profile_device(board, SPACE, settings=SETTINGS)
    board_series = series_of(Path("profiles"), device="board", space=SPACE, precision="fp32", threads=1)
    board_series.path(1).unlink()
    faster = [entry.model_copy(update={"value_ms": entry.value_ms / 1.05}) for entry in first.networks]
    save_profile(first.model_copy(update={"networks": faster}), board_series)
    assert first.model.speed_sd < 0.01
    assert profile_device(board, SPACE, settings=SETTINGS).model.speed_sd == pytest.approx(np.log(1.05), rel=0.02)
