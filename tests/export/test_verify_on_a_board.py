"""Verification of what a device's compiler made: the very file of the bundle, on the device it was built for."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import boards
import products
import pytest
from typer.testing import CliRunner

from mosegedge.cli.main import app
from mosegedge.devices import open_agent
from mosegedge.errors import AgentError, DeviceBusyError, DeviceError, ExportError, UsageError, VerificationError
from mosegedge.export import bounds
from mosegedge.export.bundle import load_bundle
from mosegedge.export.verify import verify_bundle
from mosegedge.progress import Silent
from mosegedge.report.bundles import read_bundles


@pytest.fixture
def builds(tmp_path, monkeypatch):
    boards.shorten(monkeypatch)
    return boards.install(tmp_path, monkeypatch)


@pytest.fixture
def folder(engine_bundle, tmp_path, builds):
    return shutil.copytree(engine_bundle, tmp_path / "run" / "bundles" / "first")


def verified(folder, device, **options):
    given = {"pictures": 1, "progress": Silent()} | options
    return verify_bundle(load_bundle(folder), device, products.VAL, **given)


def test_the_engine_of_the_bundle_runs_without_being_built_again(folder, tmp_path, builds):
    report = verified(folder, boards.board(tmp_path))
    report.require_passed(folder)
    artefact = load_bundle(folder).manifest.artefact
    assert (report.artefact.file, report.artefact.sha256) == ("network.fakeengine", artefact.sha256)
    assert (tmp_path / "cache" / "models" / f"{artefact.sha256}.fakeengine").is_file()
    assert builds.read_text() == ""
    assert (report.accelerator, report.runtime, report.notes) == ("FakeChip 1", {"fakeengine": "1.0"}, ())
    assert report.clean
    conditions = "clocks sm 1500 MHz, sm max 1800 MHz, temperature 61 C, power 80 W"
    assert f"fp32, 1 thread(s), fakeengine {artefact.sha256[:12]}, {conditions}" in report.fps_card


@pytest.mark.parametrize("clock", ["host", "device"])
def test_both_clocks_are_kept_and_the_devices_setting_says_which_counts(folder, tmp_path, clock):
    report = verified(folder, boards.board(tmp_path, clock=clock))
    assert report.device_latency.median_ms == 1.5
    assert report.latency == (report.device_latency if clock == "device" else report.host_latency)
    assert report.comparable_ms == report.latency.low_ms
    assert f"by the {clock}'s clock, " in report.fps_card
    text = "\n".join(report.lines())
    assert "by the host's clock\n" in text
    assert "by the device's clock\n" in text


def test_a_device_clock_that_stands_still_is_an_error(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_CLOCK", "broken")
    with pytest.raises(AgentError, match="gave 0 of 15 times"):
        verified(folder, boards.board(tmp_path, clock="device"))


def test_wrong_masks_fail(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_WRONG", "yes")
    report = verified(folder, boards.board(tmp_path))
    assert not report.passed
    with pytest.raises(VerificationError) as caught:
        report.require_passed(folder)
    assert caught.value.exit_code == 10
    assert json.loads((folder / "verify.json").read_text())["passed"] is False


def test_a_runtime_that_gives_no_outputs_is_refused_with_a_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_TIMES_ONLY", "yes")
    with pytest.raises(
        DeviceError, match=r"does not tell the inputs of network\.fakeengine: it can be timed"
    ) as caught:
        verified(folder, boards.board(tmp_path))
    assert caught.value.exit_code == 3
    assert not (folder / "verify.json").exists()


def test_a_throttled_result_is_not_called_clean(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_THROTTLED", "sw_thermal_slowdown")
    report = verified(folder, boards.board(tmp_path))
    assert (report.passed, report.clean) == (True, False)
    assert report.throttled == ("sw_thermal_slowdown",)
    assert len(report.conditions) == 4
    assert "NOT A CLEAN RESULT: throttled (sw_thermal_slowdown)" in report.fps_card
    assert "not clean: throttled while it was timed (sw_thermal_slowdown)" in report.lines()
    (shown,) = read_bundles(folder.parent.parent)
    assert shown.verification.outcome == "passed, throttled"


def test_half_precision_has_bounds_of_its_own(tmp_path, builds, monkeypatch):
    device = boards.board(tmp_path, precision="fp16")
    folder = products.make_bundle(tmp_path / "bundle", opset=13, device=device).folder
    report = verified(folder, device)
    assert (report.golden_tolerance, report.required_agreement) == (1e-2, 0.993)
    assert 1e-4 < report.golden_difference < 0.2
    assert "fp16" in report.fps_card
    wide = bounds.Bounds(golden=0.2, agreement=0.8)  # random weights make a lot of a little rounding
    monkeypatch.setitem(bounds._BOUNDS, "fp16", wide)
    assert verified(folder, device).passed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backend": "onnxruntime", "settings": {}}, "fp32 by fakeengine for board; other runs fp32 with onnxruntime"),
        ({"precision": "fp16"}, "other runs fp16 with fakeengine"),
    ],
)
def test_another_kind_of_device_is_refused_before_anything_is_sent(folder, tmp_path, changes, said):
    device = replace(boards.board(tmp_path, name="other"), **changes)
    with pytest.raises(DeviceError, match=said) as caught:
        verified(folder, device)
    assert f"mosegedge export {products.SPACE.smallest.slug} --device other" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_another_chip_is_refused_before_the_engine_is_sent(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_CHIP", "FakeChip 2")
    with pytest.raises(DeviceError, match="was built on FakeChip 1; board has FakeChip 2"):
        verified(folder, boards.board(tmp_path))
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_onnx_alone_is_not_verified_where_another_file_would_be_deployed(tmp_path, builds):
    folder = products.make_bundle(tmp_path / "bundle", opset=13).folder
    with pytest.raises(DeviceError, match="board does not run ONNX itself"):
        verified(folder, boards.board(tmp_path))
    with pytest.raises(DeviceError, match="holds single precision alone; board needs a file in fp16"):
        verified(folder, boards.board(tmp_path, precision="fp16"))
    with pytest.raises(UsageError, match="int8"):
        verified(folder, boards.board(tmp_path, precision="int8"))


def test_other_versions_and_settings_are_told(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_VERSION", "1.1")
    device = replace(boards.board(tmp_path), settings={"clock": "host"}, threads=2)
    report = verified(folder, device)
    assert report.notes == (
        "built with clock device, verified with host",
        "built with fakeengine 1.0, verified with 1.1",
        "built with threads 1, verified with 2",
    )


def test_a_busy_board_is_not_disturbed(folder, tmp_path, monkeypatch):
    from mosegedge.export import verify

    monkeypatch.setattr(verify, "_WAIT_FOR_LOCK_S", 0)
    with open_agent(boards.board(tmp_path)) as other:
        other.lock()
        with pytest.raises(DeviceBusyError):
            verified(folder, boards.board(tmp_path))
    assert not (folder / "verify.json").exists()


def test_an_engine_that_was_changed_is_refused(folder, tmp_path):
    content = bytearray((folder / "network.fakeengine").read_bytes())
    content[-1] ^= 1
    (folder / "network.fakeengine").write_bytes(content)
    with pytest.raises(ExportError, match=r"network\.fakeengine is missing or was changed"):
        verified(folder, boards.board(tmp_path))


def test_time_inside_the_network_is_told_by_block(folder, tmp_path):
    report = verified(folder, boards.board(tmp_path), layers=True)
    blocks = [layer.name for layer in products.SPACE.layers_of(products.SPACE.smallest)]
    assert [time.block for time in report.layers] == [*blocks, "(other)"]
    assert sum(time.share for time in report.layers) == pytest.approx(1)
    text = "\n".join(report.lines())
    assert re.search(r"encoder\.stage3\.2 +\d\.\d{3} ms +\d+\.\d%\n", text)
    assert "AI CPU: decoder.refine32.GlobalAveragePool, decoder.GlobalAveragePool" in text
    record = json.loads((folder / "verify.json").read_text())
    assert record["layers"][0]["block"] == "encoder.stem"


def test_a_simulated_board_says_so_wherever_there_is_a_number(tmp_path, builds):
    device = boards.board(tmp_path, origin="simulated")
    folder = products.make_bundle(tmp_path / "bundle", opset=13, device=device).folder
    report = verified(folder, device, layers=True)
    assert (report.origin, report.clean) == ("simulated", False)
    assert report.fps_card.startswith("SIMULATED, not measured: ")
    for line in report.lines():
        if re.search(r"\d (ms|%)|%", line):
            assert "imulated" in line.lower(), line


def test_the_command_and_the_page_show_the_file_and_the_clock(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mosegedge.cli.export.open_data", products.pictures)
    boards.table(tmp_path, boards.board(tmp_path, clock="device"))
    command = ["verify", str(folder), "--device", "board", "--pictures", "1", "--layers"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    sha256 = load_bundle(folder).manifest.artefact.sha256
    assert f"file     network.fakeengine, sha256 {sha256}" in result.stdout
    assert "(other)" in result.stdout
    (shown,) = read_bundles(folder.parent.parent)
    assert "by the device's clock, " in shown.verification.fps_card
    assert f"fakeengine {sha256[:12]}" in shown.verification.fps_card
    assert shown.verification.outcome == "passed"
    monkeypatch.setenv("FAKE_WRONG", "yes")
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exception.exit_code == 10
    assert json.loads(result.stdout)["artefact"]["sha256"] == sha256
