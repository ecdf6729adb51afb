"""An SSH server that takes no key: asyncssh, asking for a password in one of the ways of the protocol.

`PasswordServer` runs this file as a program of its own. The password is `hunter2`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncssh
from faultserver import start_command

PASSWORD = "hunter2"


class PasswordServer:
    """Context manager around a server on loopback.

    Args:
        way: `password`, `questions` (the password as the answer to a question) or `code` (two questions, one after the
            other).
    """

    def __init__(self, way: str, keys: Path) -> None:
        self._command = [sys.executable, __file__, way, str(keys / "host")]

    def __enter__(self) -> PasswordServer:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


class _Server(asyncssh.SSHServer):
    def __init__(self, way: str) -> None:
        self._way = way
        self._questions = ["Password: ", "Verification code: "] if way == "code" else ["Password: "]

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return False

    def password_auth_supported(self) -> bool:
        return self._way == "password"

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD

    def kbdint_auth_supported(self) -> bool:
        return self._way != "password"

    def get_kbdint_challenge(self, username, lang, submethods):
        return "Login", "", "en", [(self._questions[0], False)]

    def validate_kbdint_response(self, username, responses):
        if list(responses) != [PASSWORD]:
            return False
        if len(self._questions) == 1:
            return True
        self._questions.pop(0)
        return "Login", "", "en", [(self._questions[0], True)]


async def serve(way: str, host_key: str) -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Server(way),
        server_host_keys=[host_key],
        process_factory=start_command,
        encoding=None,
    )
    sys.stdout.write(f"{server.get_port()}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
