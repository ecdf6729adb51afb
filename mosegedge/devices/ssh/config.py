"""Where a device is and how to log in: devices.toml first, then ~/.ssh/config, then what ssh itself would assume.

In: a Device. Out: one `Target` for each of its addresses, with the machines on the way to it. Known from ~/.ssh/config
are HostName, User, Port, IdentityFile, IdentitiesOnly, IdentityAgent none, ProxyJump, ProxyCommand, HostKeyAlias,
HashKnownHosts, UserKnownHostsFile, GlobalKnownHostsFile, Include, and Host and Match blocks. StrictHostKeyChecking is
not: a host key is always checked.
"""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError

SSH_PORT = 22
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_SHELL_CHARACTERS = frozenset("|&;<>()$`\\\"'*?[]#~{}")
_DEEPEST_INCLUDE = 16
_MOST_JUMPS = 8


@dataclass(frozen=True, kw_only=True)
class Target:
    """One machine to log in to.

    Attributes:
        name: What the user calls it.
        host: Name or address to connect to.
        port: Its port.
        user: Login name.
        identities: Private key files that were asked for.
        default_identities: Those that ssh would try unasked.
        use_agent: Whether the keys of ssh-agent are tried too.
        known_as: Its name in the files of known hosts.
        user_known_hosts: Files of known hosts; a new key goes into the first.
        system_known_hosts: Files of known hosts that belong to the system.
        hash_names: Whether a new entry hides the name of the host.
        via: The machine through which it is reached.
        proxy_command: Program whose stdin and stdout lead to it.
    """

    name: str
    host: str
    port: int
    user: str
    identities: tuple[Path, ...]
    default_identities: tuple[Path, ...]
    use_agent: bool
    known_as: str
    user_known_hosts: tuple[Path, ...]
    system_known_hosts: tuple[Path, ...]
    hash_names: bool
    via: Target | None
    proxy_command: tuple[str, ...]

    @property
    def where(self) -> str:
        """Login, address and port, for messages."""
        jump = f" through {self.via.where}" if self.via else ""
        return f"{self.user}@{self.host} port {self.port}{jump}"


def targets_of(device: Device) -> list[Target]:
    """The addresses of a device in the order in which they are tried.

    Raises:
        DeviceError: There is none, ~/.ssh/config cannot be read, or the key file does not exist.
    """
    addresses = [part.strip() for part in device.address.split(",") if part.strip()]
    if not addresses:
        raise DeviceError(
            f"The device {device.name} has no address.",
            fix=f'Write two lines into devices.toml: [{device.name}] and address = "..."',
        )
    config = _Config(Path.home() / ".ssh" / "config")
    identity = Path(device.identity).expanduser() if device.identity else None
    if identity is not None and not identity.is_file():
        raise DeviceError(
            f"The key file {identity} of the device {device.name} does not exist.",
            fix=f"Correct `identity` in {device.source}, or make one: ssh-keygen -t ed25519 -f {identity}",
        )
    found = [
        config.target(address, user=device.user, port=device.port, identity=identity, trail=()) for address in addresses
    ]
    return [replace(target, name=device.name) for target in found]


