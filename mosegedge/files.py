"""Files that survive a kill at any moment: atomic writes, digests, append-only journals."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mosegedge.errors import MosegedgeError, UsageError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Writes a file so that readers see either the old content or the whole new one.

    Args:
        path: The file; its folder is made if it is missing.
        content: Bytes, or text that is written as UTF-8.

    Raises:
        OSError: It cannot be written; the error names this file, not the temporary one beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _replace(path, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, content: bytes | str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_regular(path: Path, *, most_bytes: int) -> bytes:
    """Reads a file that somebody else may have put there.

    Args:
        path: The file.
        most_bytes: Larger ones are not even begun.

    Raises:
        ValueError: It is no regular file (a folder, a pipe, a device), or too large; the message says which.
        OSError: It is not there, or cannot be read.
    """
    # A pipe without a writer would be waited for; without blocking it is opened, looked at and refused.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no regular file")
        if found.st_size > most_bytes:
            raise ValueError(f"it has {found.st_size} bytes, more than {most_bytes}")
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it grew beyond {most_bytes} bytes")
    return content


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text. NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_of_bytes(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def exclusive(folder: Path, work: str, *, error: type[MosegedgeError] = UsageError) -> Iterator[None]:
    """Keeps a second process out of a run folder; the lock goes with the process, however that ends.

    Args:
        folder: Made if missing.
        work: What is done there, for the message: `training`.
        error: Raised where another process holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise error(
                f"Another {work} is at work in {folder}.", fix="Wait until it ends, or choose another --output."
            ) from held
        yield


class Journal:
    """A file of JSON objects, one a line, that only grows; every line is on disk when `append` returns.

    A line that is added without waiting survives the end of this process, and that of the machine from the next line on
    that is waited for.

    A line that a kill cut short is dropped when the journal is opened again; a damaged line before the last one is an
    error, since then something else wrote to the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """All records, oldest first; an absent file is an empty journal."""
        return self._parse(self.path.read_bytes() if self.path.exists() else b"")

    def append(self, record: dict[str, Any], *, wait: bool = True) -> None:
        """Adds one record and waits until it is on disk, with all records before it, unless told not to."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("r+b" if self.path.exists() else "w+b") as stream:
            stream.seek(0, os.SEEK_END)
            self._cut_torn_line(stream.fileno())
            stream.seek(0, os.SEEK_END)
            stream.write(canonical_json(record).encode() + b"\n")
            stream.flush()
            if wait:
                os.fsync(stream.fileno())

    def _cut_torn_line(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            content = os.pread(descriptor, size, 0)
            os.ftruncate(descriptor, content.rfind(b"\n") + 1)

    def _parse(self, content: bytes) -> list[dict[str, Any]]:
        records = []
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                break
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise MosegedgeError(
                    f"Line {number} of {self.path} is damaged: {error}.",
                    known="A kill can only cut the last line; this one was changed by something else.",
                    fix="Restore the file from a copy, or start again with another --output.",
                ) from error
            records.append(record)
        return records
