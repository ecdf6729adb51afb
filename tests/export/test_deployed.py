"""Exported files run by ONNX Runtime and scored: as good as the network in PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import products
import pytest
import torch

from mosegedge.data import SegmentationSet
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import ExportError, UsageError
from mosegedge.export.bundle import Bundle
from mosegedge.export.deployed import onnx_of_bundle, read_onnx
from mosegedge.networks.precision import to_fp16
from mosegedge.progress import Silent
from mosegedge.supernet.runnable import runnable_of, score_part


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return products.make_bundle(tmp_path_factory.mktemp("exported") / "bundle")


def renamed(folder: Path, bundle: Bundle, **facts: str | None) -> Path:
    """A copy of the file with other facts in it; None takes one away."""
    model = onnx.load_model_from_string(bundle.onnx())
    kept = {fact.key: fact.value for fact in model.metadata_props} | facts
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {name: value for name, value in kept.items() if value is not None})
    (folder / "other.onnx").write_bytes(model.SerializeToString())
    return folder / "other.onnx"


def counts_of(path: Path) -> np.ndarray:
    return score_part(read_onnx(path, threads=1).runnable(products.VAL), products.VAL, progress=Silent()).matrix.counts


def test_the_file_scores_as_the_network_does(bundle: Bundle, tmp_path: Path) -> None:
    path, note = onnx_of_bundle(bundle.folder)
    assert (path.name, note) == ("network.onnx", "")
    found = read_onnx(path, threads=1)
    assert (found.code, found.space, found.data) == (str(bundle.architecture), "nano:96x192:19", "scenes")
    assert found.sha256 == bundle.manifest.files_sha256["network.onnx"]
    network = runnable_of(bundle.subnet(), bundle.space, torch.device("cpu"))
    expected = score_part(network, products.VAL, progress=Silent()).matrix.counts
    assert np.abs(counts_of(path) - expected).sum() <= 1e-3 * expected.sum()
    half = tmp_path / "network.fp16.onnx"
    half.write_bytes(to_fp16(bundle.onnx()))
    assert np.abs(counts_of(half) - expected).sum() <= 5e-2 * expected.sum()


def test_a_file_that_another_device_built_is_named(engine_bundle: Path) -> None:
    path, note = onnx_of_bundle(engine_bundle)
    assert path.name == "network.onnx"
    assert "network.fakeengine runs on board" in note


def test_classes_of_other_names_are_refused(bundle: Bundle) -> None:
    class Turned(SceneSet):
        classes = SceneSet.classes[::-1]

    turned: SegmentationSet = Turned("val", 2)
    with pytest.raises(UsageError, match="has other classes than"):
        read_onnx(bundle.folder / "network.onnx", threads=1).runnable(turned)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"classes": None}, "does not say its classes"),
        ({"classes": '["road"'}, r"classes that .* gives cannot be read: \["),
        ({"classes": "[1, 2]"}, r"classes that .* gives cannot be read: \[1, 2\]"),
        ({"mean": json.dumps([0.5, 0.5, 0.5])}, r"normalised with \[0.5, 0.5, 0.5\]"),
    ],
)
def test_files_without_the_facts_that_a_score_needs_are_refused(
    bundle: Bundle, tmp_path: Path, facts: dict[str, str | None], said: str
) -> None:
    with pytest.raises(ExportError, match=said):
        read_onnx(renamed(tmp_path, bundle, **facts), threads=1)


@pytest.mark.parametrize("text", ["road,wall, high", '["road", "wall, high"]'])
def test_class_names_are_read_as_they_are_written_and_as_they_were(bundle: Bundle, tmp_path: Path, text: str) -> None:
    names = ("road", "wall", " high") if text.startswith("road") else ("road", "wall, high")
    assert read_onnx(renamed(tmp_path, bundle, classes=text), threads=1).classes == names


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"nonsense"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ExportError, match="does not run"):
        read_onnx(tmp_path / "bad.onnx", threads=1)
    with pytest.raises(ExportError, match="no file"):
        read_onnx(tmp_path / "none.onnx", threads=1)
