"""Export for a board: the file in the bundle is the one that the device built and loaded."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import boards
import onnx
import products
import pytest
from typer.testing import CliRunner

from mosegedge.cli.main import app
from mosegedge.devices import open_agent
from mosegedge.errors import AgentError, DeviceBusyError, DeviceError, ExportError, UsageError
from mosegedge.export.bundle import load_bundle
from mosegedge.export.suitable import opset_for
from mosegedge.files import sha256_of_bytes


@pytest.fixture
def builds(tmp_path, monkeypatch):
    return boards.install(tmp_path, monkeypatch)


def test_the_engine_in_the_bundle_is_what_the_device_loads(tmp_path, builds):
    device = boards.board(tmp_path)
    bundle = load_bundle(products.make_bundle(tmp_path / "bundle", opset=13, device=device).folder)
    artefact = bundle.manifest.artefact
    content, model_format, sha256 = bundle.deployed()
    assert content.endswith(b"\n" + bundle.onnx())
    assert (artefact.file, model_format, sha256) == ("network.fakeengine", "fakeengine", sha256_of_bytes(content))
    with open_agent(device) as agent:
        loaded = agent.load_sent(agent.send(bundle.onnx()))
        assert (loaded.artefact.sha256, loaded.artefact.cached) == (sha256, True)
        assert agent.fetch(loaded.artefact) == content
    assert (artefact.device, artefact.backend, artefact.precision) == ("board", "fakeengine", "fp32")
    assert artefact.settings == {"origin": "measured", "clock": "device"}
    assert artefact.runtime == {"fakeengine": "1.0"}
    assert artefact.accelerator == "FakeChip 1"
    assert artefact.notes == ["two nodes were fused"]
    assert (artefact.golden_tolerance, artefact.agreement) == (1e-4, 0.999)
    agent_files = zipfile.ZipFile(io.BytesIO((bundle.folder / "agent.pyz").read_bytes())).namelist()
    assert "device_agents/backends/fakeengine.py" in agent_files


def test_a_second_export_takes_the_engine_from_the_devices_cache(tmp_path, builds):
    first = products.make_bundle(tmp_path / "first", opset=13, device=boards.board(tmp_path))
    said: list[str] = []
    second = products.make_bundle(tmp_path / "second", opset=13, device=boards.board(tmp_path), say=said.append)
    assert builds.read_text() == "built\n"
    assert said[-1] == "board had it built already."
    assert second.manifest.artefact == first.manifest.artefact
    assert second.deployed() == first.deployed()


def test_a_damaged_engine_in_the_devices_cache_is_built_again(tmp_path, builds):
    first = products.make_bundle(tmp_path / "first", opset=13, device=boards.board(tmp_path))
    (engine,) = (tmp_path / "cache" / "built").glob("*.fakeengine")
    engine.write_bytes(b"noise")
    second = products.make_bundle(tmp_path / "second", opset=13, device=boards.board(tmp_path))
    assert builds.read_text() == "built\nbuilt\n"
    assert second.deployed() == first.deployed()


def test_half_precision_is_in_the_file_where_the_builder_has_no_switch_for_it(tmp_path, builds):
    device = boards.board(tmp_path, precision="fp16")
    said: list[str] = []
    exported = products.make_bundle(tmp_path / "bundle", opset=13, device=device, say=said.append)
    bundle = load_bundle(exported.folder)
    header, _, inside = bundle.deployed()[0].partition(b"\n")
    assert json.loads(header)["precision"] == "fp16"
    kinds = {tensor.data_type for tensor in onnx.load_model_from_string(inside).graph.initializer if tensor.dims}
    assert onnx.TensorProto.FLOAT16 in kinds
    plain = {tensor.data_type for tensor in onnx.load_model_from_string(bundle.onnx()).graph.initializer}
    assert onnx.TensorProto.FLOAT16 not in plain, "network.onnx stays as PyTorch has it"
    assert bundle.manifest.artefact.golden_tolerance == 1e-2
    assert "in fp16, ONNX Runtime on the host is" in bundle.manifest.artefact.notes[0]
    assert said[0].startswith("warning: in fp16"), "random weights make a lot of a little rounding"


def test_a_device_that_runs_onnx_itself_gets_no_copy(tmp_path):
    from mosegedge.devices import Device

    device = Device(name="local", backend="onnxruntime", connection="local", cache=str(tmp_path / "cache"))
    bundle = load_bundle(products.make_bundle(tmp_path / "bundle", device=device).folder)
    artefact = bundle.manifest.artefact
    assert (artefact.file, artefact.format) == ("network.onnx", "onnx")
    assert artefact.sha256 == bundle.manifest.files_sha256["network.onnx"]
    assert {path.name for path in bundle.folder.iterdir()} == {*bundle.manifest.content, "bundle.json"}


def test_an_export_without_a_device_removes_what_one_with_a_device_left(tmp_path, builds):
    first = products.make_bundle(tmp_path / "bundle", opset=13, device=boards.board(tmp_path))
    (first.folder / "notes.txt").write_text("mine")
    second = load_bundle(products.make_bundle(tmp_path / "bundle").folder)
    assert second.manifest.artefact is None
    assert {path.name for path in second.folder.iterdir()} == {*second.manifest.content, "bundle.json", "notes.txt"}


def test_a_form_that_the_target_does_not_take_stops_before_anything_is_built(tmp_path, builds, monkeypatch):
    from mosegedge.networks import targets

    def finding(severity: str) -> SimpleNamespace:
        why, instead = "Rounds in its own way.", "Use a constant scale."
        return SimpleNamespace(node="decoder.Resize", op_type="Resize", severity=severity, why=why, instead=instead)

    said: list[str] = []
    monkeypatch.setattr(targets, "check_for", lambda onnx, target: [finding("warning")], raising=False)
    bundle = products.make_bundle(tmp_path / "bundle", opset=13, device=boards.board(tmp_path), say=said.append)
    assert said[0] == "warning: Resize: Rounds in its own way. Use a constant scale. (in decoder.Resize)"
    monkeypatch.setattr(targets, "check_for", lambda onnx, target: [finding("error")])
    with pytest.raises(ExportError, match=r"does not take Resize as in decoder\.Resize"):
        products.make_bundle(tmp_path / "other", opset=13, device=boards.board(tmp_path))
    assert builds.read_text() == "built\n"
    assert not (tmp_path / "other").exists()
    assert bundle.manifest.artefact is not None


def test_the_opset_is_the_devices_highest_unless_a_lower_one_is_asked_for(tmp_path):
    device = boards.board(tmp_path)
    assert (opset_for(device, None), opset_for(device, 11)) == (13, 11)
    with pytest.raises(UsageError, match="--opset 17 is above what board takes"):
        opset_for(device, 17)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"opset": 17}, "does not take opset 17"),
        ({"precision": "bf16"}, "cannot run bf16"),
        ({"clock": "device", "settings": {"clock": "host"}}, "has none there"),
        ({"interpreter": "/nonexistent/python"}, "cannot be started"),
    ],
)
def test_what_the_device_cannot_do_is_said_before_any_work(tmp_path, builds, changes, said):
    device = replace(boards.board(tmp_path), **changes)
    with pytest.raises(DeviceError, match=said):
        products.make_bundle(tmp_path / "bundle", opset=device.opset, device=device)
    assert not (tmp_path / "bundle").exists()


def test_a_compiler_on_the_host_makes_the_file_that_is_sent(tmp_path, builds, monkeypatch):
    from mosegedge.devices import host_compiler

    header = json.dumps({"chip": "FakeChip 1", "precision": "fp32"}).encode() + b"\n"

    def compiled(device, onnx):
        return header + onnx, "fakeengine", ("compiled here",)

    monkeypatch.setattr(host_compiler, "prepare", compiled)
    bundle = load_bundle(products.make_bundle(tmp_path / "bundle", opset=13, device=boards.board(tmp_path)).folder)
    assert builds.read_text() == ""
    assert bundle.deployed()[0] == header + bundle.onnx()
    assert bundle.manifest.artefact.notes == ["compiled here"]


def test_a_busy_device_is_not_disturbed(tmp_path, builds, monkeypatch):
    from mosegedge.export import build

    monkeypatch.setattr(build, "_WAIT_FOR_LOCK_S", 0)
    with open_agent(boards.board(tmp_path)) as other:
        other.lock()
        with pytest.raises(DeviceBusyError):
            products.make_bundle(tmp_path / "bundle", opset=13, device=boards.board(tmp_path))
    assert builds.read_text() == ""


def test_an_engine_that_arrives_damaged_is_refused(tmp_path, builds, monkeypatch):
    from mosegedge.devices.local import LocalConnection

    whole = LocalConnection.get
    monkeypatch.setattr(LocalConnection, "get", lambda self, path: whole(self, path)[:-1])
    with pytest.raises(AgentError, match="arrived damaged"):
        products.make_bundle(tmp_path / "bundle", opset=13, device=boards.board(tmp_path))
    assert not (tmp_path / "bundle").exists()


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A supernet as a file."""
    monkeypatch.setattr("mosegedge.cli.export.open_data", products.pictures)
    products.make_bundle(tmp_path / "any")
    return tmp_path / "supernet-0.safetensors"


