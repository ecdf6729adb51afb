"""Whether a machine is the one that it claims to be: its host key against the files of known hosts.

An unknown or changed key stops everything before the login begins. The file is that of OpenSSH: names with wildcards
and exceptions, hashed names, `[host]:port`, `@revoked`.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mosegedge.devices.ssh.config import Target
from mosegedge.errors import DeviceError

if TYPE_CHECKING:
    from paramiko import PKey

_REVOKED, _AUTHORITY = "@revoked", "@cert-authority"
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a file of known hosts that is about this machine.

    Attributes:
        path: The file.
        line: Its number there.
        marker: Empty, `@revoked` or `@cert-authority`.
        kind: Type of the key, as `ssh-ed25519`.
        key: The public key in base64.
    """

    path: Path
    line: int
    marker: str
    kind: str
    key: str


def known_keys(target: Target) -> list[KnownKey]:
    """What the user's and the system's files of known hosts say about a machine."""
    files = (*target.user_known_hosts, *target.system_known_hosts)
    return [known for path in files for known in _entries(path, target.known_as)]


def preferred_algorithms(known: list[KnownKey], supported: tuple[str, ...]) -> tuple[str, ...]:
    """Signature algorithms with those of known keys first, so that a machine shows the key that can be compared."""
    wanted = [name for entry in known if not entry.marker for name in _SIGNATURES.get(entry.kind, (entry.kind,))]
    first = [name for name in supported if name in wanted]
    return (*first, *(name for name in supported if name not in wanted))


def check_host_key(target: Target, key: PKey, *, accept_new: bool) -> None:
    """Goes on only if the key of a machine is known.

    Args:
        target: The machine.
        key: What it showed.
        accept_new: Remember the key of a machine about which nothing is known.

    Raises:
        DeviceError: The key is unknown, another one is known, or it was revoked.
    """
    known = known_keys(target)
    shown = f"{key.get_name()} {key.fingerprint}"
    same = [entry for entry in known if entry.key == key.get_base64()]
    if any(entry.marker == _REVOKED for entry in same):
        raise DeviceError(
            f"The host key of {target.name} ({shown}) was revoked; nothing was sent.",
            known=f"So says {same[0].path}, line {same[0].line}.",
            fix="Whoever holds this key can pretend to be the board: give the board a new one.",
        )
    if any(not entry.marker for entry in same):
        return
    others = [entry for entry in known if not entry.marker]
    if others:
        raise _changed(target, shown, others)
    if not accept_new:
        raise _unknown(target, shown, any(entry.marker == _AUTHORITY for entry in known))
    _remember(target, key)


def _changed(target: Target, shown: str, known: list[KnownKey]) -> DeviceError:
    lines = ", ".join(f"{entry.path} line {entry.line}: {entry.kind} {_fingerprint(entry.key)}" for entry in known)
    removals = "; ".join(
        f"ssh-keygen -f {path} -R '{target.known_as}'" for path in dict.fromkeys(entry.path for entry in known)
    )
    return DeviceError(
        f"The host key of {target.name} has changed; nothing was sent. It shows {shown}.",
        known=f"Known is {lines}. Either the board was set up anew, or another machine answers in its place.",
        fix=f"If you know why: {removals}; then start the same command with --accept-new-host-key.",
    )


def _unknown(target: Target, shown: str, has_authority: bool) -> DeviceError:
    looked = ", ".join(str(path) for path in (*target.user_known_hosts, *target.system_known_hosts))
    authority = " Host certificates, which one of them trusts, are not read." if has_authority else ""
    return DeviceError(
        f"The host key of {target.name} is unknown; nothing was sent. It shows {shown}.",
        known=f"Looked for {target.known_as} in {looked}.{authority}",
        fix="Compare it on the board (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, or of that type), then start "
        "the same command with --accept-new-host-key.",
    )


def _remember(target: Target, key: PKey) -> None:
    """Adds a key to the first of the user's files, in one write."""
    name = _hashed(target.known_as, secrets.token_bytes(20)) if target.hash_names else target.known_as
    if not target.user_known_hosts:
        raise DeviceError(
            f"The host key of {target.name} cannot be remembered: UserKnownHostsFile is none.",
            fix="Remove that line from ~/.ssh/config.",
        )
    path = target.user_known_hosts[0]
    line = f"{name} {key.get_name()} {key.get_base64()}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        torn = path.is_file() and path.stat().st_size > 0 and path.read_bytes()[-1:] != b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, ("\n" * torn + line).encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DeviceError(f"The host key of {target.name} cannot be added to {path}: {error.strerror}.") from error


def _entries(path: Path, name: str) -> Iterator[KnownKey]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DeviceError(f"The file of known hosts {path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) >= 3 and not fields[0].startswith("#") and _matches(fields[0], name):
            yield KnownKey(path, number, marker, fields[1], fields[2])


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        parts = patterns.split("|")
        try:
            salt = base64.b64decode(parts[2], validate=True)
        except (ValueError, IndexError):
            return False
        return hmac.compare_digest(_hashed(name, salt), patterns)
    found = False
    for pattern in patterns.lower().split(","):
        # Square brackets are part of a name with a port here, not a set of characters.
        plain = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name, plain):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _hashed(name: str, salt: bytes) -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _fingerprint(key: str) -> str:
    try:
        digest = hashlib.sha256(base64.b64decode(key, validate=True)).digest()
    except ValueError:
        return "(damaged)"
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
