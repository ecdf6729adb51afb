"""Digests of models that were made before, by everything that decided what is in them.

A second profile of the same space, with more threads or on another device of the same kind, needs the same files. Where
the device still has them nothing is made or compiled again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from mosegedge import __version__
from mosegedge.devices.suiting import settings_of, target_of_device
from mosegedge.files import canonical_json, sha256_of_bytes, write_atomic
from mosegedge.profiling.plan import Item, Plan
from mosegedge.space import Architecture

_SOURCES = ("networks", "space", "devices/suiting.py", "devices/host_compiler.py", "profiling/models.py")
_PACKAGES = ("torch", "onnx", "numpy")


@dataclass(frozen=True, slots=True)
class Made:
    """A model that was made: its digest and format, and what was said of it."""

    sha256: str
    model_format: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class MadeModels:
    """What this machine made for one kind of device.

    Args:
        plan: The device with its precision, opset and settings; the number of threads is no part of a model.
        typed: Whether the precision has to be in the file, which is the device's to tell.
        host_compiler: Which compiler on this machine makes its models, empty for none.
    """

    def __init__(self, plan: Plan, *, typed: bool, host_compiler: str) -> None:
        device = plan.device
        context = {
            "backend": device.backend,
            "precision": device.precision,
            "typed": typed,
            "target": target_of_device(device),
            "settings": settings_of(device),
            "opset": device.opset,
            "host_compiler": host_compiler,
            "tools": _tools(),
        }
        self._plan = plan
        self._path = _folder() / f"{sha256_of_bytes(canonical_json(context).encode())}.json"
        self._made = self._read()
        self._new: dict[str, Made] = {}

    def get(self, item: Item) -> Made | None:
        """What was made for a layer or a network, if anything."""
        return self._made.get(self._name(item))

    def add(self, item: Item, made: Made) -> None:
        """Remembers it until `save`."""
        self._new[self._name(item)] = made

    def save(self) -> None:
        """Writes what was added; of two that write at once one is forgotten, and made again some day."""
        if self._new:
            self._made = self._read() | self._new
            write_atomic(self._path, canonical_json({name: asdict(made) for name, made in self._made.items()}))

    def _name(self, item: Item) -> str:
        """Weights of a network depend on its space, those of a layer on nothing else."""
        return f"{self._plan.space.digest} {item.key}" if isinstance(item.source, Architecture) else item.key

    def _read(self) -> dict[str, Made]:
        try:
            content: dict[str, dict[str, Any]] = json.loads(self._path.read_bytes())
            return {
                name: Made(made["sha256"], made["model_format"], tuple(made["notes"]), tuple(made["warnings"]))
                for name, made in content.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # Absent or damaged: then everything is made, and the file is written anew.


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mosegedge" / "made"


@cache
def _tools() -> dict[str, str]:
    """What makes the files: versions, and the digest of the sources."""
    root = Path(str(resources.files("mosegedge")))
    files = [
        path for name in _SOURCES for path in sorted([root / name, *(root / name).rglob("*.py")]) if path.is_file()
    ]
    sources = sha256_of_bytes(b"".join(path.read_bytes() for path in files))
    return {"mosegedge": __version__, "sources": sources} | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