def export(checkpoint, *arguments):
    code = products.SPACE.smallest.slug
    return CliRunner().invoke(app, ["export", code, "--supernet", str(checkpoint), *arguments])


def test_the_command_prints_what_was_built_and_for_what(tmp_path, builds, checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boards.table(tmp_path, boards.board(tmp_path, origin="simulated"))
    result = export(checkpoint, "--device", "board", "--output", "out")
    assert result.exit_code == 0, result.output
    bundle = load_bundle(tmp_path / "out")
    assert bundle.manifest.opset == 13
    assert f"network.fakeengine, fp32, sha256 {bundle.manifest.artefact.sha256}" in result.stdout
    (built,) = (line for line in result.stdout.splitlines() if line.startswith("built in"))
    assert "for board: FakeChip 1, fakeengine 1.0" in built
    assert built.endswith("(simulated)")
    assert "note        two nodes were fused" in result.stdout
    assert "Next: mosegedge verify out --device board" in result.stderr


def test_a_device_out_of_reach_leaves_the_onnx_file_alone_as_a_way_out(tmp_path, builds, checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "devices.toml").write_text('[board]\ntemplate = "local"\ninterpreter = "/nonexistent/python"\n')
    result = export(checkpoint, "--device", "board", "--output", "out")
    assert isinstance(result.exception, DeviceError)
    assert "--no-build" in str(result.exception)
    assert not (tmp_path / "out").exists()
    result = export(checkpoint, "--device", "board", "--output", "out", "--no-build", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["artefact"] is None
    assert load_bundle(tmp_path / "out").manifest.artefact is None


def test_onnx_alone_has_the_forms_that_the_compiler_of_a_device_out_of_reach_takes(tmp_path, checkpoint, monkeypatch):
    from mosegedge.devices import load_device
    from mosegedge.devices.suiting import in_forms_of

    monkeypatch.chdir(tmp_path)
    result = export(checkpoint, "--device", "atlas200i-dk-a2", "--output", "out", "--no-build")
    assert result.exit_code == 0, result.output
    plain = export(checkpoint, "--device", "local", "--opset", "11", "--output", "plain", "--no-build")
    assert plain.exit_code == 0, plain.output
    suited, as_it_was = (load_bundle(tmp_path / name).onnx() for name in ("out", "plain"))
    assert suited == in_forms_of(load_device("atlas200i-dk-a2"), as_it_was) != as_it_was


def test_onnx_alone_is_checked_against_the_tables_of_the_device(tmp_path, checkpoint, monkeypatch):
    from mosegedge.networks import targets

    asked: list[str] = []

    def finding(content: bytes, target: str) -> list[targets.Finding]:
        asked.append(target)
        return [
            targets.Finding(node="a", op_type="Resize", severity="error", why="It is unknown.", instead="Leave it out.")
        ]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(targets, "check_for", finding)
    result = export(checkpoint, "--device", "atlas200dk", "--output", "out", "--no-build")
    assert isinstance(result.exception, ExportError)
    assert "ascend/Ascend310 does not take Resize as in a: It is unknown." in str(result.exception)
    assert asked == ["ascend/Ascend310"]
    assert not (tmp_path / "out").exists()
