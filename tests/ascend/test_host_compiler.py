"""ATC on the host: the vendor's script is read first, the OM is cached by digest, a missing ATC is told how to fix."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from ascendboard import install, small_model

from mosegedge.devices.host_compiler import compile_om, prepare, probe
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError, ModelRefusedError


@pytest.fixture
def script(tmp_path, monkeypatch) -> Path:
    """A toolkit whose script alone puts atc on the path, in a folder whose name has a blank."""
    home = tmp_path / "my toolkit"
    install(home / "bin", atc="atc.py")
    (home / "version.info").write_text("Version=6.0.1\n")
    machine = os.uname().machine
    (home / f"{machine}-linux" / "devlib").mkdir(parents=True)
    path = home / "set_env.sh"
    path.write_text(
        # As the vendor's scripts do, it looks at its arguments: it must not see those of atc.
        'if [ -n "$1" ]; then echo "arguments: $*" >&2; exit 3; fi\n'
        f'export ASCEND_TOOLKIT_HOME="{home}"\nexport PATH="{home}/bin:$PATH"\nfalse\n'
    )
    monkeypatch.setenv("ASCEND_STANDIN_ATC_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def compiled(script: str | Path, cache: Path, **changes: str) -> tuple[bytes, tuple[str, ...]]:
    options = {"soc_version": "Ascend310", "precision": "fp16", "environment": str(script), **changes}
    return compile_om(small_model(), cache=cache, **options)


def test_the_script_is_read_and_the_om_is_made_once(script, tmp_path):
    content, notes = compiled(f"/nowhere/set_env.sh, {script}", tmp_path / "built")
    assert content.startswith(b"STANDIN-OM")
    assert notes[0] == "ATC was run with precision_mode=force_fp16"
    assert notes[-1] == "compiled on the host by CANN 6.0.1; the board's must not be older"
    assert compiled(script, tmp_path / "built") == (content, notes)
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    compiled(script, tmp_path / "built", soc_version="Ascend310B4")
    compiled(script, tmp_path / "built", precision="fp32")
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    assert {path.suffix for path in (tmp_path / "built").iterdir()} == {".om", ".json"}


def test_a_failure_has_the_three_parts_of_our_errors(script, tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_STANDIN_ATC", "E19010")
    with pytest.raises(DeviceError, match="On this machine: ATC failed") as caught:
        compiled(script, tmp_path / "built")
    assert "E19010: No parser" in caught.value.known
    assert "opset 11" in caught.value.fix


def test_a_script_without_atc_behind_it_says_what_is_missing(tmp_path):
    (tmp_path / "set_env.sh").write_text("export ASCEND_NNRT_HOME=/nowhere\n")
    with pytest.raises(DeviceError, match="On this machine: atc was not found") as caught:
        compiled(tmp_path / "set_env.sh", tmp_path / "built")
    assert "atc = board" in caught.value.fix


@pytest.mark.parametrize(
    ("environment", "words"), [("", "no atc on this machine's path"), ("/nowhere/x.sh", "/nowhere")]
)
def test_nothing_to_run_is_found_before_anything_starts(tmp_path, monkeypatch, environment, words):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(DeviceError, match=words) as caught:
        compiled(environment, tmp_path / "built")
    assert caught.value.fix
    assert not (tmp_path / "built").exists()


def test_paths_that_atc_does_not_take_are_refused(script, tmp_path):
    with pytest.raises(DeviceError, match="cannot be given paths") as caught:
        compiled(script, tmp_path / "a b")
    assert "XDG_CACHE_HOME" in caught.value.fix


def test_only_a_device_that_says_so_is_compiled_for_on_the_host(script, tmp_path):
    board = Device(name="atlas", backend="ascend", connection="local", precision="fp16")
    assert prepare(board, b"onnx") == (b"onnx", "onnx", ())
    assert prepare(Device(name="here", backend="onnxruntime", connection="local"), b"onnx") == (b"onnx", "onnx", ())
    settings = {"atc": "host", "atc_environment": str(script), "soc_version": "Ascend310B1"}
    content, model_format, notes = prepare(dataclasses.replace(board, settings=settings), small_model())
    assert model_format == "om"
    assert b'"soc": "Ascend310B1"' in content
    assert notes
    assert (tmp_path / "cache" / "mosegedge" / "built-on-host").is_dir()


def test_the_doctor_can_ask_for_the_compiler_of_this_machine(script, tmp_path):
    board = Device(name="atlas", backend="ascend", connection="local", precision="fp16")
    assert probe(board) is None
    there = dataclasses.replace(board, settings={"atc": "host", "atc_environment": str(script)})
    assert probe(there) == "ATC of CANN 6.0.1 on this machine"
    (tmp_path / "empty.sh").write_text("")
    absent = dataclasses.replace(board, settings={"atc": "host", "atc_environment": str(tmp_path / "empty.sh")})
    with pytest.raises(DeviceError, match="does not start") as caught:
        probe(absent)
    assert "Status 127" in caught.value.known


def test_the_host_gives_atc_the_time_that_is_set(script, tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_STANDIN_ATC", "hang")
    monkeypatch.setenv("ASCEND_STANDIN_HANG", str(tmp_path / "pids"))
    settings = {"atc": "host", "atc_environment": str(script), "build_timeout_s": "1"}
    board = Device(name="atlas", backend="ascend", connection="local", precision="fp16", settings=settings)
    with pytest.raises(DeviceError, match="did not finish within 1 s"):
        prepare(board, small_model())


def test_a_model_that_atc_refuses_is_told_apart_from_an_atc_that_fails(script, tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_STANDIN_ATC", "E19010")
    with pytest.raises(ModelRefusedError):
        compiled(script, tmp_path / "built")
    monkeypatch.setenv("ASCEND_STANDIN_ATC", "E10044")
    with pytest.raises(DeviceError) as caught:
        compiled(script, tmp_path / "built")
    assert not isinstance(caught.value, ModelRefusedError)
