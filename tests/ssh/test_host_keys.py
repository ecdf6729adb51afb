"""A machine that is not known to be the right one gets nothing, not even a login name."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mosegedge.devices import connect
from mosegedge.errors import DeviceError


def fingerprint(key: Path) -> str:
    return subprocess.run(
        ["ssh-keygen", "-lf", f"{key}.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]


def log(sshd) -> str:
    return (sshd.folder / "log").read_text()


def refused(device, sshd, *, accept: bool = False) -> DeviceError:
    with pytest.raises(DeviceError) as error, connect(device, accept_new_host_key=accept):
        pass
    assert "nothing was sent" in error.value.what
    assert "Accepted" not in log(sshd)
    assert "publickey" not in log(sshd)
    return error.value


def test_an_unknown_key_stops_with_its_fingerprint_and_the_next_command(board, sshd, home, keys):
    home.known_hosts.unlink()
    error = refused(board, sshd)
    assert fingerprint(keys / "host") in error.what
    assert str(home.known_hosts) in error.known
    assert f"[127.0.0.1]:{sshd.port}" in error.known
    assert "--accept-new-host-key" in error.fix


def test_a_new_key_is_accepted_once_and_remembered(board, sshd, home):
    home.known_hosts.write_text("other.host ssh-ed25519 AAAA")  # no end of line
    with connect(board, accept_new_host_key=True):
        pass
    assert home.known_hosts.read_text() == "other.host ssh-ed25519 AAAA\n" + sshd.key_line
    with connect(board):
        pass


def test_the_first_file_of_known_hosts_is_made_for_its_owner_alone(board, home):
    shutil.rmtree(home.ssh)
    home.ssh.mkdir()
    with pytest.raises(DeviceError, match="refuses the login"), connect(board, accept_new_host_key=True):
        pass
    assert home.known_hosts.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("accept", [False, True])
def test_a_changed_key_stops_whatever_was_asked_for(board, sshd, home, keys, accept):
    other = (keys / "other_host.pub").read_text().split()
    line = f"[127.0.0.1]:{sshd.port} {other[0]} {other[1]}\n"
    home.known_hosts.write_text("# a comment\n" + line)
    error = refused(board, sshd, accept=accept)
    assert fingerprint(keys / "host") in error.what
    assert fingerprint(keys / "other_host") in error.known
    assert f"{home.known_hosts} line 2" in error.known
    assert f"ssh-keygen -f {home.known_hosts} -R '[127.0.0.1]:{sshd.port}'" in error.fix
    assert home.known_hosts.read_text() == "# a comment\n" + line


def test_a_key_of_another_type_does_not_count_as_unknown(board, sshd, home, keys):
    rsa = Path(f"{keys}/rsa_host")
    if not rsa.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(rsa)], check=True)
    kind, key = Path(f"{rsa}.pub").read_text().split()[:2]
    home.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    assert "has changed" in refused(board, sshd, accept=True).what
    sshd.stop()
    sshd.lines = (*sshd.lines, f"HostKey {rsa}")
    sshd.start()
    with connect(board):  # of the two keys it shows the one that is known
        pass


def test_a_revoked_key_stops_even_if_another_line_trusts_it(board, sshd, home):
    home.known_hosts.write_text(sshd.key_line + "@revoked " + sshd.key_line)
    assert "was revoked" in refused(board, sshd, accept=True).what


@pytest.mark.parametrize("pattern", ["[127.0.0.*]:{port}", "[other]:1,[127.0.0.?]:{port}", "*"])
def test_patterns_of_names_are_understood(board, sshd, home, pattern):
    rest = sshd.key_line.split(" ", 1)[1]
    home.known_hosts.write_text(f"{pattern.format(port=sshd.port)} {rest}")
    with connect(board):
        pass


def test_an_exception_from_a_pattern_is_understood(board, sshd, home):
    rest = sshd.key_line.split(" ", 1)[1]
    home.known_hosts.write_text(f"*,![127.0.0.1]:{sshd.port} {rest}")
    assert "is unknown" in refused(board, sshd).what


def test_hashed_names_are_understood_and_written(board, sshd, home):
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(home.known_hosts)], check=True, capture_output=True)
    assert "127.0.0.1" not in home.known_hosts.read_text()
    with connect(board):
        pass
    home.known_hosts.unlink()
    home.config("HashKnownHosts yes\n")
    with connect(board, accept_new_host_key=True):
        pass
    assert home.known_hosts.read_text().startswith("|1|")
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{sshd.port}", "-f", str(home.known_hosts)], capture_output=True, check=True
    )
    assert found.stdout


def test_a_certificate_authority_is_not_read_and_that_is_said(board, sshd, home):
    home.known_hosts.write_text("@cert-authority " + sshd.key_line)
    assert "certificates" in refused(board, sshd).known


def test_files_of_the_configuration_are_read(board, sshd, home, tmp_path):
    home.known_hosts.rename(tmp_path / "elsewhere")
    home.config(f"UserKnownHostsFile {tmp_path}/none {tmp_path}/elsewhere\n")
    with connect(board):
        pass
    home.config(f"UserKnownHostsFile none\nGlobalKnownHostsFile {tmp_path}/elsewhere\n")
    with connect(board):
        pass


def test_an_alias_of_the_host_key_is_used(board, sshd, home):
    home.known_hosts.write_text("my-board " + sshd.key_line.split(" ", 1)[1])
    home.config("Host 127.0.0.1\n HostKeyAlias my-board\n")
    with connect(replace(board)):
        pass
