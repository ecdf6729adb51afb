"""Devices from templates and devices.toml."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.devices import list_devices, load_device
from mosegedge.devices.backends import backends
from mosegedge.devices.connection import connect
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError


@pytest.fixture(autouse=True)
def no_files_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "devices.toml").write_text(text)


def test_local_needs_no_file():
    device = load_device("local")
    assert (device.backend, device.threads, device.precision, device.opset) == ("onnxruntime", 1, "fp32", 17)


def test_every_template_names_a_backend_and_a_connection():
    for device in list_devices():
        assert device.backend in backends()
        assert connect(device) is not None


def test_a_device_inherits_from_its_template(tmp_path):
    write(tmp_path, '[fast]\ntemplate = "local"\nthreads = 4\n')
    device = load_device("fast")
    assert (device.threads, device.backend, device.name) == (4, "onnxruntime", "fast")
    assert device.source == str(tmp_path / "devices.toml")


def test_the_projects_file_comes_before_the_users(tmp_path):
    write(tmp_path / "config" / "mosegedge", '[local]\nthreads = 2\n[mine]\ntemplate = "local"\nopset = 13\n')
    write(tmp_path, '[local]\nthreads = 3\n[other]\ntemplate = "mine"\n')
    assert load_device("local").threads == 3
    assert load_device("mine").opset == 13
    assert load_device("other").opset == 13


def test_an_unknown_device_is_answered_with_the_known_ones_and_the_lines_to_write():
    with pytest.raises(DeviceError) as error:
        load_device("jetsn")
    assert "local" in error.value.known
    assert "devices.toml" in error.value.known
    assert "[jetsn]" in error.value.fix


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[a\n", "TOML"),
        ("threads = 1\n", "threads"),
        ('[a]\ntemplate = "nothing"\n', "nothing"),
        ("[a]\n", "template"),
        ('[a]\ntemplate = "local"\nthreads = "many"\n', "a.threads"),
        ('[a]\ntemplate = "local"\nthreads = 0\n', "a.threads"),
        ('[a]\ntemplate = "local"\nopset = 18\n', "a.opset"),
        ('[a]\ntemplate = "local"\ncolour = "red"\n', "a.colour"),
        ('[a]\ntemplate = "local"\nconnection = "pigeon"\n', "a.connection"),
        ('["a/../b"]\ntemplate = "local"\n', "a/../b"),
        ('[""]\ntemplate = "local"\n', "name"),
    ],
)
def test_a_wrong_file_is_named_with_the_field(tmp_path, text, word):
    write(tmp_path, text)
    with pytest.raises(DeviceError) as error:
        list_devices()
    assert word in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "devices.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DeviceError, match="TOML"):
        list_devices()


@given(st.text(max_size=12))
def test_a_device_name_is_always_one_plain_folder_name(name):
    try:
        Device(name=name, backend="onnxruntime", connection="local")
    except DeviceError:
        return
    assert name
    assert Path(name).name == name
    assert not name.startswith((".", "-", "_"))


def test_an_unknown_connection_names_the_file_to_correct():
    with pytest.raises(DeviceError) as error:
        connect(Device(name="a", backend="onnxruntime", connection="pigeon", source="devices.toml"))
    assert "devices.toml" in error.value.fix
