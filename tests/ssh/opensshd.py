"""OpenSSH's own sshd on loopback, with its own keys and configuration, and a home folder for the host's side.

sshd lets in the account that runs the tests, and no other. Started by root it also wants /run/sshd, which the system's
own service makes when it starts; nothing else is made outside of temporary folders.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SFTP_SERVER = next(
    (path for path in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server") if Path(path).exists()), ""
)
USER = getpass.getuser()


def make_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Sshd:
    """One sshd; `lines` are added to its configuration, `remote` is the environment of what it starts."""

    folder: Path
    host_key: Path
    authorized: Path
    port: int = field(default_factory=free_port)
    lines: tuple[str, ...] = ()
    remote: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def key_line(self) -> str:
        """What a file of known hosts says of it."""
        kind, key = Path(f"{self.host_key}.pub").read_text().split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def start(self) -> None:
        remote = {"MOSEGEDGE_CORES": "all", **self.remote}  # like all tests (conftest.py)
        environment = " ".join(f'"{name}={value}"' for name, value in remote.items())
        settings = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"PidFile {self.folder}/pid",
            f"AuthorizedKeysFile {self.authorized}",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 100:30:200",
            "LogLevel VERBOSE",
            f"SetEnv {environment}",
            *self.lines,
        ]
        if not any(line.startswith("Subsystem") for line in self.lines):
            settings.append(f"Subsystem sftp {SFTP_SERVER}")
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text("\n".join(settings) + "\n")
        log = self.folder / "log"
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=stream, start_new_session=True
            )
        while not self._answers():
            assert self.process.poll() is None, f"sshd did not start: {log.read_text()}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends sshd and all of its conversations, as a reboot does; the programs that it started live on."""
        if self.process is None:
            return
        for pid in (*sessions(self.process.pid), self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            return probe.recv(4) == b"SSH-"
        return False


def sessions(sshd: int) -> list[int]:
    """The processes of sshd that carry its conversations: its descendants that are sshd themselves."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                parents[int(entry.name)] = (int(rest.split()[1]), name)
    found: list[int] = []
    wanted = {sshd}
    while wanted:
        wanted = {pid for pid, (parent, name) in parents.items() if parent in wanted and name.startswith("sshd")}
        found += wanted
    return found


@dataclass
class Home:
    """The home folder of the user who runs mosegedge."""

    folder: Path

    @property
    def ssh(self) -> Path:
        return self.folder / ".ssh"

    @property
    def known_hosts(self) -> Path:
        return self.ssh / "known_hosts"

    def config(self, text: str) -> None:
        (self.ssh / "config").write_text(text)


def new_sshd(folder: Path, keys: Path, *lines: str, host_key: str = "host", **remote: str) -> Sshd:
    return Sshd(folder, keys / host_key, keys / "authorized", lines=lines, remote=remote)
