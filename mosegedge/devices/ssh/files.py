"""Files to and from a device: by SFTP, or through the device's interpreter where it has none that works.

A file appears whole or not at all: it is written beside its place under another name, its digest is compared on the
device, then it is renamed. A file that is there already is not sent again. After a power cut a file may be there and
empty all the same; whoever uses one compares its digest, which is its name.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import posixpath
import secrets
import zlib
from collections.abc import Callable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from mosegedge.devices.ssh.login import Login
from mosegedge.devices.ssh.process import Opened
from mosegedge.errors import DeviceError
from mosegedge.files import sha256_of_bytes

if TYPE_CHECKING:
    from paramiko import SFTPClient

_SILENCE_S = 60.0
_READ_BACK_BYTES = 1 << 20
_MIB = 1 << 20


class RemoteFiles:
    """The files of one device over one login.

    Args:
        login: The device.
        start: Starts a program with the device's interpreter.
        note: Told what a user should know.
    """

    def __init__(self, login: Login, start: Callable[[Sequence[str]], Opened], note: Callable[[str], None]) -> None:
        self._login = login
        self._start = start
        self._note = note
        self._sftp: SFTPClient | None = None
        self._has_sftp = True
        self._folders: set[str] = set()

    def put(self, content: bytes, path: str) -> None:
        """Writes a file.

        Raises:
            ConnectionLostError: The connection broke meanwhile.
            DeviceError: The device cannot keep it: the folder, the free space and the reason are named.
        """
        with self._guarded(f"{path} was written"):
            sftp = self._client()
            if sftp is None:
                self._put_through_interpreter(content, path)
            else:
                self._put_by_sftp(sftp, content, path)

    def get(self, path: str) -> bytes:
        """Reads a file."""
        with self._guarded(f"{path} was read"):
            sftp = self._client()
            if sftp is None:
                return self._get_through_interpreter(path)
            stream = io.BytesIO()
            try:
                sftp.getfo(path, stream, prefetch=False)
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                if not self._login.is_alive_after_all():
                    raise EOFError from error
                raise self._failed(f"{path} cannot be read", error) from error
            return stream.getvalue()

    def close(self) -> None:
        """Ends SFTP; the login stays."""
        if self._sftp is not None:
            self._sftp.close()

    @contextlib.contextmanager
    def _guarded(self, doing: str) -> Any:
        from paramiko import SSHException

        try:
            yield
        except (SSHException, EOFError, TimeoutError) as error:
            # Whatever state the transfer is in, nothing but a new connection is sure to be free of it.
            why = f"nothing came for {_SILENCE_S:.0f} s" if isinstance(error, TimeoutError) else str(error)
            self._login.close()
            raise self._login.lost(doing, why) from error

    def _client(self) -> SFTPClient | None:
        """SFTP, or None where the device has none that works."""
        from paramiko import SFTPClient, SFTPError, SSHException

        if self._sftp is None and self._has_sftp:
            try:
                channel = self._login.transport.open_session(timeout=_SILENCE_S)
                channel.settimeout(_SILENCE_S)
                channel.invoke_subsystem("sftp")
                self._sftp = SFTPClient(channel)
            except (SFTPError, SSHException, EOFError, OSError) as error:  # OSError: it ended before it was greeted
                if isinstance(error, TimeoutError):
                    raise
                if not self._login.is_alive_after_all():
                    raise EOFError(str(error)) from error
                self._has_sftp = False
                prints = isinstance(error, SFTPError)
                why = "its login shell prints something first" if prints else "it ends at once"
                self._note(f"{self._login.target.name} has no SFTP ({why}); files go through its interpreter.")
        return self._sftp

    def _put_by_sftp(self, sftp: SFTPClient, content: bytes, path: str) -> None:
        sha256 = sha256_of_bytes(content)
        temporary = posixpath.join(posixpath.dirname(path), f".mosegedge-{secrets.token_hex(8)}.part")
        try:
            if self._size(sftp, path) == len(content) and self._digest(sftp, path, len(content)) == sha256:
                return
            self._make_folder(sftp, posixpath.dirname(path))
            sftp.putfo(io.BytesIO(content), temporary)
            if self._digest(sftp, temporary, len(content)) != sha256:
                raise OSError("the content arrived damaged")
            self._rename(sftp, temporary, path)
        except (OSError, DeviceError) as error:
            if self._login.alive and not isinstance(error, TimeoutError):
                with contextlib.suppress(OSError):
                    sftp.remove(temporary)
            if isinstance(error, DeviceError | TimeoutError):
                raise
            raise self._not_written(path, len(content), error) from error

    def _make_folder(self, sftp: SFTPClient, folder: str) -> None:
        if folder in self._folders or folder in ("", "/"):
            return
        try:
            sftp.stat(folder)
        except FileNotFoundError:
            self._make_folder(sftp, posixpath.dirname(folder))
            try:
                sftp.mkdir(folder)
            except OSError:
                # Another run may have made it a moment ago; then it is there now.
                sftp.stat(folder)
        self._folders.add(folder)

    def _rename(self, sftp: SFTPClient, source: str, target: str) -> None:
        try:
            sftp.posix_rename(source, target)
        except OSError:
            # A server without OpenSSH's extension does not rename onto a file that exists.
            with contextlib.suppress(OSError):
                sftp.remove(target)
            sftp.rename(source, target)

    def _size(self, sftp: SFTPClient, path: str) -> int | None:
        try:
            size: int | None = sftp.stat(path).st_size
        except FileNotFoundError:
            return None
        return size

    def _digest(self, sftp: SFTPClient, path: str, size: int) -> str:
        """SHA-256 of a file on the device; small ones are read back, which is faster than starting a program there."""
        if size > _READ_BACK_BYTES:
            return str(self._asked("digest", path).get("sha256"))
        stream = io.BytesIO()
        sftp.getfo(path, stream, prefetch=False)
        return sha256_of_bytes(stream.getvalue())

    def _put_through_interpreter(self, content: bytes, path: str) -> None:
        sha256 = sha256_of_bytes(content)
        if self._asked("digest", path).get("sha256") == sha256:
            return
        answer = self._asked("put", path, str(len(content)), sha256, content=content)
        if "error" in answer:
            raise self._not_written(path, len(content), OSError(answer["error"]))

    def _get_through_interpreter(self, path: str) -> bytes:
        opened = self._start([*_program(), "get", path])
        answer = self._line(opened, "get")
        if "error" in answer:
            raise DeviceError(f"{path} on {self._login.target.name} cannot be read: {answer['error']}.")
        content = opened.stdout.read(answer["size"])
        opened.channel.close()
        if len(content) != answer["size"]:
            raise EOFError
        if hashlib.sha256(content).hexdigest() != answer["sha256"]:
            raise DeviceError(f"{path} on {self._login.target.name} changed while it was read.")
        return content

    def _asked(self, verb: str, path: str, *operands: str, content: bytes = b"") -> dict[str, Any]:
        opened = self._start([*_program(), verb, path, *operands])
        with contextlib.suppress(OSError):  # The device stopped listening; its answer says why.
            opened.channel.sendall(content)
        answer = self._line(opened, verb)
        opened.channel.close()
        return answer

    def _line(self, opened: Opened, verb: str) -> dict[str, Any]:
        opened.channel.settimeout(_SILENCE_S)
        line = opened.stdout.readline()
        if not line.endswith(b"\n") and (not self._login.alive or opened.killed):
            raise EOFError
        try:
            answer = json.loads(line)
        except ValueError as error:
            said = (
                opened.channel.recv_stderr(2000).decode(errors="replace").strip().splitlines() if not line else [line]
            )
            raise DeviceError(
                f"{self._login.target.name} did not do {verb}: {said[-1] if said else 'it said nothing'!r}."
            ) from error
        return dict(answer)

    def _not_written(self, path: str, size: int, error: OSError) -> DeviceError:
        """What stands in the way of a file; SFTP itself says no more than 'Failure'."""
        folder, name = posixpath.dirname(path), self._login.target.name
        free = self._asked("free", folder).get("free")
        if isinstance(free, int) and free < size + _MIB:
            return DeviceError(
                f"The disk of {name} is full: {free / _MIB:.1f} MiB are free in {folder}, {size / _MIB:.1f} MiB are "
                f"needed for {posixpath.basename(path)}.",
                fix="Free some space there, or set `cache` in devices.toml to a folder that has it; then start the "
                "same command again: what was measured is kept.",
            )
        shown = f"{free / _MIB:.0f} MiB are free there." if isinstance(free, int) else ""
        failed = self._failed(f"{path} cannot be written", error)
        return DeviceError(
            failed.what,
            known=shown,
            fix="Check the rights and the quota of this folder, or set `cache` in devices.toml.",
        )

    def _failed(self, what: str, error: OSError) -> DeviceError:
        return DeviceError(f"{what} on {self._login.target.name}: {error.strerror or str(error) or 'failure'}.")


def _program() -> list[str]:
    """Arguments that have an interpreter run device_agents/transfer.py; letters that every shell leaves alone."""
    source = resources.files("device_agents").joinpath("transfer.py").read_bytes()
    packed = base64.b64encode(zlib.compress(source, 9)).decode()
    return ["-c", f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{packed}")))']
