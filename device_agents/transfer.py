"""Files on the device for a host that has no SFTP there, and what SFTP cannot say: digests, free space.

The host sends this module as text to the device's interpreter. Arguments: a verb and its operands. Every answer is one
line of JSON on stdout; a failure is {"error": ..., "free": ...}.

    digest PATH             {"size": ..., "sha256": ...}
    free FOLDER             {"free": bytes}
    put PATH SIZE SHA256    reads SIZE bytes from stdin; the file appears whole or not at all
    get PATH                {"size": ..., "sha256": ...}, then the content
"""

import hashlib
import json
import os
import sys
import tempfile
from typing import Any, Dict

_BLOCK_BYTES = 1 << 20


def free_bytes(folder: str) -> int:
    """What this user can still write into the closest folder that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "/"
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def digest(path: str) -> Dict[str, Any]:
    """Size and SHA-256 of a file."""
    found = hashlib.sha256()
    size = 0
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
            found.update(block)
            size += len(block)
    return {"size": size, "sha256": found.hexdigest()}


def put(path: str, size: int, sha256: str) -> Dict[str, Any]:
    """Writes a file from stdin."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".mosegedge-", suffix=".part")
    try:
        found = hashlib.sha256()
        with os.fdopen(handle, "wb") as stream:
            while size > 0:
                block = sys.stdin.buffer.read(min(_BLOCK_BYTES, size))
                if not block:
                    raise OSError("the connection ended before the file did")
                stream.write(block)
                found.update(block)
                size -= len(block)
            stream.flush()
            os.fsync(stream.fileno())
        if found.hexdigest() != sha256:
            raise OSError("the content arrived damaged")
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return {"size": os.path.getsize(path)}


def main(verb: str, path: str, *operands: str) -> None:
    """Does one thing and prints its answer."""
    out = sys.stdout.buffer
    try:
        answer: Dict[str, Any]
        if verb == "free":
            answer = {"free": free_bytes(path)}
        elif verb == "put":
            answer = put(path, int(operands[0]), operands[1])
        else:
            answer = digest(path)
    except OSError as error:
        answer = {"error": error.strerror or str(error), "free": free_bytes(path)}
    out.write(json.dumps(answer).encode("ascii") + b"\n")
    if verb == "get" and "error" not in answer:
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
                out.write(block)
    out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
