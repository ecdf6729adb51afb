"""Whether a device answers where it should be, and is the one that was met before; nothing is sent to it yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mosegedge.devices.doctor.checks import Check, failure, line_to_write
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError

if TYPE_CHECKING:
    from mosegedge.devices.ssh.config import Target

_CONNECT_S = 5.0
_GREETING_S = 10.0
_GREETING = b"SSH-"


def network_checks(device: Device, *, accept_new_host_key: bool) -> Iterator[Check]:
    """Address and host key of a device that is reached over SSH."""
    from mosegedge.devices.ssh.config import targets_of

    try:
        targets = targets_of(device)
    except DeviceError as error:
        yield failure("address", error, fix="Correct ~/.ssh/config.")
        return
    silent = []
    for target in targets:
        if target.via or target.proxy_command:
            way = target.via.where if target.via else " ".join(target.proxy_command)
            yield Check("address", "ok", f"{target.host} port {target.port}, through {way}")
            yield Check("host key", "skipped", "Looked at when logging in, at the end of that way.")
            return
        try:
            with socket.create_connection((target.host, target.port), timeout=_CONNECT_S) as stream:
                greeting = _greeting(target, stream)
                yield greeting
                if greeting.status == "ok":
                    yield _host_key(target, stream, accept_new=accept_new_host_key)
            return
        except OSError as error:
            silent.append(f"{target.host} port {target.port}: {error.strerror or error}")
    address = line_to_write(device, 'address = "..."')
    fix = f"Check power, cable and network: ping {targets[0].host}. Where it is elsewhere: {address}"
    yield Check("address", "failed", f"Nothing answers. {'; '.join(silent)}.", fix)


def _greeting(target: Target, stream: socket.socket) -> Check:
    """What the server says first, left in the stream for those who come after."""
    stream.settimeout(_GREETING_S)
    try:
        greeting = stream.recv(256, socket.MSG_PEEK)
    except OSError:
        greeting = b""
    where = f"{target.host} port {target.port}"
    if not greeting.startswith(_GREETING):
        found = f"{where} answers, but is no SSH server: {greeting[:60]!r}."
        return Check("address", "failed", found, "Correct the port, or start sshd there.")
    return Check("address", "ok", f"{where}, {greeting.split()[0].decode(errors='replace')}")


def _host_key(target: Target, stream: socket.socket, *, accept_new: bool) -> Check:
    from paramiko import SSHException, Transport

    from mosegedge.devices.ssh.hostkeys import check_host_key, known_keys, preferred_algorithms

    transport = Transport(stream)
    try:
        known = known_keys(target)
        options = transport.get_security_options()
        options.key_types = preferred_algorithms(known, tuple(options.key_types))
        transport.start_client(timeout=_GREETING_S)
        key = transport.get_remote_server_key()
        check_host_key(target, key, accept_new=accept_new)
    except DeviceError as error:
        return failure("host key", error, fix="Compare it on the board.")
    except (SSHException, EOFError, OSError) as error:
        return Check("host key", "failed", f"{target.host} does not show one: {error}.", "Look into its sshd's log.")
    finally:
        transport.close()
    return Check("host key", "ok", f"{key.get_name()} {key.fingerprint}{'' if known else ', new and now remembered'}")
