"""The file of a profile and where it is kept: round trip, digest, damage, other schemas, other spaces."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mosegedge.errors import ProfileError
from mosegedge.profiling import Profile, list_profiles, load_profile, save_profile
from mosegedge.profiling.migrations import CURRENT_SCHEMA, MIGRATIONS, migrate
from mosegedge.profiling.profile_text import digest_of, profile_of_text, profile_schema, text_of_profile
from mosegedge.profiling.store import series_of
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano")
ROOT = Path(__file__).parents[2]
TIMING = {
    "value_ms": 0.5, "median_ms": 0.6, "p95_ms": 0.9, "n": 12, "se_ms": 0.0, "grade": "A", "reason": "halves 0.1% apart"
}  # fmt: skip


def make_profile(version: int = 1, **changes) -> Profile:
    keys = sorted({spec.key for spec in SPACE.entries[: len(SPACE.entries) // 5]})
    content = {
        "version": version,
        "parent": version - 1 or None,
        "origin": "measured",
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "mosegedge": "0.1.0",
        "command": "mosegedge profile",
        "space": {"name": SPACE.name, "slug": SPACE.slug, "digest": SPACE.digest},
        "device": {
            "name": "local", "backend": "onnxruntime", "hardware": {"cpu": "x", "cores": 2}, "system": {"os": "y"},
            "vendor": {"runtime": {"onnxruntime": "1"}}, "settings": {}, "conditions": [{"load_1m": 0.5}],
        },
        "protocol": {
            "scales": [0], "statistic": "median", "passes": 2, "bursts": 9, "warmup": "w", "samples": "s",
            "stopping": "p", "affinity": [0], "clock": "host", "threads": 1,
            "precision": "fp32", "opset": 17, "seed": 0, "restarts": 0,
        },
        "entries": [{"key": key, **TIMING} for key in keys],
        "networks": [{"code": str(SPACE.smallest), "role": "fit", **TIMING}],
        "failed": [],
        "notes": [],
        "model": {
            "method": "both", "coefficients": {"sum_of_layers": 1.1}, "constants_ms": {"0": 0.25},
            "additivity_sd": 0.0, "constant_sd_ms": 0.0, "network_sd": 0.02,
        },
        "certificate": {
            "source": "held-out", "measured": "2026-01-02", "coverage90": 0.9, "repeatability_kendall_tau": 0.95,
            "by_scale_repeatability_kendall_tau": {"0": 0.95},
            "networks": 1, "kendall_tau": 0.9, "spearman": 0.9, "mape": 0.01, "bias": 0.0, "worst": 0.1,
            "by_scale_kendall_tau": {"0": 0.9}, "flops_kendall_tau": 0.5, "by_scale_flops_kendall_tau": {"0": 0.5},
            "params_kendall_tau": 0.5, "sum_of_layers_kendall_tau": 0.8, "sum_of_layers_mape": 0.2,
        },
        "repeatability": {"networks_kendall_tau": 0.9, "networks_mape": 0.0, "layers_mape": 0.0, "drift": 0.0},
        "roofline": {
            "peak_gmacs_per_s": 40.0, "bandwidth_gb_per_s": 10.0, "launch_ms": 0.01, "convolution": "k1 c256 @48x64",
            "copied_mib": 128.0,
        },
        "effort": {"wall_s": 60.0, "timed_s": 50.0, "build_s": 5.0, "models": 160, "disk_mib": 20.0},
        "journal_sha256": "0" * 64,
    }  # fmt: skip
    return Profile.model_validate({**content, **changes})


PROFILE = make_profile()
TEXT = text_of_profile(PROFILE)


def read_or_error(content: bytes) -> Profile | str:
    """The profile, or the message; any other error than ours goes through."""
    try:
        return profile_of_text(content, "v1.json")
    except ProfileError as error:
        return str(error)


def edited(**changes) -> bytes:
    """The file with fields changed and the digest made to fit."""
    content = {**json.loads(TEXT), **changes}
    return json.dumps({**content, "digest": digest_of(content)}).encode()


def test_a_profile_survives_the_way_to_disk_and_back():
    again = profile_of_text(TEXT.encode(), "v1.json")
    assert again.model_copy(update={"digest": None}) == PROFILE
    assert again.digest == json.loads(TEXT)["digest"]
    assert text_of_profile(again) == TEXT


def test_the_file_is_sorted_with_one_entry_a_line():
    lines = TEXT.splitlines()
    assert json.loads(TEXT)["schema"] == 3
    assert sum(line.startswith('{"energy_mj"') and '"key"' in line for line in lines) == len(PROFILE.entries)
    names = [line.split('"')[1] for line in lines if line.startswith('"')]
    assert names == sorted(names)


def test_the_published_schema_is_that_of_the_code_and_holds_for_a_profile():
    for path in (ROOT / "profiles" / "profile.schema.json", ROOT / "mosegedge" / "profiling" / "profile.schema.json"):
        assert path.read_text() == profile_schema()
    validator = Draft202012Validator(json.loads(profile_schema()))
    assert not list(validator.iter_errors(json.loads(TEXT)))
    assert list(validator.iter_errors({**json.loads(TEXT), "entries": [{"key": "a"}]}))


@pytest.mark.parametrize("field", ["value_ms", "n", "grade"])
def test_a_hand_edited_number_is_found_by_the_digest(field):
    content = json.loads(TEXT)
    content["entries"][3][field] = {"value_ms": 0.4, "n": 13, "grade": "B"}[field]
    with pytest.raises(ProfileError, match="changed after it was written"):
        profile_of_text(json.dumps(content).encode(), "v1.json")


@given(st.integers(0, len(TEXT) - 2))
def test_a_truncated_file_is_no_profile(length):
    with pytest.raises(ProfileError):
        profile_of_text(TEXT.encode()[:length], "v1.json")


@given(st.integers(0, len(TEXT) - 1), st.binary(min_size=1, max_size=8), st.integers(0, 8))
def test_any_damage_is_a_clear_error_or_no_change_at_all(place, inserted, removed):
    damaged = TEXT.encode()[:place] + inserted + TEXT.encode()[place + removed :]
    found = read_or_error(damaged)
    assert "v1.json" in found if isinstance(found, str) else found.model_copy(update={"digest": None}) == PROFILE


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(TEXT))), VALUES)
def test_a_wrong_field_with_a_right_digest_is_named(field, value):
    found = read_or_error(edited(**{field: value}))
    assert isinstance(found, Profile) or "v1.json" in found


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"{}", b"[" * 100_000, b'{"schema": NaN}', b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}", b'"'],
)
def test_hostile_content_is_a_clear_error(content):
    with pytest.raises(ProfileError, match="is no profile"):
        profile_of_text(content, "v1.json")


def test_doubled_layers_and_codes_of_no_network_are_refused():
    entries = json.loads(TEXT)["entries"]
    with pytest.raises(ProfileError, match="two entries"):
        profile_of_text(edited(entries=[*entries, entries[0]]), "v1.json")
    with pytest.raises(ProfileError, match=r"networks\.0\.code"):
        profile_of_text(edited(networks=[{"code": "9 00", "role": "fit", **TIMING}]), "v1.json")


def test_a_future_schema_asks_for_a_newer_version():
    with pytest.raises(ProfileError, match="schema 4, this version of mosegedge reads up to 3") as error:
        profile_of_text(edited(schema=4), "v1.json")
    assert "upgrade" in error.value.fix


def test_migrations_go_step_by_step_and_leave_their_input_alone():
    def rename_colour(content):
        return {**{name: value for name, value in content.items() if name != "color"}, "colour": content["color"]}

    def add_size(content):
        return {**content, "size": 0}

    old = {"schema": 1, "color": "red"}
    new = migrate(old, "f", migrations={1: rename_colour, 2: add_size}, current=3)
    assert new == {"schema": 3, "colour": "red", "size": 0}
    assert old == {"schema": 1, "color": "red"}


EXAMPLES = Path(__file__).with_name("examples")


@pytest.mark.parametrize("schema", range(1, CURRENT_SCHEMA))
def test_a_stored_profile_of_every_older_schema_is_read(schema):
    path = EXAMPLES / f"schema{schema}.json"
    old = profile_of_text(path.read_bytes(), str(path))
    assert old.schema_number == CURRENT_SCHEMA
    assert old.protocol.clock == "host"
    assert (old.device.settings, old.notes) == ({}, [])
    assert old.entries == PROFILE.entries
    assert {entry.role for entry in old.networks} == {"fit"}
    assert (old.roofline, old.effort, old.journal_sha256, old.protocol.affinity) == (None, None, None, None)
    assert (old.model.method, old.model.additivity_sd, old.model.constant_sd_ms) == ("both", 0.0, 0.0)
    stored = json.loads(path.read_text())
    found = old.certificate.model_dump(mode="json")
    assert {name: found[name] for name in stored["error"]} == stored["error"]
    assert (found["source"], found["measured"]) == ("held-out", "2026-01-02")
    assert (found["coverage90"], found["repeatability_kendall_tau"]) == (None, None)


@pytest.mark.parametrize("schema", [1, 2])
def test_a_migrated_profile_predicts_as_it_did(schema):
    path = EXAMPLES / f"schema{schema}.json"
    stored = json.loads(path.read_text())
    mean_ms, sd_ms = profile_of_text(path.read_bytes(), str(path)).latency_model(SPACE).predict_one(SPACE.smallest)
    cost_ms = stored["entries"][0]["value_ms"] * len(SPACE.layers_of(SPACE.smallest))  # all entries are equal
    expected = stored["model"]["coefficients"]["sum_of_layers"] * cost_ms + stored["model"]["constants_ms"]["0"]
    assert mean_ms == pytest.approx(expected, rel=1e-12)
    assert sd_ms == pytest.approx(stored["model"]["relative_sd"] * expected, rel=1e-12)


def test_an_old_profile_that_no_network_judged_has_no_certificate():
    content = json.loads((EXAMPLES / "schema2.json").read_text())
    content["error"]["networks"] = 0
    unjudged = json.dumps({**content, "digest": digest_of(content)}).encode()
    assert profile_of_text(unjudged, "v1.json").certificate is None


@pytest.mark.parametrize("part", ["device", "protocol", "entries", "networks", "model", "error", "created"])
@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("value", ["gone", None, [3], {}])
def test_a_damaged_profile_of_an_older_schema_is_an_error(schema, part, value):
    content = json.loads((EXAMPLES / f"schema{schema}.json").read_text())
    content[part] = value
    damaged = json.dumps({**content, "digest": digest_of(content)}).encode()
    assert {"error": "certificate"}.get(part, part) in read_or_error(damaged)


def test_there_is_a_migration_for_every_schema_before_the_current_one():
    assert sorted(MIGRATIONS) == list(range(1, CURRENT_SCHEMA))


def test_another_space_is_refused_with_the_command_that_measures_it():
    other = SearchSpace.load("nano:192x256:11")
    with pytest.raises(ProfileError) as error:
        PROFILE.latency_model(other)
    assert "--space nano:192x256:11" in error.value.fix
    assert PROFILE.latency_model(SPACE).predict(SPACE.encode([SPACE.smallest]))[0] == pytest.approx(
        1.1 * 0.5 * len(SPACE.layers_of(SPACE.smallest)) + 0.25
    )


def test_a_profile_without_a_layer_predicts_the_others(rng):
    gone = PROFILE.entries[0].key
    rest = make_profile(entries=[entry.model_dump() for entry in PROFILE.entries[1:]])
    codes = SPACE.sample(500, rng)
    codes[:, 0] = 0
    needs = np.array(
        [gone in {layer.spec.key for layer in SPACE.layers_of(network)} for network in SPACE.decode(codes)]
    )
    assert 0 < needs.sum() < 500
    assert np.isfinite(rest.latency_model().predict(codes[~needs])[0]).all()
    with pytest.raises(ProfileError, match="lacks 1 of the layers"):
        rest.latency_model().predict(codes)


def test_the_store_keeps_versions_and_never_rewrites_one(tmp_path):
    series = series_of(tmp_path, device="local", space=SPACE, precision="fp32", threads=1)
    assert (series.versions, series.latest, series.next_version) == ([], None, 1)
    for version in (1, 2, 10):
        path = save_profile(make_profile(version), series)
        assert path == tmp_path / "local" / "nano-fp32" / f"v{version}.json"
    assert series.next_version == 11
    (series.folder / "v3.journal.jsonl").touch()
    (series.folder / "vx.json").touch()
    assert list_profiles(tmp_path) == [series.path(version) for version in (1, 2, 10)]
    assert load_profile("local/nano-fp32", root=tmp_path).version == 10
    assert load_profile("local/nano-fp32/v2", root=tmp_path).name == "local/nano-fp32/v2"
    assert load_profile(series.path(1)).parent is None
    with pytest.raises(ProfileError, match="never rewritten"):
        save_profile(make_profile(2), series)


def test_several_threads_are_another_series(tmp_path):
    series = series_of(tmp_path, device="local", space=SPACE, precision="fp32", threads=2)
    assert series.folder.name == "nano-fp32-2threads"
    protocol = {**PROFILE.protocol.model_dump(), "threads": 2}
    assert make_profile(protocol=protocol).name == "local/nano-fp32-2threads/v1"


@pytest.mark.parametrize("reference", ["local/tiny-fp32", "local/nano-fp32/v3", "no.json", "", "../x", "local"])
def test_an_absent_profile_is_answered_with_those_that_exist(tmp_path, reference):
    save_profile(PROFILE, series_of(tmp_path, device="local", space=SPACE, precision="fp32", threads=1))
    with pytest.raises(ProfileError) as error:
        load_profile(reference, root=tmp_path)
    assert "local/nano-fp32/v1" in error.value.known
    assert "mosegedge profile" in error.value.fix
