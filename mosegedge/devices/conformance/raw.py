"""An agent without the client between: every line that it writes is kept, and errors have their codes."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from dataclasses import dataclass, field
from typing import IO, Any, Self

from mosegedge.devices.connection import Process

_ANSWER_S = 900.0
_END_S = 20.0
_LONGEST_SHOWN = 200


class BreachError(Exception):
    """Something is not as the protocol wants it; the text says what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to one request, and the notifications before it.

    Attributes:
        result: None if it failed.
        code: Of the error, None if it succeeded.
        message: Of the error.
        notified: Parameters of the notifications.
    """

    result: Any
    code: int | None = None
    message: str = ""
    notified: list[Any] = field(default_factory=list)


class RawAgent:
    """One agent process; leave its context to end it.

    Args:
        process: The agent, started.
        noise: Lines that are no protocol are added here, so that a conversation with them goes on.

    Attributes:
        folders: The reply to `hello`, with the folders for models and tensors; empty before.
    """

    def __init__(self, process: Process, noise: list[str]) -> None:
        self._process = process
        self._noise = noise
        self.folders: dict[str, Any] = {}
        self._next_id = 0
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._last_words = ""
        self._threads = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    @property
    def running(self) -> bool:
        """Whether it can take another request."""
        return self._process.poll() is None

    def ask(self, method: str, **params: Any) -> Answer:
        """Makes a request and waits for its reply.

        Raises:
            BreachError: The agent died, or answered something else.
        """
        self._next_id += 1
        request = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._died(method) from error
        notified = []
        while True:
            message = self._next(method)
            if "method" in message:
                notified.append(message.get("params"))
            elif message.get("id") != self._next_id:
                raise BreachError(
                    f"{method} was answered with the id {message.get('id')!r} instead of {self._next_id}."
                )
            elif "error" in message:
                code, text = message["error"].get("code"), message["error"].get("message")
                if not isinstance(code, int) or not isinstance(text, str) or not text:
                    raise BreachError(f"{method} failed without a code and a sentence: {_shown(message)}")
                return Answer(None, code, text, notified)
            elif "result" in message:
                return Answer(message["result"], notified=notified)
            else:
                raise BreachError(f"{method} was answered with neither a result nor an error: {_shown(message)}")

    def result(self, method: str, **params: Any) -> Any:
        """Makes a request that has to succeed."""
        answer = self.ask(method, **params)
        if answer.code is not None:
            raise BreachError(f"{method} failed with {answer.code}: {answer.message}")
        return answer.result

    def greet(self, greeting: dict[str, Any]) -> None:
        """Says hello, and keeps where files go."""
        self.folders = self.result("hello", **greeting)

    def end(self) -> int | None:
        """Closes its stdin; returns its exit status, None if it had to be killed."""
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()
        status: int | None
        try:
            status = self._process.wait(_END_S)
        except TimeoutError:
            self._process.kill()
            status = None
        for thread in self._threads:
            thread.join(_END_S)
        for stream in (self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        return status

    def _next(self, method: str) -> dict[str, Any]:
        while True:
            try:
                line = self._lines.get(timeout=_ANSWER_S)
            except queue.Empty:
                raise BreachError(f"{method} was not answered within {_ANSWER_S:.0f} s.") from None
            if line is None:
                raise self._died(method)
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            if isinstance(message, dict) and message.get("jsonrpc") == "2.0":
                return message
            self._noise.append(_shown(line))

    def _died(self, method: str) -> BreachError:
        with contextlib.suppress(TimeoutError):
            self._process.wait(_END_S)
        self._threads[1].join(_END_S)
        status = self._process.poll()
        return BreachError(
            f"The agent ended during {method} with status {status}. Its last words: {self._last_words!r}."
        )

    def _read_stdout(self) -> None:
        self._pump(self._process.stdout)
        self._lines.put(None)

    def _pump(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                self._lines.put(line)

    def _read_stderr(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr:
                self._last_words = line.decode(errors="replace").rstrip() or self._last_words


def _shown(value: Any) -> str:
    text = value.decode(errors="replace").rstrip() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
