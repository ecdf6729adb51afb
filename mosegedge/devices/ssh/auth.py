"""Logging in: keys of ssh-agent, key files, and as the last resort a prompt on the terminal.

What is typed stays in the memory of this process, so that a connection that broke at night comes back without anybody;
it is never written anywhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mosegedge.devices.ssh.config import SSH_PORT, Target
from mosegedge.devices.ssh.keys import Key, keys_of, opened_agent, read_key
from mosegedge.devices.ssh.prompt import ask_secret, has_terminal
from mosegedge.errors import ConnectionLostError, DeviceError

if TYPE_CHECKING:
    from paramiko import PKey, Transport

_MOST_KEYS = 3  # OpenSSH hangs up at the sixth thing that it refuses, and there are the passwords to come.
_MOST_PROMPTS = 3


class LoginClosedError(ConnectionLostError):
    """A machine that answers and has the right host key, and ends the connection while somebody logs in."""


class Secrets:
    """What was typed at a prompt, for the length of one run."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.keys: dict[Path, PKey] = {}


def authenticate(transport: Transport, target: Target, secrets: Secrets) -> None:
    """Logs in to a machine whose host key was checked.

    Raises:
        LoginClosedError: It hung up meanwhile.
        DeviceError: It takes none of the keys, and there is no password or nobody to ask for it.
    """
    with opened_agent(target) as agent:
        _Login(transport, target, secrets).run(keys_of(target, agent, secrets.keys))


class _Login:
    def __init__(self, transport: Transport, target: Target, secrets: Secrets) -> None:
        self._transport = transport
        self._target = target
        self._secrets = secrets
        self._accepted = ["publickey", "password"]
        self._tried: list[str] = []
        self._keys = self._passwords = 0
        self._unanswered: list[str] = []

    def run(self, keys: Sequence[Key]) -> None:
        # It tells what is accepted, and as the first question it is none of those that a server counts.
        self._attempt(self._transport.auth_none, self._target.user)
        ready = [key for key in keys if key.key is not None]
        locked = [key for key in keys if key.key is None]
        # A locked key that was asked for has its turn, however many others there are.
        kept = min(_MOST_KEYS - 1, sum(key.asked for key in locked))
        self._offer(ready, _MOST_KEYS - kept)
        if not self._done() and not self._try_remembered_password():
            self._offer(sorted(locked, key=lambda key: not key.asked), _MOST_KEYS)
            self._ask_for_password()
        if not self._done():
            raise self._refused()

    def _done(self) -> bool:
        return bool(self._transport.is_authenticated())

    def _attempt(self, attempt: Any, *arguments: Any) -> bool:
        """One try; notes what the machine would accept next.

        Returns:
            Whether the login is complete.

        Raises:
            LoginClosedError: The machine hung up instead of answering.
        """
        from paramiko import BadAuthenticationType, SSHException

        try:
            more = attempt(*arguments)
        except BadAuthenticationType as error:
            self._accepted = list(error.allowed_types)
        except (SSHException, EOFError, OSError) as error:
            if not self._transport.is_active() or "timeout" in str(error):
                raise self._closed(error) from error
        else:
            # A machine that wants two things says after the first one what the second may be.
            self._accepted = list(more) or self._accepted
        return self._done()

    def _offer(self, keys: Sequence[Key], most: int) -> None:
        """Tries keys until one fits; `most` counts those that were tried before too."""
        for place, key in enumerate(keys):
            if self._done() or "publickey" not in self._accepted:
                return
            if self._keys >= most:
                self._tried.append(f"{len(keys) - place} more keys were left out")
                return
            signing = key.key or (self._unlocked(key.path) if key.path is not None else None)
            if signing is not None:
                self._keys += 1
                self._tried.append(key.name)
                self._attempt(self._transport.auth_publickey, self._target.user, signing)

    def _unlocked(self, path: Path) -> PKey | None:
        from paramiko import SSHException

        for _ in range(_MOST_PROMPTS):
            if not has_terminal():
                self._tried.append(f"{path} (locked by a passphrase)")
                return None
            passphrase = ask_secret(f"Passphrase of {path}, empty to skip it: ")
            if not passphrase:
                return None
            with contextlib.suppress(SSHException):
                self._secrets.keys[path] = read_key(path, passphrase)
                return self._secrets.keys[path]
        return None

    def _try_remembered_password(self) -> bool:
        remembered = self._secrets.passwords.get(self._target.where)
        return remembered is not None and self._takes_password() and self._try_password(remembered)

    def _ask_for_password(self) -> None:
        for _ in range(_MOST_PROMPTS):
            if self._done() or self._unanswered or not self._takes_password() or not has_terminal():
                return
            password = ask_secret(f"Password of {self._target.where}: ")
            if not password:
                return
            if self._try_password(password):
                self._secrets.passwords[self._target.where] = password

    def _takes_password(self) -> bool:
        return bool({"password", "keyboard-interactive"} & set(self._accepted))

    def _try_password(self, password: str) -> bool:
        self._passwords += 1
        self._tried.append("a password")
        user = self._target.user
        if "password" in self._accepted:
            return self._attempt(self._transport.auth_password, user, password, None, False)
        asked = 0

        def answers(title: str, instructions: str, questions: list[tuple[str, bool]]) -> list[str]:
            nonlocal asked
            del title, instructions
            given = []
            for question, _ in questions:
                # The first question is the one for the password; a code of the moment cannot be known here.
                given.append("" if asked else password)
                if asked:
                    self._unanswered.append(question.strip())
                asked += 1
            return given

        return self._attempt(self._transport.auth_interactive, user, answers)

    def _closed(self, error: Exception) -> LoginClosedError:
        target = self._target
        if self._transport.is_active():
            what = f"{target.name} gives no answer to the login of {target.where}"
        else:
            passwords = f" and {_count(self._passwords, 'password')}" if self._passwords else ""
            tried = f"{_count(self._keys, 'key')}{passwords}"
            what = f"{target.name} closed the connection during the login of {target.where}, after {tried}"
        banner = self._transport.get_banner()
        said = f" It said: {banner.decode(errors='replace').strip()[:200]}" if banner else ""
        return LoginClosedError(
            f"{what}.",
            known=f"Tried: {', '.join(self._tried) or 'nothing yet'} ({error or 'no reason was given'}).{said}",
            fix='Where it counts every key that it does not take, name the right one: identity = "~/.ssh/KEY" under '
            f"[{target.name}] in devices.toml; or give it yours: {self._copy_command()}",
        )

    def _refused(self) -> DeviceError:
        terminal = "" if has_terminal() else " There is no terminal to ask for a password or passphrase on."
        besides = f" It asked besides: {', '.join(self._unanswered)}; only a password can be given."
        accepted = f"It accepts: {', '.join(self._accepted)}."
        tried = ", ".join(self._tried) or "no key, there is none"
        return DeviceError(
            f"{self._target.name} refuses the login of {self._target.where}.",
            known=f"Tried: {tried}. {accepted}{besides if self._unanswered else ''}{terminal}",
            fix=f"Give it your key: {self._copy_command()}; or unlock a key: ssh-add",
        )

    def _copy_command(self) -> str:
        port = "" if self._target.port == SSH_PORT else f"-p {self._target.port} "
        return f"ssh-copy-id {port}{self._target.user}@{self._target.host}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
