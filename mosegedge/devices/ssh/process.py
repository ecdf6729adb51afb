"""A program that runs at the other end of an SSH connection, with the streams of a local one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from mosegedge.devices.ssh.answer import MOST_NOISE_BYTES, Wanted, ended_by_script, read_answer, refusal, shown
from mosegedge.devices.ssh.login import Login
from mosegedge.devices.ssh.start import SAID, STARTED, Start
from mosegedge.errors import DeviceError

if TYPE_CHECKING:
    from paramiko import Channel

START_S = 60.0
END_S = 5.0
_STARTING = "a program was started"
_NOT_EXECUTED = "its login shell did not run it"


class RemoteProcess:
    """A started program; its streams begin after everything that the login shell printed.

    Attributes:
        stdin: Requests.
        stdout: Replies.
        stderr: What it says besides.
        pid: Its number on the device.
    """

    def __init__(self, login: Login, opened: Opened, kill: Callable[[int], None]) -> None:
        self._login = login
        self._channel = opened.channel
        self._kill = kill
        self.pid = int(opened.answer.text)
        self.stdin = cast(IO[bytes], _Stdin(opened.channel))
        self.stdout = opened.stdout
        self.stderr = cast(IO[bytes], opened.channel.makefile_stderr("rb"))

    def poll(self) -> int | None:
        """Exit status, None while it runs; -1 where a signal ended it or the connection is lost."""
        if self._channel.exit_status_ready():
            return int(self._channel.recv_exit_status())
        return None if self._login.alive else -1

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; raises TimeoutError when it does not come."""
        self._channel.status_event.wait(timeout)
        status = self.poll()
        if status is None:
            raise TimeoutError(f"Process {self.pid} still runs after {timeout} s.")
        return status

    def kill(self) -> None:
        """Ends it at once: closing its channel would leave it running."""
        if self.poll() is None:
            self._kill(self.pid)
        self._channel.close()

    def lost(self) -> str:
        """Why the connection is gone; empty while it stands."""
        if self._channel.exit_status == -1 and not self._login.is_alive_after_all():
            return self._login.reason
        return ""


class Opened:
    """The channel of a command that has answered.

    Attributes:
        channel: Carries its streams.
        stdout: What it prints after its answer.
        answer: Its answer.
    """

    def __init__(self, login: Login, start: Start, wanted: Wanted | None = None) -> None:
        from paramiko import SSHException

        self.channel: Channel
        try:
            self.channel = login.transport.open_session(timeout=START_S)
            self.channel.settimeout(START_S)
            self.channel.exec_command(start.command)
            self.stdout = cast(IO[bytes], self.channel.makefile("rb"))
            self.answer = read_answer(start, self.stdout.readline)
            if not self.answer.word:
                raise self._unanswered(login, wanted)
            self.channel.settimeout(None)
        except TimeoutError as error:
            raise login.lost(_STARTING, f"nothing came for {START_S:.0f} s") from error
        except (SSHException, EOFError, OSError) as error:
            if not login.is_alive_after_all():
                raise login.lost(_STARTING) from error
            raise DeviceError(f"{login.target.name} did not start a program: {error or _NOT_EXECUTED}.") from error

    @property
    def killed(self) -> bool:
        """Whether it ended without a status: by a signal, or with the connection."""
        self.channel.status_event.wait(END_S)
        return int(self.channel.exit_status) == -1

    def _unanswered(self, login: Login, wanted: Wanted | None) -> DeviceError:
        """Why there was no answer: the connection, the environment script, or the login shell."""
        if not login.alive or (not self.answer.is_endless and self.killed):
            return login.lost(_STARTING)
        said = self._stderr()
        self.channel.close()
        if wanted is not None and self.answer.script and not self.answer.is_endless:
            return ended_by_script(wanted, self.answer, int(self.channel.exit_status), said)
        return DeviceError(
            f"{login.target.name} did not start a program: {_NOT_EXECUTED}.",
            known=f"It printed: {shown(self.answer.noise + said)}",
            fix=f"Try it: ssh -p {login.target.port} {login.target.user}@{login.target.host} sh -c 'echo works'",
        )

    def _stderr(self) -> bytes:
        said = b""
        with contextlib.suppress(OSError):
            while self.channel.recv_stderr_ready() and len(said) < MOST_NOISE_BYTES:
                said += self.channel.recv_stderr(MOST_NOISE_BYTES)
        return said


def ask(login: Login, start: Start) -> str:
    """Runs something that only answers."""
    opened = Opened(login, start)
    opened.channel.close()
    return opened.answer.text if opened.answer.word == SAID else ""


def opened_program(login: Login, start: Start, wanted: Wanted) -> Opened:
    """Starts a program, or says what it would have needed."""
    opened = Opened(login, start, wanted)
    if opened.answer.word == STARTED and opened.answer.text.isdigit():
        return opened
    opened.channel.close()
    raise refusal(wanted, opened.answer)


class _Stdin:
    """The channel's way in, with the errors of a pipe."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def write(self, content: bytes) -> int:
        self._translated(self._channel.sendall, content)
        return len(content)

    def flush(self) -> None:
        """Everything was sent already."""

    def close(self) -> None:
        self._translated(self._channel.shutdown_write)

    def _translated(self, send: Callable[..., Any], *arguments: bytes) -> None:
        from paramiko import SSHException

        try:
            send(*arguments)
        except (SSHException, EOFError) as error:
            raise BrokenPipeError(str(error)) from error
