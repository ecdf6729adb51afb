"""Devices from templates and devices.toml."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.devices import list_devices, load_device
from mosegedge.devices.backends import get_backend
from mosegedge.devices.connection import connect
from mosegedge.devices.devices_file import checked_table
from mosegedge.devices.inventory import Device, find_definition, mistakes, read_inventory, template_names
from mosegedge.errors import DeviceError

TEMPLATES = [
    "local",
    "openvino",
    "torch",
    "cuda",
    "torch-cuda",
    "simulated",
    "rtx",
    "jetson",
    "atlas200dk",
    "atlas200i-dk-a2",
    "raspberrypi",
]
WITHOUT_ADDRESS = {"rtx", "jetson", "raspberrypi"}


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


def test_the_templates_are_these():
    assert template_names() == [device.name for device in list_devices()] == TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_a_table_that_a_user_could_write(name):
    text = (resources.files("mosegedge.devices") / "templates.toml").read_text()
    table = tomllib.loads(text)[name]
    assert checked_table(name, table, Path("templates.toml")) == table
    device = find_definition(name).device
    assert device.description
    assert set(get_backend(device.backend).checked_settings(device.settings, name)) >= set(device.settings)
    assert (device.connection == "ssh") == (name in {"rtx", "jetson", "atlas200dk", "atlas200i-dk-a2", "raspberrypi"})
    for listed in (device.address, device.environment, device.interpreter):
        assert all(part == part.strip() != "" for part in listed.split(",")) or not listed


def test_the_atlas_is_found_at_its_factory_addresses_with_nothing_configured():
    device = load_device("atlas200dk")
    assert device.address.split(",") == ["192.168.1.2", "192.168.0.2"]
    assert (device.user, device.backend, device.opset, device.precision) == ("HwHiAiUser", "ascend", 11, "fp16")
    assert device.settings == {"soc_version": "Ascend310"}
    assert load_device("atlas200i-dk-a2").settings == {"soc_version": "Ascend310B4"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_usable_or_says_which_two_lines_to_write_and_where(name, tmp_path):
    if name not in WITHOUT_ADDRESS:
        assert load_device(name).name == name
        return
    with pytest.raises(DeviceError) as error:
        load_device(name)
    lines = [line.strip() for line in error.value.fix.splitlines()]
    assert str(tmp_path / "devices.toml") in lines[0]
    assert lines[1] == f"[{name}]"
    write(tmp_path, "\n".join(lines[1:]))
    assert load_device(name).address == "192.168.1.20"


def test_a_table_without_an_address_is_told_where_it_is_written(tmp_path):
    write(tmp_path, '[lab]\ntemplate = "rtx"\naddress = " , "\n')
    with pytest.raises(DeviceError) as error:
        load_device("lab")
    assert "[lab]" in error.value.fix
    assert "already" in error.value.fix
    assert "lab" in [device.name for device in list_devices()]


def test_settings_are_inherited_one_by_one_but_not_from_another_backend(tmp_path):
    write(
        tmp_path,
        '[mine]\ntemplate = "atlas200i-dk-a2"\n[mine.settings]\natc = "host"\n'
        '[other]\ntemplate = "mine"\nbackend = "onnxruntime"\n[other.settings]\nprovider = "CANNExecutionProvider"\n',
    )
    assert load_device("mine").settings == {"soc_version": "Ascend310B4", "atc": "host"}
    assert load_device("other").settings == {"provider": "CANNExecutionProvider"}


def test_every_field_knows_where_it_comes_from(tmp_path):
    write(tmp_path / "config" / "mosegedge", '[box]\ntemplate = "rtx"\naddress = "10.0.0.1"\nport = 22\n')
    write(tmp_path, '[box]\naddress = "10.0.0.2"\n[box.settings]\ncuda_graph = "off"\n')
    found = find_definition("box")
    project, user = f"{tmp_path / 'devices.toml'} [box]", f"{tmp_path / 'config/mosegedge/devices.toml'} [box]"
    assert found.device.address == "10.0.0.2"
    assert found.origins["address"] == found.origins["settings.cuda_graph"] == project
    assert found.origins["port"] == user
    assert found.origins["precision"] == "template rtx"
    assert "threads" not in found.origins


def test_a_change_can_be_tried_before_it_is_written(tmp_path):
    path = tmp_path / "devices.toml"
    assert read_inventory(instead={path: '[a]\ntemplate = "local"\nthreads = 2\n'}).usable["a"].device.threads == 2
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('backend = "tensorr"', ["tensorr", "'tensorrt'", "onnxruntime"]),
        ('[a.settings]\nprovidr = "x"', ["providr", "provider", "devices.toml: [a]"]),
        ('backend = "torch"\n[a.settings]\nmode = "fast"', ["'fast'", "eager, graph"]),
        ('connection = "pigeon"', ["[a] connection", "local, ssh"]),
    ],
)
def test_an_unknown_backend_setting_or_value_is_answered_with_the_known_ones(tmp_path, text, words):
    write(tmp_path, f'[a]\ntemplate = "local"\n{text}\n')
    with pytest.raises(DeviceError) as error:
        load_device("a")
    for word in words:
        assert word in str(error.value)


def test_a_backend_that_is_not_installed_does_not_keep_other_devices_from_working(tmp_path):
    write(tmp_path, '[a]\ntemplate = "local"\nbackend = "absent"\n')
    assert load_device("local").name == "local"


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
    assert "'jetson'" in error.value.fix
    assert "[jetsn]" in error.value.fix


@pytest.mark.parametrize(
    ("text", "device", "said"),
    [
        ("threads = 1\n", "threads", "threads = 1 belongs to no device."),
        ('[a]\ntemplate = "nothing"\n', "a", "'nothing', which does not exist."),
        ('[a]\ntemplate = "raspberypi"\n', "a", 'Write template = "raspberrypi" in [a].'),
        ("[a]\n", "a", "the template 'a', which does not exist."),
        ('[a]\ntemplate = "local"\nthreads = "many"\n', "a", 'line 3: [a] threads is "many"; it has to be'),
        ('[a]\ntemplate = "local"\nthreads = 0\n', "a", "threads is 0; it has to be a whole number from 1 to 1024."),
        ("[a]\nthreads = true\n", "a", "line 2: [a] threads is true; it has to be a whole number"),
        ('[a]\ntemplate = "local"\nopset = 18\n', "a", "[a] opset is 18; it has to be a whole number from 11 to 17."),
        ('# [a]\n["a"]\nthread = 2\n', "a", "line 3: [a] thread: a device has no field of this name."),
        ('[a]\nthread = 2\n', "a", "Did you mean threads?"),
        ('[a]\nsoc_version = "x"\n', "a", "What only its backend knows goes below [a.settings]."),
        ("[a]\naddress = 10.0\n", "a", "[a] address is 10.0; it has to be a text in quotes."),
        ('[a]\nprecision = "fp61"\n', "a", 'one of fp32, fp16, bf16, int8. Did you mean "fp16"?'),
        ('[a]\nsettings = "x"\n', "a", "it has to be a table of its own"),
        ("[b]\nmode = 3\n[a.settings]\nmode = 3\n", "a", "line 4: [a.settings] mode is 3; it has to be a text"),
        ('["a/../b"]\ntemplate = "local"\n', "a/../b", "'a/../b' is no name for a device."),
        ('[""]\ntemplate = "local"\n', "", "'' is no name for a device."),
        ('[base]\nthreads = 0\n[a]\ntemplate = "base"\n', "a", "starts from base, which cannot be used."),
        ('[local]\nthreads = 0\n', "local", "threads is 0"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_named_in_plain_words_and_keeps_no_other_device_from_working(tmp_path, text, device, said):
    write(tmp_path, f'{text}[good]\ntemplate = "openvino"\nthreads = 2\n')
    with pytest.raises(DeviceError) as error:
        load_device(device)
    assert said in str(error.value)
    assert str(tmp_path / "devices.toml") in error.value.what
    assert load_device("good").threads == 2
    listed = [found.name for found in list_devices()]
    assert "good" in listed
    assert device not in listed
    assert str(mistakes()[device]) == str(error.value)


def test_a_table_of_the_project_replaces_a_wrong_one_of_the_user_unless_it_starts_from_that(tmp_path):
    write(tmp_path / "config/mosegedge", '[a]\ntemplate = "local"\nthreads = 0\n')
    write(tmp_path, '[a]\ntemplate = "local"\nthreads = 2\n')
    assert load_device("a").threads == 2
    assert mistakes() == {}
    write(tmp_path, "[a]\nthreads = 2\n")
    with pytest.raises(DeviceError, match="starts from a, which cannot be used"):
        load_device("a")


def test_a_file_that_is_no_toml_is_an_error(tmp_path):
    write(tmp_path, "[a\n")
    with pytest.raises(DeviceError, match="TOML"):
        load_device("local")


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
