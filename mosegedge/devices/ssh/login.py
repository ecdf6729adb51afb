"""A checked and logged-in SSH transport to a device, through all machines on the way, and whether it still lives.

In: a `Target`. Out: a `Login`, whose transport carries programs and files. Every machine on the way is checked against
the known hosts before anything is sent to it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mosegedge.devices.ssh.auth import Secrets, authenticate
from mosegedge.devices.ssh.config import Target
from mosegedge.devices.ssh.hostkeys import check_host_key, known_keys, preferred_algorithms
from mosegedge.errors import ConnectionLostError, DeviceError

if TYPE_CHECKING:
    from paramiko import Transport

CONNECT_S = 5.0
_HANDSHAKE_S = 30.0
_ALIVE_INTERVAL_S = 15.0
_ALIVE_PATIENCE_S = 45.0
_SETTLE_S = 0.4
_PROHIBITED = 1

# Without a handler Python prints a library's warnings to stderr, tracebacks included.
_LOG = "mosegedge.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())


class Login:
    """One transport with those that carry it.

    Attributes:
        target: The machine at its end.
        transport: Where programs and files go.
    """

    def __init__(self, target: Target, secrets: Secrets, *, accept_new_host_key: bool) -> None:
        self.target = target
        self._closing = contextlib.ExitStack()
        try:
            jump = None
            if target.via is not None:
                jump = Login(target.via, secrets, accept_new_host_key=accept_new_host_key)
                self._closing.callback(jump.close)
            self.transport = self._opened(jump)
            check_host_key(target, self.transport.get_remote_server_key(), accept_new=accept_new_host_key)
            authenticate(self.transport, target, secrets)
        except BaseException:
            self._closing.close()
            raise
        self._watch = _Watch(self.transport)
        self._closing.callback(self._watch.stop)

    @property
    def alive(self) -> bool:
        """Whether the machine can be reached through this."""
        return bool(self.transport.is_active())

    @property
    def reason(self) -> str:
        """Why it ended, as far as that is known."""
        if self._watch.silent:
            return f"no answer for {_ALIVE_PATIENCE_S:.0f} s"
        error = self.transport.get_exception()
        return str(error) if error is not None and str(error) else "the other side closed it"

    def is_alive_after_all(self) -> bool:
        """Whether it lives, asked after an error: a connection's end is seen a moment after that of its programs."""
        end_s = time.monotonic() + _SETTLE_S
        while self.alive and time.monotonic() < end_s:
            time.sleep(_SETTLE_S / 20)
        return self.alive

    def lost(self, doing: str, why: str = "") -> ConnectionLostError:
        """The error that says so."""
        return ConnectionLostError(
            f"The connection to {self.target.name} was lost while {doing}: {why or self.reason}.",
            fix="Check the cable and the board, then start the same command again.",
        )

    def close(self) -> None:
        """Ends everything that runs over it."""
        self._closing.close()

    def _opened(self, jump: Login | None) -> Transport:
        from paramiko import IncompatiblePeer, SSHException

        from mosegedge.devices.ssh.transport import LoginTransport

        target = self.target
        with self._no_way():
            if jump is not None:
                way = _through(jump, target)
            elif target.proxy_command:
                way = self._through_program()
            else:
                way = socket.create_connection((target.host, target.port), CONNECT_S)
            self._closing.callback(way.close)
            transport = LoginTransport(way)
            self._closing.callback(transport.close)
        transport.set_log_channel(_LOG)
        transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = _HANDSHAKE_S
        options = transport.get_security_options()
        options.key_types = preferred_algorithms(known_keys(target), tuple(options.key_types))
        try:
            transport.start_client(timeout=_HANDSHAKE_S)
        except IncompatiblePeer as error:
            raise DeviceError(
                f"{target.name} and this host have no cipher or key type in common: {error}.",
                fix=f"Update the SSH server of {target.name}.",
            ) from error
        except (SSHException, EOFError, OSError) as error:
            raise self._unreachable(f"no SSH server answered ({error or 'it hung up'})") from error
        if not transport.initial_kex_done:
            raise self._unreachable(f"the SSH server did not agree on keys within {_HANDSHAKE_S:.0f} s")
        return transport

    @contextlib.contextmanager
    def _no_way(self) -> Iterator[None]:
        from paramiko import ChannelException, SSHException

        try:
            yield
        except ChannelException as error:
            if error.code == _PROHIBITED:
                raise DeviceError(
                    f"{self.target.via and self.target.via.name} does not pass connections on to {self.target.name}.",
                    fix="Set AllowTcpForwarding yes in its sshd_config.",
                ) from error
            raise self._unreachable(error.text) from error
        except (SSHException, EOFError, OSError) as error:
            text = f"no answer within {CONNECT_S:.0f} s" if isinstance(error, TimeoutError) else ""
            raise self._unreachable(text or getattr(error, "strerror", None) or str(error)) from error

    def _through_program(self) -> socket.socket:
        """A socket that leads to the ProxyCommand of ~/.ssh/config."""
        ours, theirs = socket.socketpair()
        command = self.target.proxy_command
        with theirs:
            program = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), start_new_session=True)
        self._closing.callback(program.wait)
        self._closing.callback(program.kill)
        return ours

    def _unreachable(self, why: str) -> ConnectionLostError:
        return ConnectionLostError(
            f"{self.target.name} cannot be reached at {self.target.where}: {why}.",
            fix="Check the cable, the power and the address: mosegedge devices show",
        )


class _Watch:
    """Asks the other side now and then, and closes a transport whose other side does not answer.

    TCP alone notices a pulled cable after a quarter of an hour, and behind another machine never.
    """

    def __init__(self, transport: Transport) -> None:
        self.silent = False
        self._transport = transport
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="mosegedge-ssh-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        from paramiko import SSHException

        while not self._stopped.wait(_ALIVE_INTERVAL_S) and self._transport.is_active():
            timer = threading.Timer(_ALIVE_PATIENCE_S, self._give_up)
            timer.daemon = True
            timer.start()
            try:
                self._transport.global_request("keepalive@openssh.com", wait=True)
            except (SSHException, EOFError, OSError):
                return
            finally:
                timer.cancel()

    def _give_up(self) -> None:
        self.silent = True
        self._transport.close()


def _through(jump: Login, target: Target) -> Any:
    return jump.transport.open_channel(
        "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=_HANDSHAKE_S
    )