class _Config:
    """The user's ~/.ssh/config; an absent file is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._text = "\n".join(_lines(path, "Host *", 0)) if path.is_file() else ""
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def target(self, alias: str, *, user: str, port: int, identity: Path | None, trail: tuple[str, ...]) -> Target:
        """Resolves one machine and those on the way to it."""
        if alias in trail or len(trail) > _MOST_JUMPS:
            raise DeviceError(
                f"The way to {trail[0]} goes in a circle: {', '.join((*trail, alias))}.",
                fix=f"Correct ProxyJump in {self._path}.",
            )
        found = self._lookup(alias, user, port)
        host = str(found.get("hostname", alias))
        given = str(found.get("port", SSH_PORT))
        if not given.isdigit():
            raise self._unusable(ValueError(f"Port {given} is no number"))
        port = int(given)
        named = str(found.get("hostkeyalias", host)).lower()
        asked = [identity] if identity else [Path(name).expanduser() for name in found.get("identityfile", ())]
        folder = Path.home() / ".ssh"
        return Target(
            name=alias,
            host=host,
            port=port,
            user=str(found.get("user") or getpass.getuser()),
            identities=tuple(asked),
            default_identities=() if asked else tuple(folder / name for name in _DEFAULT_KEYS),
            use_agent=found.get("identitiesonly") != "yes" and found.get("identityagent") != "none",
            known_as=named if port == SSH_PORT or "hostkeyalias" in found else f"[{named}]:{port}",
            user_known_hosts=_files(found.get("userknownhostsfile", _USER_KNOWN_HOSTS)),
            system_known_hosts=_files(found.get("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS)),
            hash_names=found.get("hashknownhosts") == "yes",
            via=self._via(found, (*trail, alias)),
            proxy_command=self._proxy_command(found),
        )

    def _via(self, found: dict[str, Any], trail: tuple[str, ...]) -> Target | None:
        """The last machine of ProxyJump; the ones before it are the way to that one."""
        jumps = str(found.get("proxyjump") or "none")
        if jumps.lower() == "none":
            return None
        *before, last = [part.strip() for part in jumps.split(",")]
        address = last.removeprefix("ssh://")
        user, _, place = address.rpartition("@")
        host, colon, port = place.rpartition(":") if place.count(":") == 1 else (place, "", "")
        if colon and not port.isdigit():
            raise DeviceError(f"ProxyJump {last!r} in {self._path} is no host or host:port.")
        jump = self.target(host.strip("[]"), user=user, port=int(port or 0), identity=None, trail=trail)
        if not before:
            return jump
        way = self._via({"proxyjump": ",".join(before)}, (*trail, host))
        return replace(jump, via=way, proxy_command=())

    def _proxy_command(self, found: dict[str, Any]) -> tuple[str, ...]:
        command = str(found.get("proxycommand") or "")
        if not command or str(found.get("proxyjump") or "none").lower() != "none":
            return ()
        if set(command) & _SHELL_CHARACTERS:
            raise DeviceError(
                f"The ProxyCommand {command!r} in {self._path} needs a shell, and none is started for it.",
                known="A program with plain arguments is run, such as: ssh -W %h:%p jumphost",
                fix="Write ProxyJump jumphost instead, or put the command into a script.",
            )
        return tuple(shlex.split(command))

    def _lookup(self, alias: str, user: str, port: int) -> dict[str, Any]:
        """What is configured for an alias; the first value of a name counts, so what is given goes before the file."""
        from paramiko import SSHConfig, SSHException

        given = [f"User {user}" if user else "", f"Port {port}" if port else ""]
        try:
            return dict(SSHConfig.from_text("\n".join([*given, self._text])).lookup(alias))
        except ImportError as error:
            raise DeviceError(
                f"{self._path} decides by `Match exec`, which needs the package invoke.", fix="pip install invoke"
            ) from error
        except (SSHException, OSError, ValueError, KeyError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DeviceError:
        return DeviceError(f"{self._path} cannot be used: {error}.", fix=f"Try it with: ssh -G -F {self._path} HOST")


def _files(setting: Any) -> tuple[Path, ...]:
    names = str(setting).split()
    return () if names == ["none"] else tuple(Path(name.replace("%d", "~", 1)).expanduser() for name in names)


def _lines(path: Path, block: str, depth: int) -> Iterator[str]:
    """The lines of a configuration with those of included files in their place.

    Args:
        path: The file.
        block: The Host or Match line that is in force where the file begins.
        depth: How many files include this one.
    """
    if depth > _DEEPEST_INCLUDE:
        raise ValueError(f"{path} is included by itself")
    for line in path.read_text(errors="replace").splitlines():
        word, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if word.lower() in ("host", "match"):
            block = line.strip()
        if word.lower() != "include":
            yield line
            continue
        for pattern in shlex.split(rest):
            place = Path(pattern).expanduser()
            place = place if place.is_absolute() else Path.home() / ".ssh" / place
            for included in sorted(place.parent.glob(place.name)):
                if included.is_file():
                    yield from _lines(included, block, depth + 1)
                    yield block
