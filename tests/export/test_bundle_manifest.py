"""bundle.json: older formats are brought to the present one, and what a hostile one says of a built file is refused."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import products
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.errors import ExportError
from mosegedge.export.bundle import load_bundle
from mosegedge.export.manifest import ArtefactSection
from mosegedge.export.migrations import FORMAT, STEPS, add_artefact, migrated

FIRST = Path(__file__).with_name("bundle-1.json")


@pytest.fixture
def folder(engine_bundle, tmp_path):
    return shutil.copytree(engine_bundle, tmp_path / "bundle")


def test_a_record_of_the_first_format_has_no_artefact():
    before = json.loads(FIRST.read_bytes())
    kept = json.dumps(before)
    after = add_artefact(before)
    assert json.dumps(before) == kept, "steps are pure"
    assert (after["format"], after["artefact"]) == ("mosegedge-bundle-2", None)
    assert {name: after[name] for name in before if name != "format"} == {
        name: before[name] for name in before if name != "format"
    }
    assert migrated(before) == after
    assert list(STEPS) == ["mosegedge-bundle-1"]
    assert migrated(after) == after
    assert after["format"] == FORMAT


def test_a_bundle_of_the_first_format_is_read_and_not_rewritten(tmp_path):
    made = products.make_bundle(tmp_path / "bundle")
    record = json.loads(FIRST.read_bytes()) | {"files_sha256": made.manifest.files_sha256}
    (made.folder / "bundle.json").write_text(json.dumps(record))
    bundle = load_bundle(made.folder)
    assert bundle.manifest.artefact is None
    assert bundle.architecture == products.SPACE.smallest
    assert bundle.deployed()[1:] == ("onnx", record["files_sha256"]["network.onnx"])
    assert json.loads((made.folder / "bundle.json").read_text())["format"] == "mosegedge-bundle-1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", "../../etc/passwd"),
        ("file", "agent.pyz"),
        ("file", "network.engine/../x"),
        ("file", "network"),
        ("format", "a b"),
        ("format", ""),
        ("sha256", "0" * 64),
        ("sha256", "g" * 64),
        ("backend", "os.system"),
        ("backend", "../x"),
        ("threads", 0),
        ("settings", {"a": 1}),
        ("settings", []),
        ("runtime", {"tensorrt": None}),
        ("clock", "sundial"),
        ("origin", "made up"),
        ("build_s", -1.0),
        ("build_s", float("inf")),
        ("notes", "text"),
        ("golden_tolerance", 0.0),
        ("golden_tolerance", float("nan")),
        ("agreement", 1.5),
        ("surprise", 1),
    ],
)
def test_a_hostile_artefact_is_refused(folder, field, value):
    products.edit(folder, lambda manifest: manifest["artefact"].update({field: value}))
    with pytest.raises(ExportError, match=r"bundle\.json cannot be read"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["network.fakeengine", "agent.pyz", "verify.py"])
def test_every_file_for_the_board_has_a_digest(folder, name):
    with (folder / name).open("ab") as stream:
        stream.write(b"#")
    with pytest.raises(ExportError, match=f"{name} is missing or was changed"):
        load_bundle(folder)
    products.edit(folder, lambda manifest: manifest["files_sha256"].pop(name))
    with pytest.raises(ExportError, match=r"bundle\.json cannot be read.*it has the digests of"):
        load_bundle(folder)


def test_an_artefact_cannot_be_taken_away_from_its_files(folder):
    products.edit(folder, lambda manifest: manifest.update(artefact=None))
    with pytest.raises(ExportError, match="it has the digests of"):
        load_bundle(folder)


@given(
    st.sampled_from(sorted(ArtefactSection.model_fields)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_value_is_read_or_named(engine_bundle, field, value):
    record = json.loads((engine_bundle / "bundle.json").read_text())
    record["artefact"][field] = value
    scratch = engine_bundle.parent / "fuzzed"
    if not scratch.exists():
        shutil.copytree(engine_bundle, scratch)
    (scratch / "bundle.json").write_text(json.dumps(record))
    with suppress(ExportError):  # anything else would be a fault of ours
        assert load_bundle(scratch).manifest.artefact.file == "network.fakeengine"
