"""Verification with a real agent: what is right passes, what does not belong together does not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import boards
import numpy as np
import products
import pytest
from typer.testing import CliRunner

from mosegedge.cli.main import app
from mosegedge.devices import Device
from mosegedge.errors import VerificationError
from mosegedge.export import verify
from mosegedge.export.bundle import load_bundle
from mosegedge.files import sha256_of_bytes
from mosegedge.progress import Silent
from mosegedge.report.bundles import read_bundles

CARD = re.compile(
    r"nano (\S+) on local \([^;{}\[\]]+; onnxruntime [\d.]+, [^{}\[\]]*CPUExecutionProvider\): "
    r"latency [\d.]+ ms median, [\d.]+ ms p95 by the host's clock, [\d.]+ images/s, n (\d+), "
    r"input 1x3x(\d+)x(\d+), batch 1, fp32, 1 thread\(s\), onnx [0-9a-f]{12}, "
    r"(?:clocks not measured|CPU clock \d+ (?:to \d+ )?MHz)(?:, temperature \d+ (?:to \d+ )?C)?, "
    r"host IO not included, \d{4}-\d\d-\d\d"
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return products.make_bundle(tmp_path_factory.mktemp("verify") / "bundle").folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "run" / "bundles" / "first")


@pytest.fixture
def device(tmp_path, monkeypatch) -> Device:
    """This machine, apart from whatever else is measured on it."""
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    boards.shorten(monkeypatch)
    return Device(name="local", backend="onnxruntime", connection="local", cache=str(tmp_path / "cache"))


def verified(folder, device):
    return verify.verify_bundle(
        load_bundle(folder), device, products.VAL, pictures=2, agreement=0.999, progress=Silent()
    )


def test_an_exported_network_passes(folder, device):
    report = verified(folder, device)
    report.require_passed(folder)
    assert report.passed
    assert report.golden_difference <= 1e-4
    assert (report.pictures, report.latency.samples) == (2, 15)
    assert 0.999 <= report.worst_agreement <= report.agreement <= 1
    assert 0 < report.latency.low_ms <= report.latency.median_ms <= report.latency.p95_ms
    assert report.predicted_ms == (2.5, 0.1)
    assert report.comparable_ms == report.latency.low_ms
    assert (report.clock, report.latency, report.device_latency) == ("host", report.host_latency, None)
    assert len(report.agreements) == 2
    assert report.artefact.sha256 == load_bundle(folder).manifest.files_sha256["network.onnx"]


def test_the_card_has_every_field_of_a_data_sheet(folder, device):
    report = verified(folder, device)
    assert (folder / "fps_card.txt").read_text() == report.fps_card + "\n"
    found = CARD.fullmatch(report.fps_card)
    assert found, report.fps_card
    slug, *numbers = found.groups()
    assert slug == products.SPACE.smallest.slug
    assert tuple(int(text) for text in numbers) == (15, *load_bundle(folder).input_size)


def test_the_written_report_is_what_the_page_reads(folder, device):
    report = verified(folder, device)
    record = json.loads((folder / "verify.json").read_text())
    assert record["latency"]["median_ms"] == report.latency.median_ms
    assert record["required_agreement"] == 0.999
    (shown,) = read_bundles(folder.parent.parent)
    assert shown.architecture == products.SPACE.smallest
    assert shown.verification.passed
    assert shown.verification.fps_card == report.fps_card


def test_weights_that_do_not_belong_to_the_network_fail(folder, device, tmp_path):
    other = products.make_bundle(tmp_path / "other", seed=1)
    shutil.copy(other.folder / "weights.safetensors", folder)
    products.seal(folder)
    report = verified(folder, device)
    assert report.golden_difference <= 1e-4, "the golden output still belongs to the network"
    assert report.worst_agreement < 0.9
    assert not json.loads((folder / "verify.json").read_text())["passed"]
    with pytest.raises(VerificationError, match="differs from PyTorch") as caught:
        report.require_passed(folder)
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("names", [("network.onnx",), ("network.onnx", "weights.safetensors")])
def test_a_network_that_does_not_belong_to_the_golden_output_fails(folder, device, tmp_path, names):
    other = products.make_bundle(tmp_path / "other", seed=1)
    for name in names:
        shutil.copy(other.folder / name, folder)
    products.seal(folder)
    report = verified(folder, device)
    assert (report.worst_agreement >= 0.999) == (len(names) == 2)
    assert report.golden_difference > 1e-4
    assert not report.passed


@pytest.mark.parametrize(("agreement", "code"), [(0.999, 0), (1.0, 10)])
def test_the_command_ends_with_the_code_of_the_outcome(folder, device, monkeypatch, agreement, code):
    monkeypatch.setattr("mosegedge.cli.export.open_data", products.pictures)
    if code:
        monkeypatch.setattr(verify, "_agreement", lambda output, expected: 0.9995)
    result = CliRunner().invoke(
        app, ["verify", str(folder), "--pictures", "1", "--agreement", str(agreement), "--json"]
    )
    assert json.loads(result.stdout)["passed"] == (code == 0)
    assert getattr(result.exception, "exit_code", 0) == code


class FakeAgent:
    """Gives a fixed output, whatever it is asked."""

    def __init__(self, device: Device, output: np.ndarray) -> None:
        self.device, self._output = device, output

    def describe(self) -> SimpleNamespace:
        return SimpleNamespace(vendor={})

    def lock(self, *, wait_s: int) -> None:
        pass

    def send(self, content: bytes, model_format: str) -> str:
        return sha256_of_bytes(content)

    def load_sent(self, model: str, model_format: str) -> SimpleNamespace:
        port, artefact = SimpleNamespace(dtype="float32"), SimpleNamespace(sha256=model)
        return SimpleNamespace(model=model, inputs=[port], artefact=artefact)

    def run(self, model: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        return [self._output]


@pytest.mark.parametrize(
    ("shape", "value", "said"), [((1, 19, 1, 1), 0.0, "PyTorch"), (None, float("nan"), "no numbers")]
)
def test_outputs_that_cannot_be_compared_are_errors(folder, device, monkeypatch, shape, value, said):
    _, expected = load_bundle(folder).golden()
    output = np.full(shape or expected.shape, value, np.float32)

    @contextmanager
    def fake(device: Device, *, accept_new_host_key: bool) -> Iterator[FakeAgent]:
        yield FakeAgent(device, output)

    monkeypatch.setattr(verify, "open_agent", fake)
    with pytest.raises(VerificationError, match=said):
        verified(folder, device)
    assert not (folder / "verify.json").exists()


def test_a_prediction_of_medians_is_compared_with_the_median(original, device, tmp_path):
    folder = shutil.copytree(original, tmp_path / "bundle")
    products.edit(folder, lambda manifest: manifest["predicted"].update(statistic="median"))
    report = verified(folder, device)
    assert report.comparable_ms == report.latency.median_ms
