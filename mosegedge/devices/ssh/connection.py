"""A device at the other end of an SSH connection: the same three verbs as for this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from mosegedge.devices.inventory import Device
from mosegedge.devices.ssh import start
from mosegedge.devices.ssh.answer import Wanted
from mosegedge.devices.ssh.auth import LoginClosedError, Secrets
from mosegedge.devices.ssh.config import Target, targets_of
from mosegedge.devices.ssh.files import RemoteFiles
from mosegedge.devices.ssh.login import Login
from mosegedge.devices.ssh.process import Opened, RemoteProcess, ask, opened_program
from mosegedge.errors import ConnectionLostError, DeviceError

_DEFAULT_INTERPRETER = "python3"


class SshConnection:
    """Runs programs and copies files on another machine.

    It may be entered again after it was left or lost; what was typed at a prompt is not asked for twice.

    Attributes:
        cache: Folder on the device where mosegedge keeps files between runs; known once it is open.
        notes: What the user should know about this device.
    """

    def __init__(self, device: Device, *, accept_new_host_key: bool = False) -> None:
        self._device = device
        self._accept_new_host_key = accept_new_host_key
        self._secrets = Secrets()
        self._targets: list[Target] = []
        self._login: Login | None = None
        self._files: RemoteFiles | None = None
        self.cache = ""
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        """Connects and logs in.

        Raises:
            ConnectionLostError: It does not answer at any of its addresses, or hung up during the login.
            DeviceError: Its host key is not known, or it refuses the login.
        """
        self._login = self._open()
        try:
            self._files = RemoteFiles(self._login, self._start_helper, self._note)
            self.cache = self.cache or self._cache_folder(self._login)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def run(self, arguments: Sequence[str]) -> RemoteProcess:
        """Starts a Python program with the device's interpreter, in its environment."""
        opened = self._start(_listed(self._device.environment), arguments)
        return RemoteProcess(self._opened_login, opened, self._kill)

    def put(self, content: bytes, path: str) -> None:
        """Writes a file on the device; it appears whole or not at all."""
        self._opened_files.put(content, path)

    def get(self, path: str) -> bytes:
        """Reads a file on the device."""
        return self._opened_files.get(path)

    @property
    def _opened_login(self) -> Login:
        if self._login is None:
            raise DeviceError(f"The connection to {self._device.name} is not open.")
        return self._login

    @property
    def _opened_files(self) -> RemoteFiles:
        if self._files is None:
            raise DeviceError(f"The connection to {self._device.name} is not open.")
        return self._files

    def _open(self) -> Login:
        """Tries the addresses in order; the one that answered last time comes first."""
        self._targets = self._targets or targets_of(self._device)
        failures = []
        for target in self._targets:
            try:
                login = Login(target, self._secrets, accept_new_host_key=self._accept_new_host_key)
            except ConnectionLostError as error:
                failures.append(error)
                continue
            self._targets = [target, *(other for other in self._targets if other is not target)]
            return login
        name = self._device.name
        for failure in failures:
            if isinstance(failure, LoginClosedError):  # That one did answer.
                raise failure
        raise ConnectionLostError(
            f"{name} does not answer.",
            known="Tried: " + " ".join(f"{error.what} {error.known}".strip() for error in failures),
            fix="Check cable and power. If its address is another one, write two lines into devices.toml:\n"
            f'[{name}]\naddress = "..."',
        ) from failures[-1]

    def _close(self) -> None:
        login, files = self._login, self._files
        self._login = self._files = None
        if files is not None:
            files.close()
        if login is not None:
            login.close()

    def _cache_folder(self, login: Login) -> str:
        wanted = self._device.cache
        if wanted.startswith("/"):
            return wanted.rstrip("/") or "/"
        place = start.expression(wanted) if wanted else "${XDG_CACHE_HOME:-$HOME/.cache}/mosegedge"
        found = ask(login, start.say(place))
        if not found.startswith("/"):
            raise DeviceError(
                f"{self._device.name} has no home folder for the cache: {found!r}.",
                fix=f'Write cache = "/a/folder/there" in {self._device.source}.',
            )
        return found

    def _start(self, environments: Sequence[str], arguments: Sequence[str]) -> Opened:
        device = self._device
        interpreters = _listed(device.interpreter) or [_DEFAULT_INTERPRETER]
        wanted = Wanted(
            name=device.name,
            user=self._opened_login.target.user,
            interpreters=interpreters,
            environments=environments,
            source=device.source,
        )
        start_it = start.start_program(interpreters, environments, arguments)
        opened = opened_program(self._opened_login, start_it, wanted)
        self._note(opened.answer.note)
        return opened

    def _start_helper(self, arguments: Sequence[str]) -> Opened:
        """Starts a program that needs nothing of the vendor's."""
        return self._start([], arguments)

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(DeviceError):  # It is out of reach; the next run of the same kind ends it.
            ask(self._opened_login, start.kill(pid))

    def _note(self, text: str) -> None:
        if text and text not in self.notes:
            self.notes.append(text)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
