"""Logging in: keys of ssh-agent, key files, and as the last resort a prompt on the terminal.

What is typed stays in the memory of this process, so that a connection that broke at night comes back without anybody;
it is never written anywhere.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mosegedge.devices.ssh.config import SSH_PORT, Target
from mosegedge.errors import ConnectionLostError, DeviceError

if TYPE_CHECKING:
    from paramiko import PKey, Transport

_MOST_KEYS = 5  # OpenSSH hangs up after six failures
_MOST_PROMPTS = 3
_TERMINAL = "/dev/tty"
_ONE_PROMPT_AT_A_TIME = threading.Lock()


class Secrets:
    """What was typed at a prompt, for the length of one run."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.keys: dict[Path, PKey] = {}


def authenticate(transport: Transport, target: Target, secrets: Secrets) -> None:
    """Logs in to a machine whose host key was checked.

    Raises:
        ConnectionLostError: It hung up meanwhile.
        DeviceError: It takes none of the keys, and there is no password or nobody to ask for it.
    """
    _Login(transport, target, secrets).run()


class _Login:
    def __init__(self, transport: Transport, target: Target, secrets: Secrets) -> None:
        self._transport = transport
        self._target = target
        self._secrets = secrets
        self._accepted = ["publickey", "password"]
        self._tried: list[str] = []
        self._encrypted: list[Path] = []
        self._keys = 0

    def run(self) -> None:
        for name, key in self._open_keys():
            if self._keys >= _MOST_KEYS or "publickey" not in self._accepted:
                self._tried.append("(other keys were left out)")
                break
            self._attempt(name, self._transport.auth_publickey, self._target.user, key)
            if self._done():
                return
            self._keys += 1
        # Only now: it tells what else is accepted, and few servers let anybody in by it. Where a key fits, nothing
        # else is asked for; there are servers that hang up at a second attempt.
        self._attempt("no key", self._transport.auth_none, self._target.user)
        self._with_prompts()
        if not self._done():
            raise self._refused()

    def _done(self) -> bool:
        return bool(self._transport.is_authenticated())

    def _attempt(self, name: str, attempt: Any, *arguments: Any) -> None:
        """One try; notes what the machine would accept next.

        Raises:
            ConnectionLostError: The machine hung up instead of answering.
        """
        from paramiko import BadAuthenticationType, SSHException

        try:
            more = attempt(*arguments)
        except BadAuthenticationType as error:
            self._accepted = list(error.allowed_types)
        except (SSHException, EOFError, OSError) as error:
            if not self._transport.is_active() or "timeout" in str(error):
                raise self._hung_up(name) from error
        else:
            # A machine that wants two things says after the first one what the second may be.
            self._accepted = list(more) or self._accepted
        self._tried.append(name)

    def _open_keys(self) -> Iterator[tuple[str, PKey]]:
        """Keys that need no prompt: files that were asked for, then ssh-agent's, then files that ssh would try."""
        yield from self._file_keys(self._target.identities)
        if self._target.use_agent:
            from paramiko import Agent

            agent = Agent()
            try:
                for key in agent.get_keys():
                    yield f"ssh-agent's {getattr(key, 'comment', '') or key.get_name()}", key
            finally:
                agent.close()
        yield from self._file_keys(self._target.default_identities)

    def _file_keys(self, paths: tuple[Path, ...]) -> Iterator[tuple[str, PKey]]:
        from paramiko import PasswordRequiredException

        for path in paths:
            if not path.is_file():
                continue
            try:
                key = self._secrets.keys.get(path) or _read_key(path, None)
            except PasswordRequiredException:
                self._encrypted.append(path)
                continue
            yield str(path), key

    def _with_prompts(self) -> None:
        """Asks for passphrases and for the password, if there is a terminal."""
        user, where = self._target.user, self._target.where
        remembered = self._secrets.passwords.get(where)
        if remembered is not None and self._takes_password():
            self._attempt("the password typed before", self._transport.auth_password, user, remembered)
        if "publickey" in self._accepted and not self._done():
            for path in self._encrypted:
                key = self._unlocked(path)
                if key is None:
                    continue
                self._attempt(str(path), self._transport.auth_publickey, user, key)
                if self._done():
                    return
        for _ in range(_MOST_PROMPTS):
            if self._done() or not self._takes_password() or not _has_terminal():
                return
            password = _ask(f"Password of {where}: ")
            self._attempt("a password", self._transport.auth_password, user, password)
            if self._done():
                self._secrets.passwords[where] = password

    def _takes_password(self) -> bool:
        return bool({"password", "keyboard-interactive"} & set(self._accepted))

    def _unlocked(self, path: Path) -> PKey | None:
        from paramiko import SSHException

        for _ in range(_MOST_PROMPTS):
            if not _has_terminal():
                self._tried.append(f"{path} (locked by a passphrase)")
                return None
            passphrase = _ask(f"Passphrase of {path}, empty to skip it: ")
            if not passphrase:
                return None
            with contextlib.suppress(SSHException):
                self._secrets.keys[path] = _read_key(path, passphrase)
                return self._secrets.keys[path]
        return None

    def _hung_up(self, name: str) -> ConnectionLostError:
        banner = self._transport.get_banner()
        said = f" It said: {banner.decode(errors='replace').strip()[:200]}" if banner else ""
        tried = ", ".join([*self._tried, name])
        return ConnectionLostError(
            f"{self._target.name} hung up during the login of {self._target.where}.",
            known=f"Tried: {tried}.{said}",
            fix="If these are too many keys, name the right one: `identity` in devices.toml.",
        )

    def _refused(self) -> DeviceError:
        target = self._target
        terminal = "" if _has_terminal() else " There is no terminal to ask for a password or passphrase on."
        port = "" if target.port == SSH_PORT else f"-p {target.port} "
        return DeviceError(
            f"{target.name} refuses the login of {target.where}.",
            known=f"Tried: {', '.join(self._tried)}. It accepts: {', '.join(self._accepted)}.{terminal}",
            fix=f"Give it your key: ssh-copy-id {port}{target.user}@{target.host}; or unlock a key: ssh-add",
        )


def _read_key(path: Path, passphrase: str | None) -> PKey:
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


def _has_terminal() -> bool:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _ask(prompt: str) -> str:
    with _ONE_PROMPT_AT_A_TIME:
        return getpass.getpass(prompt)
