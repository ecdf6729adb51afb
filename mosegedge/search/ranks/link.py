"""JSON objects, one a line, over a connection between two ranks."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

_LONGEST_LINE = 1 << 16
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Link:
    """One end of a connection; objects may be sent from several threads, and received by one.

    A host that vanished without a word is noticed within a minute or so, also by an end that only waits.

    Args:
        connection: An open connection; the link closes it.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._connection = connection
        self._received = b""
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Sends an object; floats arrive as they are, to the bit.

        Raises:
            OSError: The other end is gone.
        """
        with self._sending:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout_s: float | None) -> dict[str, Any]:
        """Waits for an object.

        Raises:
            TimeoutError: Nothing came in time.
            OSError: The other end is gone.
            ValueError: What came is no object.
        """
        self._connection.settimeout(timeout_s)
        while b"\n" not in self._received:
            if len(self._received) > _LONGEST_LINE:
                raise ValueError("what came is a line without end")
            content = self._connection.recv(_LONGEST_LINE)
            if not content:
                raise ConnectionError("the connection was closed")
            self._received += content
        line, _, self._received = self._received.partition(b"\n")
        try:
            message = json.loads(line)
        except RecursionError as error:
            raise ValueError("what came is nested without end") from error
        if not isinstance(message, dict):
            raise ValueError("what came is no object")
        return message

    def close(self) -> None:
        """Ends the connection; whoever waits for it at either end is told."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
