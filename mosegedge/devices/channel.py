"""JSON-RPC with a running agent: requests out, replies and notifications in, and what to say when it dies."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from mosegedge.devices.connection import Process
from mosegedge.errors import AgentError, ConnectionLostError, DeviceBusyError, ModelRefusedError

_LAST_LINES = 12
_END_S = 5.0
_BUSY, _BAD_MODEL = -32002, -32003


class Channel:
    """One conversation with one agent process.

    Args:
        process: The agent.
        device: Name of the device, for messages.
    """

    def __init__(self, process: Process, device: str) -> None:
        self._process = process
        self._device = device
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._stderr: deque[str] = deque(maxlen=_LAST_LINES)
        self._next_id = 0
        self._usable = True
        self._threads = [
            threading.Thread(target=self._pump_stdout, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._pump_stderr, args=(process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def usable(self) -> bool:
        """Whether another request can be made; false once the agent died or the conversation lost its step."""
        return self._usable and self._process.poll() is None

    def call(self, method: str, params: dict[str, Any], *, timeout_s: float) -> Any:
        """Makes a request and returns its result.

        Raises:
            AgentError: The agent answered with an error, broke the protocol, died, or was silent for `timeout_s`.
            ModelRefusedError: It answered that the model is to blame.
            ConnectionLostError: The way to it broke.
            DeviceBusyError: Another run holds the device.
        """
        result = None
        for kind, content in self.stream(method, params, timeout_s=timeout_s):
            if kind == "result":
                result = content
        return result

    def stream(self, method: str, params: dict[str, Any], *, timeout_s: float) -> Iterator[tuple[str, Any]]:
        """Makes a request; yields (method, params) of every notification and at the end ("result", its result)."""
        self._next_id += 1
        self._send({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        finished = False
        try:
            while True:
                message = self._receive(method, timeout_s)
                if "method" in message:
                    yield str(message["method"]), message.get("params")
                    continue
                finished = True
                if "error" in message:
                    raise self._failure(method, message["error"])
                if message.get("id") != self._next_id or "result" not in message:
                    raise self._broken(f"a reply that belongs to no request: {str(message)[:200]}")
                yield "result", message["result"]
                return
        finally:
            # Someone who stops listening half-way leaves replies behind that the next request would take for its own.
            if not finished:
                self.close()

    def close(self) -> None:
        """Ends the agent, gently first."""
        self._usable = False
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except TimeoutError:
            self.kill()
        for thread in self._threads:
            thread.join(_END_S)
        for stream in (self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()

    def kill(self) -> None:
        """Ends the agent at once."""
        self._usable = False
        self._process.kill()
        with contextlib.suppress(TimeoutError):
            self._process.wait(_END_S)

    def _send(self, message: dict[str, Any]) -> None:
        if not self.usable:
            raise self._died(str(message["method"]))
        try:
            self._process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._died(str(message["method"])) from error

    def _receive(self, method: str, timeout_s: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            self.kill()
            raise AgentError(
                f"The agent on {self._device} was silent for {timeout_s:.0f} s during {method}, and was stopped.",
                known=self._last_words(),
                fix="Start the same command again; what was measured is kept.",
            ) from None
        if line is None:
            raise self._died(method)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._broken(f"a line that is no JSON: {line[:200]!r}") from error
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise self._broken(f"a line that is no JSON-RPC 2.0: {line[:200]!r}")
        return message

    def _failure(self, method: str, error: Any) -> AgentError | DeviceBusyError:
        code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
        if code == _BUSY:
            return DeviceBusyError(
                f"{self._device} is busy. {text}", fix="Wait until that run is done, then start the same command again."
            )
        trace = (error.get("data") or {}).get("trace") if isinstance(error, dict) else None
        known = f"Where: {' | '.join(line.strip() for line in trace)}" if trace else self._last_words()
        kind = ModelRefusedError if code == _BAD_MODEL else AgentError
        return kind(f"The agent on {self._device} could not do {method}: {text}", known=known)

    def _broken(self, what: str) -> AgentError:
        self.kill()
        return AgentError(
            f"The agent on {self._device} broke the protocol: it sent {what}.",
            known=self._last_words(),
            fix="Check the interpreter and the backend of this device: mosegedge devices doctor " + self._device,
        )

    def _died(self, method: str) -> AgentError | ConnectionLostError:
        self._usable = False
        with contextlib.suppress(TimeoutError):
            self._process.wait(_END_S)
        self._threads[1].join(_END_S)
        if lost := self._process.lost():
            return ConnectionLostError(
                f"The connection to {self._device} was lost during {method}: {lost}.",
                known=self._last_words() if self._stderr else "",
                fix="Start the same command again; what was measured is kept.",
            )
        return AgentError(
            f"The agent on {self._device} ended during {method} with status {self._process.poll()}.",
            known=self._last_words(),
            fix="Start the same command again; what was measured is kept.",
        )

    def _last_words(self) -> str:
        return f"Last lines of its stderr: {' | '.join(self._stderr)}" if self._stderr else "Its stderr is empty."

    def _pump_stdout(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                if line.endswith(b"\n"):  # A line that the end of the connection cut short is no reply.
                    self._lines.put(line)
        self._lines.put(None)

    def _pump_stderr(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                self._stderr.append(line.decode(errors="replace").rstrip())
