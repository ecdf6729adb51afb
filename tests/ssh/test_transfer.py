"""Files on a device: whole or not at all, sent once, and a clear word when the device cannot keep them."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from opensshd import SFTP_SERVER, new_sshd

import device_agents.transfer
from mosegedge.devices import connect
from mosegedge.errors import DeviceError

SMALL, LARGE = b"content", bytes(range(256)) * 8192  # read back, and compared there


@pytest.fixture(params=["sftp", "interpreter"])
def way(request, tmp_path, keys, home, board, monkeypatch):
    """A device with SFTP, and one without."""
    lines = [] if request.param == "sftp" else ["Subsystem none /bin/false"]
    server = new_sshd(tmp_path / "other", keys, *lines, HOME=str(tmp_path / "remote home"))
    server.start()
    home.known_hosts.write_text(server.key_line)
    yield replace(board, port=server.port, cache=str(tmp_path / "cache"))
    server.stop()


@pytest.mark.parametrize("content", [b"", SMALL, LARGE])
def test_what_was_put_is_got_and_nothing_else_is_left(way, content, tmp_path):
    with connect(way) as connection:
        path = f"{connection.cache}/a folder/it's"
        connection.put(content, path)
        written = Path(path).stat()
        connection.put(content, path)
        assert Path(path).stat().st_ino == written.st_ino, "it was there already"
        connection.put(content + b"more", path)
        assert connection.get(path) == content + b"more"
        assert [file.name for file in Path(path).parent.iterdir()] == ["it's"]


def test_a_file_that_is_not_there_is_named(way, tmp_path):
    with connect(way) as connection:
        with pytest.raises(DeviceError, match=r"/absent .*No such file"):
            connection.get(f"{tmp_path}/absent")
        connection.put(SMALL, f"{tmp_path}/still works")


def test_a_folder_that_cannot_be_written_is_named(way, tmp_path):
    (tmp_path / "cache").write_text("this is no folder")
    with connect(way) as connection, pytest.raises(DeviceError) as error:
        connection.put(SMALL, f"{connection.cache}/models/x")
    assert f"{tmp_path}/cache/models/x cannot be written" in error.value.what
    assert "cache" in error.value.fix


@pytest.mark.parametrize("subsystem", [True, False])
def test_a_full_disk_is_named_with_what_is_free_and_leaves_nothing(subsystem, tmp_path, keys, home, board, monkeypatch):
    """A limit on the size of files stands in for the disk; what is free is told by the interpreter there."""
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -f 1000\ntrap "" XFSZ\nexec {SFTP_SERVER}\n')
    interpreter = tmp_path / "python"
    full = "import os; os.statvfs = lambda path: os.statvfs_result((4096, 4096, 9, 9, 3, 9, 9, 9, 0, 255))"
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(full)
    interpreter.write_text(
        f'#!/bin/sh\nulimit -f 1000\ntrap "" XFSZ\nPYTHONPATH={tmp_path}/site exec {board.interpreter} "$@"\n'
    )
    for program in (limited, interpreter):
        program.chmod(0o755)
    name = "sftp" if subsystem else "none"
    server = new_sshd(tmp_path / "other", keys, f"Subsystem {name} {limited}", HOME=str(tmp_path))
    server.start()
    home.known_hosts.write_text(server.key_line)
    try:
        with connect(replace(board, port=server.port, interpreter=str(interpreter))) as connection:
            with pytest.raises(DeviceError, match="disk of board is full") as error:
                connection.put(LARGE, f"{tmp_path}/models/x")
            assert f"0.0 MiB are free in {tmp_path}/models" in error.value.what
            assert "2.0 MiB are needed" in error.value.what
            assert list((tmp_path / "models").iterdir()) == []
            connection.put(SMALL, f"{tmp_path}/models/x")
    finally:
        server.stop()


def test_what_runs_on_the_device_can_be_read_by_an_old_python():
    ast.parse(Path(device_agents.transfer.__file__).read_text(), feature_version=(3, 6))
