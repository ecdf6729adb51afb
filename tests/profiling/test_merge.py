"""`profiles merge`: two measurements of one device become one table, and what must not be mixed is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import fakeboard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_profile_file import PROFILE, SPACE, TIMING, make_profile

from mosegedge.cli.main import main
from mosegedge.errors import ProfileError
from mosegedge.profiling import ProfileSettings, load_profile, profile_device
from mosegedge.profiling.combine import combine_layers, combine_networks
from mosegedge.profiling.merge import merged_profile, require_mergeable
from mosegedge.profiling.sections import LayerEntry, NetworkEntry
from mosegedge.space.architecture import SCALE

SERIES = Path("profiles/board/nano-fp32")


def layer(value_ms: float, se_ms: float = 0.01, **changes) -> LayerEntry:
    return LayerEntry(**{**TIMING, "key": "k", "value_ms": value_ms, "se_ms": se_ms, **changes})


def one_of(first: LayerEntry, second: LayerEntry):
    (entry,), union = combine_layers([first], [second])
    return entry, union


@pytest.fixture(scope="module")
def measured_apart(quick_disk):
    """Version 1 of scales 0 and 1, version 2 of scale 2."""
    folder = quick_disk / "apart"
    with pytest.MonkeyPatch.context() as monkeypatch:
        board = fakeboard.install(folder, monkeypatch)
        for scales in ((0, 1), (2,)):
            settings = ProfileSettings(scales=scales, networks=24, passes=2, memory=False)
            profile_device(board, SPACE, settings=settings)
        yield folder


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mosegedge", "profiles", "merge", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_scales_measured_apart_predict_together_as_they_do_alone(measured_apart, monkeypatch, capsys):
    monkeypatch.chdir(measured_apart)
    before = [path.read_bytes() for path in sorted(SERIES.glob("v?.json"))]
    code, out, _ = run(monkeypatch, capsys, "board/nano-fp32/v1", "board/nano-fp32/v2", "--json")
    assert code == 0
    result = json.loads(out)
    merged, parts = load_profile("board/nano-fp32"), [load_profile(SERIES / f"v{number}.json") for number in (1, 2)]
    assert (merged.version, merged.parent, result["name"]) == (3, 1, "board/nano-fp32/v3")
    assert result["merged_from"] == ["board/nano-fp32/v1", "board/nano-fp32/v2"]
    assert [source.digest for source in merged.merged_from] == [part.digest for part in parts]
    assert merged.protocol.scales == [0, 1, 2]
    assert len(merged.networks) == sum(len(part.networks) for part in parts)
    assert {entry.key for entry in merged.entries} == {entry.key for part in parts for entry in part.entries}
    assert merged.journal_sha256 is None
    assert merged.certificate.networks == sum(part.certificate.networks for part in parts)
    assert merged.certificate.repeatability_kendall_tau is None
    assert merged.certificate.kendall_tau > 0.99
    codes = SPACE.sample(60, np.random.default_rng(1))
    for scale in range(3):
        codes[:, SCALE] = scale
        alone_ms, _ = parts[scale >= 2].latency_model(SPACE).predict(codes)
        together_ms, _ = merged.latency_model(SPACE).predict(codes)
        assert together_ms == pytest.approx(alone_ms, rel=0.01)
    assert [path.read_bytes() for path in sorted(SERIES.glob("v[12].json"))] == before

    code, _, err = run(monkeypatch, capsys, "board/nano-fp32/v3", "board/nano-fp32/v2")
    assert code == 4
    assert "holds the other profile already" in err
    (SERIES / "v4.journal.jsonl").write_text("")
    code, _, err = run(monkeypatch, capsys, "board/nano-fp32/v2", "board/nano-fp32/v1")
    assert code == 4
    assert "not finished" in err
    (SERIES / "v4.journal.jsonl").unlink()
    code, out, _ = run(monkeypatch, capsys, "board/nano-fp32/v2", "board/nano-fp32/v1")
    assert code == 0
    assert "0 averaged" in out
    assert load_profile("board/nano-fp32").parent == 2


@given(
    values=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)),
    errors=st.tuples(st.floats(1e-4, 0.1), st.floats(1e-4, 0.1)),
)
def test_a_mean_lies_between_and_is_no_surer_than_the_values_allow(values, errors):
    entry, union = one_of(layer(values[0], errors[0], n=5), layer(values[1], errors[1], n=7))
    low, high = sorted(values)
    assert low - 1e-6 <= entry.value_ms <= high + 1e-6
    combined = errors[0] * errors[1] / np.hypot(*errors)
    assert entry.se_ms >= combined - 1e-6
    assert entry.se_ms >= combined * (high - low) / np.hypot(*errors) - 1e-6
    assert entry.n == 12
    assert union.averaged == 1
    far = (high - low) / np.mean(values) > 0.03
    assert (entry.grade == "C") == far
    assert bool(union.apart) == far


def test_the_surer_value_counts_more_and_a_spoilt_or_unknown_one_does_not():
    entry, _ = one_of(layer(1.0, 0.001), layer(1.02, 0.01))
    assert entry.value_ms == pytest.approx(1.0002, abs=2e-5)
    assert entry.grade == "B"
    assert "2.0% apart" in entry.reason
    entry, union = one_of(layer(1.3, grade="C", reason="throttled"), layer(1.0, grade="B"))
    assert (entry.value_ms, entry.grade, union.better, len(union.apart)) == (1.0, "C", 1, 1)
    entry, _ = one_of(layer(1.0, 0.0, n=9), layer(1.01, 0.0, n=30, memory_mib=3.0))
    assert (entry.value_ms, entry.grade, entry.memory_mib) == (1.01, "A", 3.0)
    entry, union = one_of(layer(1.0, energy_mj=2.0), layer(1.0))
    assert (entry.se_ms, entry.n, entry.energy_mj, union.same) == (0.01, 12, 2.0, 1)


def test_what_was_fitted_anywhere_never_judges():
    codes = [str(network) for network in SPACE.decode(SPACE.sample(4, np.random.default_rng(0)))]

    def networks(*roles, value_ms):
        return [
            NetworkEntry(**{**TIMING, "value_ms": value_ms, "se_ms": 0.01, "code": code, "role": role})
            for code, role in zip(codes, roles, strict=True)
        ]

    first = networks("fit", "held-out", "check", "check", value_ms=1.0)
    second = networks("check", "fit", "held-out", "check", value_ms=1.01)
    for pair in ((first, second), (second, first)):
        combined, _ = combine_networks(*pair)
        roles = {entry.code: entry.role for entry in combined}
        assert roles == dict(zip(codes, ("fit", "fit", "held-out", "check"), strict=True))


def device(**changes):
    return {**PROFILE.device.model_dump(), **changes}


def protocol(**changes):
    return {**PROFILE.protocol.model_dump(), **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"device": device(vendor={"runtime": {"onnxruntime": "2"}})}, "vendor: runtime: onnxruntime: 1 and 2"),
        ({"device": device(hardware={"cpu": "z", "cores": 2})}, "hardware: cpu: x and z"),
        ({"device": device(settings={"graph": "off"})}, "settings"),
        ({"device": device(backend="torch")}, "backend: onnxruntime and torch"),
        ({"protocol": protocol(statistic="quantile10")}, "are 10 % quantiles, those of local/nano-fp32/v1 medians"),
        ({"protocol": protocol(statistic="quantile10", threads=2)}, "statistic: median and quantile10"),
        ({"protocol": protocol(clock="device")}, "clock: host and device"),
        ({"protocol": protocol(threads=2)}, "threads: 1 and 2"),
        ({"protocol": protocol(affinity=None)}, r"affinity: \[0\] and None"),
        ({"protocol": protocol(precision="fp16")}, "precision: fp32 and fp16"),
        ({"protocol": protocol(opset=18)}, "opset: 17 and 18"),
        ({"origin": "simulated"}, "origin: measured and simulated"),
        ({"space": {"name": "tiny", "slug": "tiny", "digest": "1" * 64}}, "different layers"),
    ],
)
def test_numbers_of_two_devices_runtimes_or_protocols_are_not_mixed(changes, words):
    with pytest.raises(ProfileError, match=words):
        require_mergeable(PROFILE, make_profile(2, **changes))


def test_a_refusal_names_the_commands_that_help():
    later = PROFILE.created.replace(year=2027)
    newer = make_profile(2, created=later, device=device(vendor={"runtime": {"onnxruntime": "2"}}))
    for pair in ((PROFILE, newer), (newer, PROFILE)):
        with pytest.raises(ProfileError) as refused:
            require_mergeable(*pair)
        assert "mosegedge profiles rebase local/nano-fp32/v1 --device local" in refused.value.fix
        assert f"mosegedge profiles diff {pair[0].name} {pair[1].name}" in refused.value.fix
    with pytest.raises(ProfileError) as refused:
        require_mergeable(PROFILE, make_profile(2, protocol=protocol(opset=18)))
    assert "measure again: mosegedge profile --device local" in refused.value.fix
    noisy = make_profile(2, protocol=protocol(statistic="quantile10"))
    for pair in ((PROFILE, noisy), (noisy, PROFILE)):
        with pytest.raises(ProfileError) as refused:
            require_mergeable(*pair)
        assert refused.value.fix.startswith(
            f"Measure {noisy.name} again while nothing else runs on the device: mosegedge"
        )
        assert refused.value.fix.endswith(f"{PROFILE.name} is the one to rely on.")
    with pytest.raises(ProfileError, match="same profile"):
        require_mergeable(PROFILE, PROFILE)
    networks_alone = make_profile(2, entries=[], protocol=protocol(scales=[0, 3]))
    with pytest.raises(ProfileError, match="no layers of scale 3"):
        require_mergeable(PROFILE, networks_alone)


def test_the_certificate_comes_from_the_role_that_covers_more_scales_and_checks_win_a_tie():
    drawn = SPACE.decode(SPACE.sample(6, np.random.default_rng(3)))
    codes = [f"0{str(network)[1:]}" for network in drawn]

    def networks(*roles):
        return [
            {**TIMING, "value_ms": 5 + place, "code": codes[place], "role": role} for place, role in enumerate(roles)
        ]

    fit = {"model": {**PROFILE.model.model_dump(), "method": "layers"}}
    first = make_profile(networks=networks("fit", "fit", "held-out"), **fit)
    second = make_profile(2, networks=networks("fit", "fit", "held-out", "held-out", "check", "check"), **fit)
    merged = merged_profile(first, second, SPACE, version=3).profile
    assert (merged.certificate.source, merged.certificate.networks) == ("check", 2)
    no_check = make_profile(2, networks=networks("fit", "fit", "held-out", "held-out"), **fit)
    merged = merged_profile(first, no_check, SPACE, version=3).profile
    assert (merged.certificate.source, merged.certificate.networks) == ("held-out", 2)
