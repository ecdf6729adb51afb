"""Fixtures: keys, an empty home, a running sshd, and a device behind it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opensshd import SFTP_SERVER, SSHD, Home, Sshd, make_key, new_sshd

from mosegedge.devices import Device

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "profiling"), str(TESTS / "agents")]


@pytest.fixture(scope="session")
def keys(tmp_path_factory) -> Path:
    """Key pairs: `host`, `other_host`, `user`, `stranger`, `locked` (its passphrase is `sesame`)."""
    if SSHD is None or not SFTP_SERVER:
        pytest.fail("These tests talk to OpenSSH's own server: `make test` installs openssh-server.")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host", "other_host", "user", "stranger"):
        make_key(folder / name)
    make_key(folder / "locked", passphrase="sesame")
    lines = [(folder / f"{name}.pub").read_text() for name in ("user", "locked")]
    (folder / "authorized").write_text("".join(lines))
    return folder


@pytest.fixture
def home(tmp_path, keys, monkeypatch) -> Home:
    """An empty home with the user's key in it; no ssh-agent."""
    home = Home(tmp_path / "home")
    home.ssh.mkdir(parents=True, mode=0o700)
    shutil.copy(keys / "user", home.ssh / "id_ed25519")
    monkeypatch.setenv("HOME", str(home.folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def sshd(tmp_path, keys) -> Iterator[Sshd]:
    """A running sshd whose key nobody knows yet."""
    server = new_sshd(
        tmp_path / "sshd",
        keys,
        HOME=str(tmp_path / "remote home"),
        MOSEGEDGE_LOCK=str(tmp_path / "lock"),
    )
    (tmp_path / "remote home").mkdir()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def board(sshd, home) -> Device:
    """A device behind that sshd, whose key is known."""
    home.known_hosts.write_text(sshd.key_line)
    return Device(
        name="board",
        backend="onnxruntime",
        connection="ssh",
        address="127.0.0.1",
        port=sshd.port,
        interpreter=sys.executable,
        source="devices.toml",
    )
