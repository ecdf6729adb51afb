"""Keys to log in with: files that were asked for, those of ssh-agent, and files that ssh would try unasked.

A server counts every key that it does not take and hangs up after a few, so each is offered once, whatever the number
of places that it lies in, and those that were asked for come first.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mosegedge.devices.ssh.config import Target
from mosegedge.errors import DeviceError

if TYPE_CHECKING:
    from paramiko import Agent, PKey


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can be offered, or a file that needs its passphrase first.

    Attributes:
        name: Where it comes from, for messages.
        key: What signs; None while it is locked.
        path: Its file; None for a key of ssh-agent.
        blob: Its public part, empty where a locked file has no file of that beside it.
        asked: Whether it was asked for.
    """

    name: str
    key: PKey | None
    path: Path | None
    blob: bytes
    asked: bool


@contextlib.contextmanager
def opened_agent(target: Target) -> Iterator[Agent | None]:
    """The running ssh-agent, open as long as its keys are used; None where it is not to be asked or cannot be."""
    from paramiko import Agent, SSHException

    agent = None
    if target.use_agent:
        with contextlib.suppress(SSHException, OSError):
            agent = Agent()
    try:
        yield agent
    finally:
        if agent is not None:
            agent.close()


def keys_of(target: Target, agent: Agent | None, unlocked: dict[Path, PKey]) -> list[Key]:
    """All keys in the order in which they are offered, each once; those that are locked come last.

    Args:
        target: The machine.
        agent: The open ssh-agent.
        unlocked: Files whose passphrase was typed already.

    Raises:
        DeviceError: A file is no key, or cannot be read.
    """
    asked = list(_of_files(target.identities, unlocked, asked=True))
    others = [*_of_agent(agent), *_of_files(target.default_identities, unlocked, asked=False)]
    # The key that was asked for may be locked as a file and ready in the agent.
    wanted = {key.blob for key in asked}
    ordered = [*asked, *sorted(others, key=lambda key: key.blob not in wanted)]
    found: dict[bytes | Path | None, Key] = {}
    for key in sorted(ordered, key=lambda key: key.key is None):
        found.setdefault(key.blob or key.path, key)
    return list(found.values())


def read_key(path: Path, passphrase: str | None) -> PKey:
    """Reads a private key file of any type.

    Raises:
        PasswordRequiredException: It is locked, and no passphrase was given.
        SSHException: The passphrase is wrong.
        DeviceError: It is no key.
    """
    from paramiko import ECDSAKey, Ed25519Key, PasswordRequiredException, RSAKey, SSHException

    problems = []
    for kind in (Ed25519Key, ECDSAKey, RSAKey):
        try:
            key: PKey = kind.from_private_key_file(str(path), passphrase)
        except PasswordRequiredException:
            raise
        except OSError as error:
            raise DeviceError(f"The key file {path} cannot be read: {error.strerror}.") from error
        except (SSHException, ValueError, IndexError) as error:
            problems.append(str(error))
            continue
        certificate = path.with_name(path.name + "-cert.pub")
        if certificate.is_file():
            key.load_certificate(str(certificate))
        return key
    if passphrase is not None:
        raise SSHException(f"The passphrase of {path} is wrong.")
    raise DeviceError(
        f"The key file {path} is no private key that can be used: {problems[0]}.",
        fix="Keys of the types ed25519, ecdsa and rsa can: ssh-keygen -t ed25519",
    )


def _of_files(paths: tuple[Path, ...], unlocked: dict[Path, PKey], *, asked: bool) -> Iterator[Key]:
    from paramiko import PasswordRequiredException

    for path in paths:
        if not path.is_file():
            continue
        try:
            key = unlocked.get(path) or read_key(path, None)
        except PasswordRequiredException:
            yield Key(str(path), None, path, _public_part(path), asked)
            continue
        certificate = getattr(key, "public_blob", None)
        yield Key(str(path), key, path, certificate.key_blob if certificate else key.asbytes(), asked)


def _of_agent(agent: Agent | None) -> list[Key]:
    return [
        Key(f"ssh-agent's {getattr(key, 'comment', '') or key.get_name()}", key, None, bytes(key.blob), asked=False)
        for key in (agent.get_keys() if agent is not None else ())
    ]


def _public_part(path: Path) -> bytes:
    with contextlib.suppress(OSError, ValueError, IndexError, binascii.Error):
        return base64.b64decode(path.with_name(path.name + ".pub").read_text().split()[1])
    return b""
