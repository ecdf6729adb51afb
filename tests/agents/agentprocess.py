"""A started agent and its raw pipes, for tests of the wire itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mosegedge.devices.agent_package import agent_zipapp
from mosegedge.devices.backends import Backend

FAKE = Backend("fake", "simulated time", Path(__file__).with_name("fakebackend.py"))


HELLO = {"protocol": 2, "client": "test", "run": "", "threads": 1, "precision": "fp32", "settings": {}}


class AgentProcess:
    """Context manager around one agent."""

    def __init__(self, folder: Path, *, backend: Backend = FAKE, environment: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        package = folder / "agent.pyz"
        content = agent_zipapp(backend)
        if not (package.exists() and package.read_bytes() == content):  # Another agent may be reading it.
            package.write_bytes(content)
        command = [sys.executable, str(package), "--backend", backend.name, "--cache", str(folder / "cache")]
        command += ["--lock", str(folder / "lock")]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        self.next_id = 0

    def __enter__(self) -> AgentProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()

    def send(self, line: bytes) -> None:
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        return json.loads(self.process.stdout.readline())

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.next_id += 1
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}
        self.send(json.dumps(request).encode())
        return self.receive()

    def hello(self) -> dict[str, Any]:
        return self.call("hello", **HELLO)["result"]
