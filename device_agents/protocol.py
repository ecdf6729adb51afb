"""The wire: JSON-RPC 2.0, one JSON object a line, requests on stdin, replies and notifications on stdout.

A conversation (`>` host, `<` agent):

    > {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"protocol": 2, ...}}
    < {"jsonrpc": "2.0", "id": 1, "result": {"protocol": 2, "agent": "0.1.0", ...}}
    > {"jsonrpc": "2.0", "id": 2, "method": "time", "params": {"models": ["5f0c...", "91aa..."], ...}}
    < {"jsonrpc": "2.0", "method": "timed", "params": {"index": 0, "samples_ns": [812345, ...], ...}}
    < {"jsonrpc": "2.0", "method": "timed", "params": {"index": 1, "samples_ns": [99120, ...], ...}}
    < {"jsonrpc": "2.0", "id": 2, "result": {"timed": 2}}

The first request must be `hello` with the host's protocol version and the token of its run: an agent that a broken
connection left behind with the lock gives way to the next one of the same run. Both sides trust each other as far as
the channel does: whoever may write to this stdin may run models on this device, nothing more.
"""

import contextlib
import json
import os
import sys
import traceback
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Sequence

from device_agents import disk

PROTOCOL_VERSION = 2

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
WRONG_PROTOCOL = -32001
DEVICE_BUSY = -32002
BAD_MODEL = -32003
BACKEND_FAILED = -32004

_LONGEST_REQUEST_BYTES = 16 * 1024 * 1024
_TRACE_LINES = 8


