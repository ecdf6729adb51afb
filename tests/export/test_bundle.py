"""Bundles: what is exported is what PyTorch computes, changes are found, and a device's verdict is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from mosegedge.cli.choice import network_and_profile
from mosegedge.data import cached
from mosegedge.data.scenes import SceneSet
from mosegedge.devices import load_device
from mosegedge.errors import ArchitectureError, ExportError, UsageError, VerificationError
from mosegedge.export.bundle import MANIFEST, NETWORK, WEIGHTS, Bundle, Prediction, load_bundle
from mosegedge.export.inherit import export_inherited
from mosegedge.export.onnx import torch_output
from mosegedge.export.verify import CARD, REPORT, verify_bundle
from mosegedge.files import sha256_of_file
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

SPACE = SearchSpace.load("nano:96x192:19")
CODE = "1-10-102310-112230-10321310-012300"


def some_bundle(folder: Path, *, opset: int = 17, seed: int = 0) -> Bundle:
    supernet = Supernet(SPACE, torch.Generator().manual_seed(seed))
    checkpoint = folder / "supernet.safetensors"
    save_supernet(checkpoint, supernet, SupernetInfo(space=SPACE, data="scenes", step=0, training={}))
    return export_inherited(
        folder / "bundle",
        network_and_profile(CODE)[0],
        supernet=supernet,
        supernet_path=checkpoint,
        train=cached(SceneSet("train", 16)),
        guide=SceneSet("guide", 2),
        opset=opset,
        predicted=Prediction(profile="local/nano", latency_ms=1.5, sd_ms=0.1),
    )


@pytest.mark.parametrize("opset", [11, 17])
def test_bundle_round_trips_and_the_file_says_what_it_is(tmp_path: Path, opset: int) -> None:
    written = some_bundle(tmp_path, opset=opset)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.model_dump_json() == written.manifest.model_dump_json()
    assert bundle.architecture.slug == CODE
    assert bundle.manifest.difference_to_torch <= 1e-4
    model = onnx.load_model_from_string(bundle.onnx())
    facts = {prop.key: prop.value for prop in model.metadata_props}
    assert facts["code"] == str(bundle.architecture)
    assert facts["space_digest"] == SPACE.digest
    assert model.opset_import[0].version == opset
    given, expected = bundle.golden()
    assert given.shape == (1, 3, *bundle.input_size)
    assert np.array_equal(torch_output(bundle.subnet(), given), expected)


@pytest.mark.parametrize("name", [NETWORK, WEIGHTS, "golden_input.npy"])
def test_changed_file_is_found(tmp_path: Path, name: str) -> None:
    path = some_bundle(tmp_path).folder / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ExportError, match="was changed after the export"):
        load_bundle(tmp_path / "bundle")
    path.unlink()
    with pytest.raises(ExportError, match="missing"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("old", "new"),
    [("{", ""), ('"code"', '"coda"'), (CODE.replace("-", " "), "9"), ("mosegedge-bundle-1", "mosegedge-bundle-9")],
)
def test_damaged_manifest_gets_a_clear_error(tmp_path: Path, old: str, new: str) -> None:
    path = some_bundle(tmp_path).folder / MANIFEST
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises((ExportError, ArchitectureError)):
        load_bundle(tmp_path / "bundle")
    path.unlink()
    with pytest.raises(ExportError, match="is no bundle"):
        load_bundle(tmp_path / "bundle")


def test_device_agrees_and_its_card_is_complete(tmp_path: Path) -> None:
    bundle = some_bundle(tmp_path)
    report = verify_bundle(
        bundle, load_device("local"), SceneSet("val", 3), pictures=2, agreement=0.999, progress=Silent()
    )
    report.require_passed(bundle.folder)
    assert report.golden_difference <= 1e-4
    assert json.loads((bundle.folder / REPORT).read_text())["passed"]
    card = (bundle.folder / CARD).read_text()
    assert card.count("\n") == 1
    for part in (
        CODE,
        "median",
        "p95",
        "images/s",
        "n ",
        "1x3x64x96",
        "batch 1",
        "fp32",
        "thread",
        "clocks",
        "host IO",
    ):
        assert part in card


def test_network_that_is_not_the_one_of_pytorch_fails(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    bundle, other = some_bundle(tmp_path), some_bundle(tmp_path / "other", seed=1)
    (bundle.folder / NETWORK).write_bytes(other.onnx())
    digests = bundle.manifest.files_sha256 | {NETWORK: sha256_of_file(bundle.folder / NETWORK)}
    manifest = bundle.manifest.model_copy(update={"files_sha256": digests})
    (bundle.folder / MANIFEST).write_text(json.dumps(manifest.model_dump()))
    report = verify_bundle(
        replace(load_bundle(bundle.folder)),
        load_device("local"),
        SceneSet("val", 3),
        pictures=1,
        agreement=0.99,
        progress=Silent(),
    )
    with pytest.raises(VerificationError, match="differs from PyTorch") as caught:
        report.require_passed(bundle.folder)
    assert caught.value.exit_code == 10


def test_network_is_named_by_code_or_by_run_and_number(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    assert network_and_profile(CODE)[0].slug == CODE
    with pytest.raises(ArchitectureError):
        network_and_profile("nonsense")
    with pytest.raises(UsageError, match="no finished search"):
        network_and_profile(f"{run}:1")
    (run / "front.json").write_text(json.dumps({"chosen": [{"code": CODE}]}))
    (run / "run.json").write_text(json.dumps({"profile": {"reference": "local/nano"}}))
    assert network_and_profile(f"{run}:1")[1] == "local/nano"
    with pytest.raises(UsageError, match="networks 1 to 1"):
        network_and_profile(f"{run}:2")
