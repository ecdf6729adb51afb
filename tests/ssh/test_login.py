"""Where a device is and who logs in: devices.toml, ~/.ssh/config, keys, prompts."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opensshd import USER, Sshd, free_port, make_key, new_sshd

from mosegedge.devices import Device, connect
from mosegedge.devices.ssh.config import targets_of
from mosegedge.errors import ConnectionLostError, DeviceError


def works(device) -> bool:
    with connect(device) as connection:
        return connection.run(["-c", "pass"]).wait(20) == 0


def test_an_alias_of_the_configuration_gives_name_port_user_and_key(board, sshd, home, keys):
    (home.ssh / "id_ed25519").unlink()
    home.config(
        f"Host lab-*\n HostName 127.0.0.1\n Port {sshd.port}\n User {USER}\n IdentityFile {keys}/user\n"
        "Host *\n User nobody-at-all\n Port 1\n"
    )
    assert works(replace(board, address="lab-board", port=0))


def test_what_devices_toml_says_wins(board, home, keys):
    (home.ssh / "id_ed25519").unlink()
    home.config("Host *\n Port 1\n User nobody-at-all\n IdentityFile /absent\n")
    assert works(replace(board, user=USER, identity=str(keys / "user")))


def test_included_files_apply_where_they_are_included(board, sshd, home):
    (home.ssh / "conf.d").mkdir()
    (home.ssh / "conf.d" / "board").write_text(f"Host there\n HostName 127.0.0.1\n Port {sshd.port}\n")
    home.config("Include conf.d/*\nConnectTimeout 3\nHost else\n HostName 192.0.2.1\n")
    assert works(replace(board, address="there", port=0))
    (home.ssh / "conf.d" / "board").write_text("Include conf.d/board\n")
    with pytest.raises(DeviceError, match="included by itself"):
        works(board)


def test_machines_on_the_way_are_logged_in_to_as_well(board, sshd, home):
    jump = f"Host jump1 jump2\n HostName 127.0.0.1\n Port {sshd.port}\n"
    home.config(jump + f"Host board\n HostName 127.0.0.1\n Port {sshd.port}\n ProxyJump jump1,jump2\n")
    there = replace(board, address="board", port=0)
    assert works(there)
    (target,) = targets_of(there)
    assert (target.via.name, target.via.via.name, target.via.via.via) == ("jump2", "jump1", None)
    assert (sshd.folder / "log").read_text().count("Accepted publickey") == 3


def test_the_host_key_of_a_machine_on_the_way_is_checked(board, sshd, home, tmp_path, keys):
    first = new_sshd(tmp_path / "first", keys, host_key="other_host")
    first.start()
    try:
        home.config(f"Host 127.0.0.1\n ProxyJump localhost:{first.port}\n")
        home.known_hosts.write_text(sshd.key_line)
        with pytest.raises(DeviceError, match="host key of localhost is unknown"), connect(board):
            pass
        assert "Accepted" not in (first.folder / "log").read_text()
    finally:
        first.stop()


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ("Host 127.0.0.1\n ProxyJump a\nHost a\n ProxyJump 127.0.0.1\n", "circle"),
        ("Host 127.0.0.1\n ProxyJump a:b\n", "no host or host:port"),
        ("Host 127.0.0.1\n ProxyCommand nc %h %p | tee log\n", "needs a shell"),
        ("Host\n", "cannot be used"),
        ("Host 127.0.0.1\n Port x\n", "Port"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_named(board, home, lines, word):
    home.config(lines)
    with pytest.raises(DeviceError) as error:
        works(replace(board, port=0))
    assert word.lower() in str(error.value).lower()
    assert str(home.ssh / "config") in str(error.value)


def test_a_program_leads_to_the_device(board, sshd, home, tmp_path):
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import os, select, socket, sys\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "while True:\n"
        "    for f in select.select([0, s], [], [])[0]:\n"
        "        data = os.read(0, 65536) if f == 0 else s.recv(65536)\n"
        "        if not data: sys.exit()\n"
        "        s.sendall(data) if f == 0 else os.write(1, data)\n"
    )
    home.config(f"Host 127.0.0.1\n ProxyCommand {sys.executable} {relay} %h %p\n")
    assert works(board)
    home.config("Host 127.0.0.1\n ProxyCommand false\n")
    with pytest.raises(ConnectionLostError, match="does not answer"):
        works(board)


def test_a_key_that_does_not_fit_is_told_with_what_to_do(board, sshd, home, keys):
    shutil.copy(keys / "stranger", home.ssh / "id_ed25519")
    with pytest.raises(DeviceError, match="refuses the login") as error:
        works(board)
    assert str(home.ssh / "id_ed25519") in error.value.known
    assert "accepts: publickey" in error.value.known
    assert f"ssh-copy-id -p {sshd.port} {USER}@127.0.0.1" in error.value.fix


def test_a_locked_key_without_a_terminal_says_so(board, home, keys):
    shutil.copy(keys / "locked", home.ssh / "id_ed25519")
    code = (
        "import os, sys; os.setsid()\nfrom mosegedge.devices import Device, connect\n"
        "from mosegedge.errors import DeviceError\n"
        "board = Device(name='b', backend='x', connection='ssh', address='127.0.0.1', port=int(sys.argv[1]))\n"
        "try: connect(board).__enter__()\nexcept DeviceError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(board.port)], capture_output=True, text=True, timeout=60)
    assert "locked by a passphrase" in shown.stdout
    assert "no terminal" in shown.stdout
    assert "ssh-add" in shown.stdout
    assert not shown.stderr


def test_a_passphrase_is_asked_for_once_on_the_terminal_and_never_shown(board, home, keys):
    shutil.copy(keys / "locked", home.ssh / "id_ed25519")
    child, terminal = pty.fork()
    if child == 0:
        status = 1
        try:
            connection = connect(board)
            for _ in range(2):  # the second time nobody is asked
                with connection:
                    pass
            status = 0
        finally:
            os._exit(status)
    shown = b""
    while not shown.endswith(b"to skip it: "):
        shown += read_terminal(terminal)
    os.write(terminal, b"wrong\n")
    while shown.count(b"to skip it: ") < 2:
        shown += read_terminal(terminal)
    os.write(terminal, b"sesame\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert status == 0, shown
    assert b"sesame" not in shown
    assert b"Passphrase of" in shown


def read_terminal(terminal: int) -> bytes:
    assert select.select([terminal], [], [], 60)[0]
    return os.read(terminal, 1000)


@pytest.fixture
def agent(home, monkeypatch) -> Iterator[Callable[..., None]]:
    """An ssh-agent of one's own; adds key files to it."""
    socket_path = home.folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_path)], stdout=subprocess.DEVNULL)
    while not socket_path.exists():
        assert process.poll() is None
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket_path))

    def add(*paths: Path) -> None:
        subprocess.run(["ssh-add", "-q", *map(str, paths)], check=True, capture_output=True)

    yield add
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def strangers(tmp_path_factory) -> list[Path]:
    """Keys that no server knows."""
    folder = tmp_path_factory.mktemp("strangers")
    return [make_key(folder / f"stranger{number}") for number in range(5)]


