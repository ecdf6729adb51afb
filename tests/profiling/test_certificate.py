"""The numbers of a certificate against their definitions and scipy, the bars, and how much wider intervals become."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mosegedge.profiling.certificate import BARS, shortfalls, verdict
from mosegedge.profiling.judge import Judged, certify
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.sections import CertificateSection
from mosegedge.profiling.trust import Trust, WidenedModel, interval_factor, widened
from mosegedge.space import SearchSpace
from mosegedge.space.space import SCALES

SPACE = SearchSpace.load("nano")
ENTRIES_MS = {spec.key: 0.02 + float(flops) / 2e7 for spec, flops in zip(SPACE.entries, SPACE.entry_flops, strict=True)}
MODEL = LatencyModel(
    space=SPACE,
    name="made up",
    device="board",
    entry_ms=np.array([1.1 * ENTRIES_MS[spec.key] for spec in SPACE.entries]),
    constant_ms=np.full(SCALES, 0.3),
    relative_sd=0.03,
)


def judged_networks(count: int = 50) -> Judged:
    rng = np.random.default_rng(count)
    codes = SPACE.sample(count, rng)
    codes[:, 0] = np.arange(count) % 3
    measured_ms = MODEL.predict(codes)[0] * (1 + 0.04 * rng.normal(size=count))
    return Judged(
        codes=codes, measured_ms=measured_ms, halves_ms=measured_ms[:, None] * rng.normal(1, 0.01, (count, 2))
    )


JUDGED = judged_networks()
CERTIFICATE = certify(MODEL, JUDGED, ENTRIES_MS, source="check", measured=date(2026, 1, 2))


def tau(first, second, rows=...) -> float:
    return stats.kendalltau(np.asarray(first, float)[rows], np.asarray(second, float)[rows]).statistic


def test_only_networks_of_another_time_are_judged_by_intervals_with_the_devices_speed():
    codes = JUDGED.codes
    fast = replace(JUDGED, measured_ms=MODEL.predict(codes)[0] * 0.9)
    moving = replace(MODEL, relative_sd=0.01, speed_sd=0.08)
    day = date(2026, 1, 2)
    later, meanwhile = (
        certify(moving, fast, ENTRIES_MS, source=source, measured=day) for source in ("check", "held-out")
    )
    assert (later.coverage90, meanwhile.coverage90) == (1.0, 0.0)
    mean, sd = moving.predict(codes)
    np.testing.assert_allclose(sd, np.hypot(0.01, 0.08) * mean)


def test_every_number_is_that_of_its_definition():
    predicted, sd = MODEL.predict(JUDGED.codes)
    measured, (first, second) = JUDGED.measured_ms, JUDGED.halves_ms.T
    off = predicted / measured - 1
    flops = SPACE.flops(JUDGED.codes)
    plain = [sum(ENTRIES_MS[layer.spec.key] for layer in SPACE.layers_of(n)) for n in SPACE.decode(JUDGED.codes)]
    low, high = stats.norm.interval(0.9, loc=predicted, scale=sd)
    expected = {
        "networks": 50,
        "kendall_tau": tau(predicted, measured),
        "spearman": stats.spearmanr(predicted, measured).statistic,
        "mape": np.abs(off).mean(),
        "bias": off.mean(),
        "worst": np.abs(off).max(),
        "coverage90": ((low <= measured) & (measured <= high)).mean(),
        "flops_kendall_tau": tau(flops, measured),
        "params_kendall_tau": tau(SPACE.params(JUDGED.codes), measured),
        "sum_of_layers_kendall_tau": tau(plain, measured),
        "sum_of_layers_mape": np.abs(plain / measured - 1).mean(),
        "repeatability_kendall_tau": tau(first, second),
    }
    found = CERTIFICATE.model_dump()
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    for scale in range(3):
        rows = JUDGED.codes[:, 0] == scale
        assert found["by_scale_kendall_tau"][str(scale)] == pytest.approx(tau(predicted, measured, rows))
        assert found["by_scale_flops_kendall_tau"][str(scale)] == pytest.approx(tau(flops, measured, rows))
        assert found["by_scale_repeatability_kendall_tau"][str(scale)] == pytest.approx(tau(first, second, rows))
    assert 0 < CERTIFICATE.coverage90 < 1
    assert (CERTIFICATE.source, CERTIFICATE.measured) == ("check", date(2026, 1, 2))


def test_without_networks_there_is_no_certificate_and_without_layers_no_plain_sum():
    none = Judged(codes=JUDGED.codes[:0], measured_ms=JUDGED.measured_ms[:0], halves_ms=JUDGED.halves_ms[:0])
    assert certify(MODEL, none, ENTRIES_MS, source="check", measured=date(2026, 1, 2)) is None
    bare = certify(MODEL, JUDGED, {}, source="held-out", measured=date(2026, 1, 2))
    assert (bare.sum_of_layers_kendall_tau, bare.sum_of_layers_mape) == (None, None)


def certificate(**changes) -> CertificateSection:
    good = {"kendall_tau": 0.98, "mape": 0.017, "coverage90": 0.93, "worst": 0.086, "networks": 40}
    beside = {"repeatability_kendall_tau": 0.99, "flops_kendall_tau": 0.95}
    return CERTIFICATE.model_copy(update={**good, **beside, **changes})


def test_the_verdict_can_be_read_at_a_glance():
    assert verdict(certificate()) == (
        "certificate: tau 0.980 (repeats to 0.990), 1.7% off, worst 8.6%, "
        "90 % interval holds 93% of 40 check networks; FLOPs 0.950"
    )
    old = certificate(coverage90=None, repeatability_kendall_tau=None)
    assert verdict(old) == "certificate: tau 0.980, 1.7% off, worst 8.6%, 40 check networks; FLOPs 0.950"
    assert "none" in verdict(None)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (certificate(), []),
        (certificate(kendall_tau=BARS.kendall_tau, mape=BARS.mape, coverage90=BARS.coverage90), []),
        (certificate(kendall_tau=0.89), ["Kendall tau 0.890 is below 0.9"]),
        (certificate(mape=0.12), ["12.0% off"]),
        (certificate(coverage90=0.7), ["holds 70% of networks"]),
        (certificate(coverage90=None), ["not known"]),
        (certificate(kendall_tau=0.1, mape=0.5, coverage90=0.0), ["0.100", "50.0%", "holds 0%"]),
        (None, ["no network judged it"]),
    ],
)
def test_every_bar_is_named_with_the_value_that_misses_it(found, words):
    said = shortfalls(found)
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))
    assert shortfalls(found, replace(BARS, kendall_tau=-1, mape=9, coverage90=0)) == tuple(
        text for text in said if "not known" in text or "judged" in text
    )


@given(st.lists(st.floats(0, 50), min_size=9, max_size=80))
def test_widened_intervals_would_have_held_nine_in_ten(errors_in_sds):
    errors = np.array(errors_in_sds)
    factor = interval_factor(errors)
    held = np.mean(errors <= 1.6448536269514722 * factor * (1 + 1e-12))
    assert factor >= 1
    assert held >= 0.9
    if factor > 1:  # and no wider than needed: the next smaller error would be too little for n + 1 networks
        tighter = np.mean(errors < 1.6448536269514722 * factor * (1 - 1e-12))
        assert tighter < 0.9 * (len(errors) + 1) / len(errors)


def test_a_few_networks_give_the_largest_error():
    assert interval_factor(np.array([1.0, 5.0, 2.0])) == pytest.approx(5 / 1.6448536)
    assert interval_factor(np.array([0.1, 0.2])) == 1


def test_a_widened_model_has_the_same_means():
    assert widened(MODEL, Trust(profile="p")) is MODEL
    wide = widened(MODEL, Trust(profile="p", shortfalls=("x",), sd_factor=2.5))
    assert isinstance(wide, WidenedModel)
    for found, expected in zip(wide.predict(JUDGED.codes), MODEL.predict(JUDGED.codes), strict=True):
        assert found.shape == expected.shape
    for mean in (wide.predict(JUDGED.codes)[0], wide.mean(JUDGED.codes), MODEL.mean(JUDGED.codes)):
        np.testing.assert_array_equal(mean, MODEL.predict(JUDGED.codes)[0])
    np.testing.assert_allclose(wide.predict(JUDGED.codes)[1], 2.5 * MODEL.predict(JUDGED.codes)[1])
