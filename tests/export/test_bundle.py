"""A bundle: what is written can be read, and anything that was changed is refused with a reason."""

from __future__ import annotations

import errno
import io
import json
import shutil

import numpy as np
import onnx
import products
import pytest
import torch
from safetensors.torch import load, save

from mosegedge.errors import ExportError
from mosegedge.export import write
from mosegedge.export.bundle import load_bundle
from mosegedge.export.onnx import check_against_torch, relative_difference, torch_output
from mosegedge.files import sha256_of_file


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return products.make_bundle(tmp_path_factory.mktemp("export") / "bundle")


@pytest.fixture(scope="module")
def original(exported):
    return exported.folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "bundle")


def test_a_bundle_is_read_as_it_was_written(exported):
    original, bundle = exported.folder, load_bundle(exported.folder)
    assert bundle.manifest.model_dump_json() == exported.manifest.model_dump_json()
    assert bundle.architecture == products.SPACE.smallest
    assert bundle.space.digest == products.SPACE.digest
    assert bundle.input_size == products.SPACE.input_size(products.SPACE.smallest)
    manifest = bundle.manifest
    assert manifest.predicted == products.PREDICTED
    assert manifest.data == "scenes"
    assert manifest.classes == list(products.GUIDE.classes)
    assert manifest.supernet_sha256 == sha256_of_file(original.parent / "supernet-0.safetensors")
    assert manifest.difference_to_torch <= 1e-4
    assert {"mosegedge", "torch", "onnx", "onnxruntime", "numpy", "python"} == set(manifest.versions)


def test_the_golden_output_is_that_of_the_weights_and_of_the_onnx_file(original):
    bundle = load_bundle(original)
    given, expected = bundle.golden()
    assert expected.shape == (1, 19, *bundle.input_size)
    np.testing.assert_allclose(torch_output(bundle.subnet(), given), expected, rtol=1e-5, atol=1e-5)
    assert check_against_torch(bundle.onnx(), given, expected) <= 1e-4


@pytest.mark.parametrize("opset", [11, 17])
def test_the_onnx_file_says_what_it_is(tmp_path, opset):
    architecture = products.SPACE.uniform(1, 1)
    bundle = products.make_bundle(tmp_path / "bundle", architecture=architecture, opset=opset)
    model = onnx.load_model_from_string(bundle.onnx())
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["code"] == str(architecture)
    assert (facts["space"], facts["space_digest"]) == (products.SPACE.name, products.SPACE.digest)
    assert json.loads(facts["classes"]) == list(products.GUIDE.classes)
    assert len(json.loads(facts["mean"])) == len(json.loads(facts["std"])) == 3
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [opset]
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, *products.SPACE.input_size(architecture)]
    assert bundle.manifest.opset == opset


@pytest.mark.parametrize("opset", [10, 18])
def test_other_opsets_are_refused(tmp_path, opset):
    with pytest.raises(ExportError, match=f"Opset {opset}"):
        products.make_bundle(tmp_path / "bundle", opset=opset)
    assert not (tmp_path / "bundle").exists()


def test_exporting_again_removes_the_verification_of_the_old_network(tmp_path):
    first = products.make_bundle(tmp_path / "bundle")
    for name in ("verify.json", "fps_card.txt"):
        (first.folder / name).write_text("of the old network")
    second = products.make_bundle(tmp_path / "bundle", predicted=None, seed=1)
    assert not (second.folder / "verify.json").exists()
    assert not (second.folder / "fps_card.txt").exists()
    assert load_bundle(second.folder).manifest.predicted is None
    assert second.manifest.files_sha256 != first.manifest.files_sha256


def test_a_disk_that_is_full_is_named_with_the_file_and_what_is_needed(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write, "write_atomic", full)
    with pytest.raises(ExportError, match=r"network\.onnx cannot be written: No space left") as caught:
        products.make_bundle(tmp_path / "bundle")
    assert "MiB" in caught.value.known
    assert "Free some space" in caught.value.fix
    assert not (tmp_path / "bundle" / "bundle.json").exists()


def test_a_folder_that_cannot_be_written_to_is_not_told_to_have_more_space(tmp_path, monkeypatch):
    def refused(path, content):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(write, "write_atomic", refused)
    with pytest.raises(ExportError, match=r"network\.onnx cannot be written: Read-only") as caught:
        products.make_bundle(tmp_path / "bundle")
    assert caught.value.fix == "Choose another --output; then export again."


