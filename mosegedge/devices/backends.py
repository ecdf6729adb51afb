"""The runtimes that an agent can use, as the host knows them: a name and the agent's module.

A package adds its own by an entry point in the group `mosegedge.backends`, whose name is the backend's and whose value
is a `Backend`. Nothing else in mosegedge asks which backend it has.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from mosegedge.errors import DeviceError

_GROUP = "mosegedge.backends"


@dataclass(frozen=True, slots=True)
class Backend:
    """One runtime.

    Attributes:
        name: Its name in devices.toml.
        description: One line for lists.
        module: The agent's module with the five functions; None for one that is part of the agent.
    """

    name: str
    description: str
    module: Path | None = None

    @property
    def module_name(self) -> str:
        """File name of the module inside the agent."""
        return f"{self.name}_backend.py"


_BUILT_IN = (Backend("onnxruntime", "ONNX Runtime, CPU execution provider"),)


def backends() -> dict[str, Backend]:
    """All backends by name: the built-in ones and those of installed packages."""
    found = {backend.name: backend for backend in _BUILT_IN}
    for point in metadata.entry_points(group=_GROUP):
        backend = point.load()
        if not isinstance(backend, Backend) or backend.name != point.name:
            raise DeviceError(
                f"The entry point {point.name} = {point.value!r} of the group {_GROUP} is no Backend of that name.",
                fix="Correct or remove the package that brings it.",
            )
        found[point.name] = backend
    return found


def get_backend(name: str) -> Backend:
    """Finds a backend.

    Raises:
        DeviceError: There is none of that name; the message offers the closest.
    """
    known = backends()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        raise DeviceError(
            f"There is no backend {name!r}.",
            known=f"Backends: {', '.join(sorted(known))}.",
            fix=f"Did you mean {close[0]!r}?" if close else "Correct `backend` in devices.toml.",
        )
    return known[name]


def agent_sources(backend: Backend) -> dict[str, bytes]:
    """Files of the agent by their path in its package, the backend's module included."""
    folder = resources.files("device_agents")
    sources = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".py")}
    if backend.module is not None:
        try:
            sources[backend.module_name] = backend.module.read_bytes()
        except OSError as error:
            raise DeviceError(
                f"The module of the backend {backend.name} cannot be read: {error}.", fix="Install its package again."
            ) from error
    if backend.module_name not in sources:
        raise DeviceError(f"The agent has no module {backend.module_name}.", fix="Install mosegedge again.")
    return sources