@contextlib.contextmanager
def strict(tmp_path, keys, home, board, tries: int) -> Iterator[tuple[Sshd, Device]]:
    """A server that hangs up after so many failures, and the device behind it."""
    server = new_sshd(
        tmp_path / "strict", keys, f"MaxAuthTries {tries}", HOME=str(tmp_path), MOSEGEDGE_LOCK=str(tmp_path / "lock")
    )
    server.start()
    home.known_hosts.write_text(server.key_line)
    try:
        yield server, replace(board, port=server.port)
    finally:
        server.stop()


def test_keys_of_the_agent_are_used(board, home, keys, agent):
    (home.ssh / "id_ed25519").unlink()
    agent(keys / "user")
    assert works(board)
    home.config("IdentityAgent none\n")
    with pytest.raises(DeviceError, match="refuses"):
        works(board)


def test_many_keys_leave_room_for_a_password(board, home, keys, tmp_path, agent, strangers):
    agent(*strangers)
    shutil.copy(keys / "stranger", home.ssh / "id_ed25519")
    with (
        strict(tmp_path, keys, home, board, 6) as (server, device),
        pytest.raises(DeviceError, match="refuses the login") as error,
    ):
        works(device)
    assert not isinstance(error.value, ConnectionLostError)
    assert "3 more keys were left out" in error.value.known
    assert (server.folder / "log").read_text().count("Failed publickey") == 3


def test_a_server_that_hangs_up_at_a_third_key_did_answer(board, home, keys, tmp_path, agent, strangers):
    agent(*strangers)
    with (
        strict(tmp_path, keys, home, board, 3) as (_, device),
        pytest.raises(ConnectionLostError) as error,
    ):
        works(device)
    assert error.value.what.startswith("board closed the connection during the login of ")
    assert error.value.what.endswith("after 3 keys.")
    assert "ssh-agent's stranger0" in error.value.known
    assert "identity =" in error.value.fix
    assert "ssh-copy-id" in error.value.fix
    assert "cable" not in str(error.value)


@pytest.mark.parametrize("place", ["file", "locked, but in the agent"])
def test_the_key_that_was_asked_for_is_the_first(board, home, keys, tmp_path, agent, strangers, place):
    agent(*strangers)
    (home.ssh / "id_ed25519").unlink()
    identity = keys / "user"
    if place != "file":
        agent(identity)
        identity = home.ssh / "mine"
        shutil.copy(keys / "user", identity)
        shutil.copy(keys / "user.pub", home.ssh / "mine.pub")
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open", "-f", str(identity)], check=True, capture_output=True)
    with strict(tmp_path, keys, home, board, 2) as (server, device):
        assert works(replace(device, identity=str(identity)))
    assert "Failed publickey" not in (server.folder / "log").read_text()


def test_a_key_in_two_places_is_offered_once(board, sshd, home, keys, agent):
    agent(keys / "stranger")
    shutil.copy(keys / "stranger", home.ssh / "id_ed25519")
    with pytest.raises(DeviceError, match="refuses the login"):
        works(board)
    assert (sshd.folder / "log").read_text().count("Failed publickey") == 1


def test_addresses_are_tried_in_order_and_the_one_that_answers_is_remembered(board):
    device = replace(board, address="no-such-host.invalid, 127.0.0.1")
    with connect(device) as connection:
        assert connection.run(["-c", "pass"]).wait(20) == 0


def test_a_device_that_does_not_answer_says_what_was_tried_and_what_to_write(board):
    closed = free_port()
    device = replace(board, address="127.0.0.1,no-such-host.invalid", port=closed)
    with pytest.raises(ConnectionLostError) as error:
        works(device)
    assert "Connection refused" in error.value.known
    assert "no-such-host.invalid" in error.value.known
    assert '[board]\naddress = "..."' in error.value.fix


def test_a_key_file_that_is_missing_or_no_key_is_named(board, tmp_path):
    with pytest.raises(DeviceError, match="does not exist"):
        works(replace(board, identity=str(tmp_path / "absent")))
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(DeviceError, match="no private key"):
        works(replace(board, identity=str(tmp_path / "text")))
    assert Path(tmp_path, "text").exists()