@pytest.mark.parametrize("name", ["network.onnx", "weights.safetensors", "golden_input.npy", "golden_output.npy"])
def test_a_changed_or_missing_file_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ExportError, match=f"{name} is missing or was changed"):
        load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(ExportError, match=f"{name} is missing or was changed"):
        load_bundle(folder)


def test_a_folder_without_a_manifest_is_no_bundle(folder):
    (folder / "bundle.json").unlink()
    with pytest.raises(ExportError, match="is no bundle"):
        load_bundle(folder)
    with pytest.raises(ExportError, match="is no bundle"):
        load_bundle(folder / "nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 100_000, b'{"format": "mosegedge-bundle-2"}']
)
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / "bundle.json").write_bytes(content)
    with pytest.raises(ExportError, match=r"bundle\.json cannot be read"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "mosegedge-bundle-3"),
        ("format", ["mosegedge-bundle-2"]),
        ("code", "0 00 001100 001100 00111100 001109"),
        ("code", "../../etc"),
        ("code", 5),
        ("space", {}),
        ("space", {"name": "nano"}),
        ("classes", ["road"]),
        ("classes", "road"),
        ("mean", [0.1]),
        ("std", [0.1, 0.1, float("nan")]),
        ("predicted", {"profile": "p", "statistic": "median", "latency_ms": float("nan"), "sd_ms": 0.1}),
        ("predicted", {"profile": "p", "statistic": "median", "latency_ms": 0.0, "sd_ms": 0.1}),
        ("predicted", {"profile": "p", "statistic": "best", "latency_ms": 1.0, "sd_ms": 0.1}),
        ("difference_to_torch", float("inf")),
        ("files_sha256", {}),
        ("files_sha256", {"../../etc/passwd": "0" * 64}),
        ("surprise", 1),
    ],
)
def test_a_hostile_manifest_is_refused(folder, field, value):
    products.edit(folder, lambda manifest: manifest.update({field: value}))
    with pytest.raises(ExportError, match=r"bundle\.json"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop", [0, 0]),
        ("crop", ["a", "b"]),
        ("crop", 5),
        ("stage_widths", [-1, 2, 3, 4]),
        ("stage_widths", [[1], 2, 3, 4]),
        ("scale_factors", ["1/0", "1/2", "5/8", "3/4", "1"]),
        ("channel_multiple", 0),
        ("name", "<script>"),
        ("decoder", []),
        ("decoder", {"up": 1}),
        ("classes", 1e400),
    ],
)
def test_a_hostile_space_is_refused(folder, field, value):
    products.edit(folder, lambda manifest: manifest["space"].update({field: value}))
    with pytest.raises(ExportError, match=r"bundle\.json"):
        load_bundle(folder)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["golden_input.npy", "golden_output.npy"])
@pytest.mark.parametrize(
    "content",
    [b"", b"noise", npy(np.zeros((1, 3, 8, 8), np.float32)), npy(np.zeros(3)), npy(np.array([{}], object))],
    ids=["empty", "noise", "shape", "type", "pickle"],
)
def test_golden_arrays_that_do_not_suit_are_refused(folder, name, content):
    (folder / name).write_bytes(content)
    products.seal(folder)
    with pytest.raises(ExportError, match=name):
        load_bundle(folder).golden()


def test_weights_of_another_kind_are_refused(folder):
    path = folder / "weights.safetensors"
    weights = load(path.read_bytes())
    first = next(name for name, tensor in weights.items() if tensor.dtype == torch.float32)
    for spoiled in (
        b"noise",
        save({name: tensor for name, tensor in weights.items() if name != first}),
        save({**weights, first: weights[first][:-1].clone()}),
        save({**weights, first: weights[first].double()}),
    ):
        path.write_bytes(spoiled)
        products.seal(folder)
        with pytest.raises(ExportError, match=r"weights\.safetensors"):
            load_bundle(folder).subnet()


def test_onnx_that_computes_something_else_is_refused(folder):
    given, expected = load_bundle(folder).golden()
    model = (folder / "network.onnx").read_bytes()
    with pytest.raises(ExportError, match="differs from PyTorch"):
        check_against_torch(model, given, expected * 1.01)
    with pytest.raises(ExportError, match="differs from PyTorch"):
        check_against_torch(model, given, np.full_like(expected, np.nan))


def test_the_difference_is_relative_to_the_largest_value():
    expected = np.array([0.0, -200.0, 1.0], np.float32)
    assert relative_difference(expected + np.array([0, 0, 1], np.float32), expected) == pytest.approx(0.005)
    assert relative_difference(expected, expected) == 0.0
    assert np.isfinite(relative_difference(np.zeros(2, np.float32), np.zeros(2, np.float32)))
