"""An SSH server whose connections break: asyncssh, behind a relay that drops, cuts short and delays at chosen bytes.

`FaultServer` runs this file as a program of its own. A `Fault` belongs to one connection: after so many bytes in one
direction something happens to it. What the server has started lives on when a connection breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh

_BLOCK = 4096
_DELAY_S = 0.03


@dataclass(frozen=True)
class Fault:
    """What happens to one connection.

    Attributes:
        kind: `drop` resets it, `truncate` delivers what was sent and then ends it, `delay` holds it up for a moment,
            `refuse` does not even let it begin.
        upwards: Whether the bytes from the host are counted, or those to it.
        after: How many bytes pass before.
    """

    kind: str
    upwards: bool
    after: int


def random_fault(state: random.Random) -> Fault:
    """A fault somewhere between the first byte and long after the first model is timed."""
    kind = state.choices(["drop", "truncate", "delay", "refuse"], [8, 8, 2, 1])[0]
    return Fault(kind, state.random() < 0.5, int(10 ** state.uniform(1, 4.8)))


class FaultServer:
    """Context manager around a server on loopback whose first connections have these faults, one each."""

    def __init__(self, folder: Path, keys: Path, environment: dict[str, str], faults: Sequence[Fault]) -> None:
        self._used = folder / "faults used"
        self._files = [str(keys / "host"), str(keys / "authorized"), str(self._used)]
        self._environment = environment
        self._faults = faults

    def __enter__(self) -> FaultServer:
        command = [sys.executable, __file__, *self._files, json.dumps([asdict(fault) for fault in self._faults])]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self._environment)
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def faults_left(self) -> bool:
        """Whether a connection to come still has a fault."""
        return self._used.stat().st_size < len(self._faults)


class _Server:
    def __init__(self, host_key: str, authorized: str, used: str, faults: list[Fault]) -> None:
        self._files = host_key, authorized
        self._used = Path(used)
        self._faults = faults
        self._port = 0

    async def serve(self) -> None:
        host_key, authorized = self._files
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=authorized,
            process_factory=start_command,
            sftp_factory=True,
            encoding=None,
        )
        self._port = server.get_port()
        relay = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        sys.stdout.write(f"{relay.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._faults.pop() if self._faults else None
        with self._used.open("ab") as stream:
            stream.write(b"." if fault else b"")
        if fault is not None and fault.kind == "refuse":
            writer.transport.abort()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_forward(reader, inner_writer, fault if fault and fault.upwards else None))
                group.create_task(_forward(inner_reader, writer, fault if fault and not fault.upwards else None))
        except* (_Broken, OSError):
            for end in (writer, inner_writer):
                end.transport.abort()


class _Broken(Exception):
    pass


async def start_command(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Runs a command as sshd does: the user's shell reads it, three pipes lead to it."""
    pipe = subprocess.PIPE
    command = ["/bin/sh", "-c", process.command or ":"]
    program = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    await process.redirect(stdin=program.stdin, stdout=program.stdout, stderr=program.stderr)
    status = await program.wait()
    with contextlib.suppress(OSError, asyncssh.Error):
        if status >= 0:
            process.exit(status)
        else:
            process.exit_with_signal("KILL")


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
    passed = 0
    while block := await reader.read(_BLOCK):
        if fault is not None and passed + len(block) > fault.after:
            writer.write(block[: fault.after - passed])
            if fault.kind == "drop":
                raise _Broken
            await writer.drain()
            await asyncio.sleep(_DELAY_S)
            if fault.kind == "truncate":
                writer.close()
                raise _Broken
            writer.write(block[fault.after - passed :])
            fault = None
        else:
            writer.write(block)
        passed += len(block)
        await writer.drain()
    raise _Broken


if __name__ == "__main__":
    chosen = [Fault(**values) for values in json.loads(sys.argv[4])]
    asyncio.run(_Server(*sys.argv[1:4], chosen).serve())
