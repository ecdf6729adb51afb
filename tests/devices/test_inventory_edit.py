"""Devices written into devices.toml and taken out again; everything else in the file stays."""

from __future__ import annotations

import string
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.devices import load_device
from mosegedge.devices.inventory import Device
from mosegedge.devices.inventory_edit import add_device, remove_device
from mosegedge.errors import DeviceError

FILE = """\
# Boards of the lab. Ask before you use one.

# under the desk
[desk]
template = "rtx"   # the old card
address = "10.0.0.5"
description = '''
not a table:
[box]
'''

[ "quiet" ]
template = "local"
# threads of a quiet machine
threads = 2

[quiet.settings]   # provider below
provider = "CPUExecutionProvider"

# the end
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def file(folder):
    path = folder / "devices.toml"
    path.write_text(FILE)
    return path


def test_a_device_is_added_to_a_new_file(folder):
    values = {"template": "rtx", "address": "box.lan", "user": "me", "optimization_level": "5", "threads": "2"}
    found = add_device("box", values)
    assert (folder / "devices.toml").read_text() == (
        '[box]\ntemplate = "rtx"\naddress = "box.lan"\nuser = "me"\nthreads = 2\n'
        '\n[box.settings]\noptimization_level = "5"\n'
    )
    assert found.device == load_device("box")
    assert found.device.settings == {"optimization_level": "5"}
    assert found.origins["user"] == f"{folder / 'devices.toml'} [box]"


def test_the_users_file_is_another_one(folder):
    add_device("box", {"template": "local"}, user_config=True)
    assert not (folder / "devices.toml").exists()
    assert load_device("box").source == str(folder / "config/mosegedge/devices.toml")
    with pytest.raises(DeviceError, match="--user-config"):
        remove_device("box")
    remove_device("box", user_config=True)
    with pytest.raises(DeviceError, match="no device 'box'"):
        load_device("box")


def test_adding_and_removing_keeps_the_rest_to_the_byte(file):
    add_device("box", {"template": "rtx", "address": "box.lan", "cuda_graph": "off"})
    assert file.read_text().startswith(FILE + "\n[box]\n")
    assert remove_device("box") == file
    assert file.read_text() == FILE


def test_a_table_is_taken_out_with_its_settings_and_nothing_else(file):
    remove_device("quiet")
    text = file.read_text()
    assert text == FILE[: FILE.index('[ "quiet" ]')] + "# the end\n"
    remove_device("desk")
    assert file.read_text() == "# Boards of the lab. Ask before you use one.\n\n# under the desk\n\n# the end\n"


def test_a_device_is_replaced_where_it_stands(file):
    with pytest.raises(DeviceError) as error:
        add_device("quiet", {"template": "torch"})
    assert "--replace" in error.value.fix
    assert file.read_text() == FILE
    add_device("quiet", {"template": "torch", "mode": "eager"}, replace=True)
    before, after = FILE[: FILE.index('[ "quiet" ]')], FILE[FILE.index("\n# the end") :]
    assert file.read_text() == f'{before}[quiet]\ntemplate = "torch"\n\n[quiet.settings]\nmode = "eager"\n{after}'


@pytest.mark.parametrize(
    "text",
    [
        'a.template = "local"\nb.template = "local"\nb.threads = 3\n',
        'a = {template = "local"}\nb = {template = "local", threads = 3}\n',
        '[a]\ntemplate = "local"\n[b]\ntemplate = "local"\nthreads = 3\n[a.settings]\nprovider = "x"\n',
        '[b]\r\ntemplate = "local"\r\nthreads = 3\r\n\r\n[a]\r\ntemplate = "local"\r\n',
        '[b]\ntemplate = "local"\nthreads = 3\n[a]\ntemplate = "local"',
    ],
)
def test_other_ways_to_write_a_table_are_understood(folder, text):
    path = folder / "devices.toml"
    path.write_bytes(text.encode())
    add_device("a", {"template": "openvino", "device": "CPU"}, replace=True)
    assert load_device("a").settings == {"device": "CPU"}
    assert load_device("b").threads == 3
    remove_device("a")
    assert list(tomllib.loads(path.read_bytes().decode())) == ["b"]
    if "\r" in text:
        assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("box", {"template": "rtx"}, ["no address", "--address"]),
        ("box", {"address": "h"}, ["template", "rtx, jetson"]),
        ("box", {"template": "rtxx", "address": "h"}, ["'rtxx'", "rtx"]),
        ("box", {"template": "local", "backend": "nothing"}, ["'nothing'", "onnxruntime"]),
        ("box", {"template": "local", "threads": "many"}, ["[box] threads", "a whole number from 1 to 1024"]),
        ("box", {"template": "local", "threads": "0"}, ["[box] threads"]),
        ("box", {"template": "local", "precision": "fp64"}, ["[box] precision", "fp16"]),
        ("box", {"template": "local", "soc_version": "x"}, ["soc_version", "provider"]),
        ("box", {"template": "atlas200dk", "atc": "moon"}, ["'moon'", "board, host"]),
        ("../box", {"template": "local"}, ["../box"]),
        ("box", {"template": "local", "cache": "\udcff"}, ["UTF-8"]),
    ],
)
def test_what_the_loader_would_refuse_is_not_written(file, name, values, words):
    with pytest.raises(DeviceError) as error:
        add_device(name, values)
    for word in words:
        assert word in str(error.value)
    assert error.value.fix or error.value.known
    assert file.read_text() == FILE


def test_a_template_is_changed_by_a_table_of_its_name_and_not_removed(folder):
    with pytest.raises(DeviceError, match="built-in template") as error:
        remove_device("local")
    assert "mosegedge devices add local" in error.value.fix
    add_device("local", {"threads": "2"})
    assert load_device("local").threads == 2
    remove_device("local")
    assert load_device("local").threads == 1
    with pytest.raises(DeviceError, match=r"no table \[lokal\]"):
        remove_device("lokal")


def test_a_device_that_another_one_starts_from_is_kept(file):
    add_device("second", {"template": "desk"})
    before = file.read_text()
    with pytest.raises(DeviceError, match="desk cannot be taken out"):
        remove_device("desk")
    assert file.read_text() == before


def test_a_mistake_that_was_there_before_does_not_keep_others_from_being_changed(folder):
    path = folder / "devices.toml"
    path.write_text('[wrong]\ncolour = "red"\n')
    assert add_device("box", {"template": "local", "threads": "2"}).device.threads == 2
    remove_device("box")
    assert path.read_text() == '[wrong]\ncolour = "red"\n'
    add_device("wrong", {"template": "local"}, replace=True)
    assert load_device("wrong").backend == "onnxruntime"


def test_a_damaged_file_is_left_alone(folder):
    (folder / "devices.toml").write_text("[a\n")
    for change in (lambda: add_device("b", {"template": "local"}), lambda: remove_device("b")):
        with pytest.raises(DeviceError, match="TOML"):
            change()
    assert (folder / "devices.toml").read_text() == "[a\n"


def test_a_linked_file_stays_a_link(folder):
    (folder / "dotfiles.toml").write_text("# mine\n")
    (folder / "devices.toml").symlink_to(folder / "dotfiles.toml")
    add_device("a", {"template": "local"})
    assert (folder / "devices.toml").is_symlink()
    assert (folder / "dotfiles.toml").read_text().startswith("# mine\n\n[a]\n")


NAMES = st.text(string.ascii_letters + string.digits + "éΩ", min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(NAMES, TEXTS, TEXTS, st.sampled_from(["", "# a comment\n", FILE, FILE + "\n\n"]))
def test_any_text_is_written_and_read_back_and_removed(name, description, provider, before):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "devices.toml"
        if before:
            path.write_text(before)
        values = {"template": "local", "description": description, "provider": provider}
        device = add_device(name, values, folder=Path(place)).device
        assert (device.description, device.settings) == (description, {"provider": provider})
        assert isinstance(device, Device)
        remove_device(name, folder=Path(place))
        assert path.read_text() == before