class RpcError(Exception):
    """A failure that the host is told about.

    Args:
        code: One of the constants of this module.
        message: One sentence for the user.
        data: Facts for the program, such as who holds the lock.
    """

    def __init__(self, code: int, message: str, data: Optional[Dict[str, Any]] = None) -> None:
        super(RpcError, self).__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Wire:
    """Reads requests and writes replies; after `take_over_stdout` nothing else can write to the host."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests = requests
        self._replies = replies

    @classmethod
    def take_over_stdout(cls) -> "Wire":
        """Keeps the real stdout for the protocol and points file descriptor 1 at stderr.

        Vendor libraries print from C code, straight to descriptor 1; this has to happen before any is loaded.
        """
        sys.stdout.flush()
        replies = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(sys.stdin.buffer, replies)

    def read(self) -> Optional[bytes]:
        """The next line, or None when the host has closed the channel."""
        line = self._requests.readline(_LONGEST_REQUEST_BYTES + 1)
        if len(line) > _LONGEST_REQUEST_BYTES:
            # The rest of the line cannot be told from the next request, so the conversation ends here.
            self.fail(None, RpcError(INVALID_REQUEST, "A request is longer than %d bytes." % _LONGEST_REQUEST_BYTES))
            return None
        return line or None

    def reply(self, request_id: Any, result: Any) -> None:
        """Sends the result of a request."""
        self._write({"id": request_id, "result": result})

    def fail(self, request_id: Any, error: RpcError) -> None:
        """Sends the failure of a request."""
        described: Dict[str, Any] = {"code": error.code, "message": error.message}
        if error.data is not None:
            described["data"] = error.data
        self._write({"id": request_id, "error": described})

    def notify(self, method: str, params: Dict[str, Any]) -> None:
        """Sends something that belongs to a request still running."""
        self._write({"method": method, "params": params})

    def _write(self, message: Dict[str, Any]) -> None:
        message["jsonrpc"] = "2.0"
        self._replies.write(json.dumps(message, separators=(",", ":"), allow_nan=False).encode("utf-8") + b"\n")
        self._replies.flush()


def serve(wire: Wire, methods: Dict[str, Callable[..., Any]], folders: Sequence[str] = ()) -> None:
    """Answers requests until the host closes the channel.

    Args:
        wire: The channel.
        methods: Functions by method name; each takes the request's parameters.
        folders: Where the agent writes, for messages about a full disk.
    """
    greeted = False
    # The host has gone: there is nobody to answer, and the lock is wanted elsewhere.
    with contextlib.suppress(ConnectionError, KeyboardInterrupt):
        while True:
            line = wire.read()
            if line is None:
                return
            if line.strip():
                greeted = _answer(wire, methods, line, greeted, folders)


def _answer(
    wire: Wire, methods: Dict[str, Callable[..., Any]], line: bytes, greeted: bool, folders: Sequence[str]
) -> bool:
    """Answers one request; returns whether the host has said hello by then."""
    request_id = None
    try:
        request = _parse(line)
        request_id = request["id"]
        if not greeted and request["method"] != "hello":
            raise RpcError(INVALID_REQUEST, "The first request must be hello, this one is %s." % request["method"])
        result = _call(methods, request)
    except RpcError as error:
        wire.fail(request_id, error)
        return greeted
    except ConnectionError:
        raise
    except OSError as error:
        # A full disk can show wherever a file is written, in the agent or in a vendor's library.
        wire.fail(request_id, RpcError(BACKEND_FAILED, disk.sentence(error, folders)))
        return greeted
    except Exception as error:
        # The border of the agent: whatever a vendor library raises has to reach the host as a sentence.
        trace = traceback.format_exc().splitlines()[-_TRACE_LINES:]
        text = "%s: %s" % (type(error).__name__, error)
        wire.fail(request_id, RpcError(INTERNAL_ERROR, text, {"trace": trace}))
        return greeted
    wire.reply(request_id, result)
    return True


def _parse(line: bytes) -> Dict[str, Any]:
    try:
        request = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, "A request is not JSON: %s." % error)
    wrong = (
        not isinstance(request, dict)
        or request.get("jsonrpc") != "2.0"
        or not isinstance(request.get("method"), str)
        or not isinstance(request.get("id"), (int, str))
        or not isinstance(request.get("params", {}), dict)
    )
    if wrong:
        raise RpcError(INVALID_REQUEST, "A request needs jsonrpc 2.0, an id, a method name and named parameters.")
    return dict(request)


def _call(methods: Dict[str, Callable[..., Any]], request: Dict[str, Any]) -> Any:
    name = request["method"]
    if name not in methods:
        known = ", ".join(sorted(methods))
        raise RpcError(METHOD_NOT_FOUND, "There is no method %s. Methods: %s." % (name, known), {"methods": known})
    return methods[name](dict(request.get("params", {})))


class Params:
    """The parameters of one request; what is missing, of the wrong type or unknown becomes an error with its name."""

    def __init__(self, method: str, values: Dict[str, Any]) -> None:
        self._method = method
        self._values = dict(values)

    def integer(self, name: str, low: int, high: int, default: Optional[int] = None) -> int:
        """Takes a whole number between two bounds; with a default it may be absent."""
        value = self._take(name) if default is None or name in self._values else default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(name, "a whole number from %d to %d" % (low, high), value)
        return value

    def text(self, name: str) -> str:
        """Takes a string."""
        value = self._take(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def texts(self, name: str) -> List[str]:
        """Takes a list of strings."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of strings", value)
        return list(value)

    def texts_by_name(self, name: str) -> Dict[str, str]:
        """Takes an object whose values are strings."""
        value = self._take(name)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(name, "an object of strings", value)
        return dict(value)

    def objects(self, name: str) -> List[Dict[str, Any]]:
        """Takes a list of objects."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, "a list of objects", value)
        return list(value)

    def end(self) -> None:
        """Says that all parameters were taken."""
        if self._values:
            unknown = ", ".join(sorted(self._values))
            raise RpcError(INVALID_PARAMS, "%s has no parameter %s." % (self._method, unknown))

    def _take(self, name: str) -> Any:
        if name not in self._values:
            raise RpcError(INVALID_PARAMS, "%s lacks the parameter %s." % (self._method, name))
        return self._values.pop(name)

    def _wrong(self, name: str, wanted: str, value: Any) -> RpcError:
        shown = repr(value)[:80]
        return RpcError(INVALID_PARAMS, "%s: %s must be %s, it is %s." % (self._method, name, wanted, shown))
