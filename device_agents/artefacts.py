"""Compiled models, kept on the device: named by everything that went into them, never compiled twice.

Next to `<key>.<format>` lies `<key>.json`, which says what the key stands for and what the file's digest was. A file
that does not match its record is compiled again.
"""

import hashlib
import json
import os
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional

from device_agents import leftovers
from device_agents.protocol import BACKEND_FAILED, RpcError

_BLOCK_BYTES = 1024 * 1024


class Built:
    """What `build` returns.

    Attributes:
        path: The file that `load` takes.
        cached: Whether it was there already.
        seconds: How long compiling took, now or when it was put into the cache.
        notes: What a reader should know: fallbacks that the compiler named, a path that was taken.
    """

    def __init__(self, path: str, cached: bool = True, seconds: float = 0.0, notes: Optional[List[str]] = None) -> None:
        self.path = path
        self.cached = cached
        self.seconds = seconds
        self.notes = notes or []


def cached_build(folder: str, parts: Dict[str, Any], suffix: str, compile_to: Callable[[str], List[str]]) -> Built:
    """Returns the compiled file for these parts, compiling it when it is not there.

    Args:
        folder: Where compiled files are kept.
        parts: Everything that decides the result: model digest, options, versions, chip. Plain values.
        suffix: The format: "engine", "om".
        compile_to: Writes the file to the path that it is given and returns notes; raises RpcError when it cannot.
    """
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8")).hexdigest()
    path = os.path.join(folder, "%s.%s" % (key, suffix))
    record = _record(folder, key)
    if record is not None and os.path.isfile(path) and sha256_of(path) == record["sha256"]:
        os.utime(path, None)
        return Built(path, True, record["seconds"], record["notes"])
    # In a folder of its own: compilers write other files beside the one that is asked for.
    with tempfile.TemporaryDirectory(prefix=leftovers.prefix("build"), dir=folder) as scratch:
        started = time.monotonic()
        unfinished = os.path.join(scratch, "model.%s" % suffix)
        notes = compile_to(unfinished)
        if not os.path.isfile(unfinished) or os.path.getsize(unfinished) == 0:
            raise RpcError(BACKEND_FAILED, "The compiler reported success and wrote no file.")
        seconds = time.monotonic() - started
        content = {"parts": parts, "sha256": sha256_of(unfinished), "seconds": seconds, "notes": notes}
        described = os.path.join(scratch, "record.json")
        with open(described, "w") as stream:
            json.dump(content, stream, sort_keys=True)
        os.replace(unfinished, path)
        os.replace(described, os.path.join(folder, "%s.json" % key))
    return Built(path, False, seconds, notes)


def sha256_of(path: str) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def _record(folder: str, key: str) -> Optional[Dict[str, Any]]:
    try:
        with open(os.path.join(folder, "%s.json" % key)) as stream:
            record = json.load(stream)
    except (OSError, ValueError):
        return None
    wanted = isinstance(record, dict) and {"sha256", "seconds", "notes"} <= set(record)
    return record if wanted else None
