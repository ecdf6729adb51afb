"""The runtimes that an agent can use, as the host knows them: a name, the agent's module, and its settings.

A package adds its own by an entry point in the group `mosegedge.backends`, whose name is the backend's and whose value
is a `Backend`. Nothing else in mosegedge asks which backend it has. What the agent's module must define is written in
`device_agents/backends/__init__.py`; `mosegedge devices conformance NAME` checks it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from mosegedge.errors import DeviceError

_GROUP = "mosegedge.backends"


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that only one backend knows, written under `[NAME.settings]` in devices.toml.

    Attributes:
        name: Its name there.
        help: One line.
        values: What it may be; empty for any text.
        default: What it is when nothing is written.
    """

    name: str
    help: str
    values: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Backend:
    """One runtime.

    Attributes:
        name: Its name in devices.toml.
        description: One line for lists.
        module: The agent's module, a file or the folder of a package; None for one that is part of the agent.
        settings: What may be set for a device with this backend.
    """

    name: str
    description: str
    module: Path | None = None
    settings: tuple[Setting, ...] = ()

    def checked_settings(self, given: Mapping[str, str], source: str) -> dict[str, str]:
        """The settings of a device with the defaults filled in.

        Args:
            given: As written in devices.toml.
            source: Where, for messages.

        Raises:
            DeviceError: A setting is unknown, or its value is not one of those allowed.
        """
        known = {setting.name: setting for setting in self.settings}
        for name, value in given.items():
            if name not in known:
                names = ", ".join(known) or "none"
                raise DeviceError(
                    f"{source}: the backend {self.name} has no setting {name!r}.", known=f"Settings: {names}."
                )
            allowed = known[name].values
            if allowed and value not in allowed:
                raise DeviceError(
                    f"{source}: {name} = {value!r} is not possible with the backend {self.name}.",
                    known=f"Possible: {', '.join(allowed)}.",
                )
        return {name: given.get(name, setting.default) for name, setting in known.items()}


BUILD_TIMEOUT = "build_timeout_s"
_BUILD_TIMEOUT = Setting(BUILD_TIMEOUT, "longest time to compile one model, in seconds", default="840")
_SWITCH = ("on", "off")
_BUILT_IN = (
    Backend(
        "onnxruntime",
        "ONNX Runtime with any of its execution providers",
        settings=(
            Setting("provider", "execution provider", default="CPUExecutionProvider"),
            Setting("provider_library", "library of a plug-in provider, a path on the device"),
            Setting("provider_options", "what else the provider is told, as name=value; name=value"),
            Setting("device_id", "number of the accelerator", default="0"),
        ),
    ),
    Backend(
        "openvino",
        "OpenVINO",
        settings=(
            Setting("device", "OpenVINO's name of the device, as CPU", default="CPU"),
            Setting("pinning", "keep threads on their cores", _SWITCH, "off"),
        ),
    ),
    Backend(
        "torch",
        "PyTorch",
        settings=(
            Setting("device", "PyTorch's name of the device, as cuda:0", default="cpu"),
            Setting("mode", "eager calls, or a CUDA graph", ("eager", "graph"), "eager"),
            Setting("memory_format", "layout of pictures", ("contiguous", "channels_last"), "contiguous"),
        ),
    ),
    Backend(
        "tensorrt",
        "TensorRT 8.5 to 11, or TensorRT-RTX",
        settings=(
            Setting("module", "which Python module", ("tensorrt", "tensorrt_rtx"), "tensorrt"),
            Setting("trtexec", "use the command instead of the Python module", ("auto", "always", "never"), "auto"),
            Setting("cuda_graph", "replay a captured graph", _SWITCH, "on"),
            Setting("optimization_level", "builder's effort, 0 to 5", ("0", "1", "2", "3", "4", "5"), "3"),
            Setting("workspace_mib", "builder's workspace; empty for all memory"),
            _BUILD_TIMEOUT,
        ),
    ),
    Backend(
        "ascend",
        "Ascend OM by ATC and pyACL",
        settings=(
            Setting("soc_version", "chip", ("Ascend310", "Ascend310B1", "Ascend310B4", "Ascend310P3"), "Ascend310"),
            Setting("atc", "where models are compiled", ("board", "host"), "board"),
            Setting("atc_environment", "script that is read before atc on the host"),
            _BUILD_TIMEOUT,
            Setting("device_id", "number of the chip", default="0"),
        ),
    ),
    Backend(
        "simulated",
        "times computed from a known law, for rehearsals and tests",
        settings=(
            Setting("seed", "of noise and drop-outs", default="0"),
            Setting("noise", "relative spread of a run", default="0.02"),
            Setting("heat", "slow-down when hot, relative", default="0.0"),
            Setting("dropout", "probability that the agent dies in a run", default="0.0"),
        ),
    ),
)


def build_timeout_s(settings: Mapping[str, str], source: str) -> float | None:
    """How long a backend may compile one model; None for one that has no such setting.

    Args:
        settings: Of the device, with the defaults.
        source: Where they are written, for the message.

    Raises:
        DeviceError: It is no whole number of seconds.
    """
    text = settings.get(BUILD_TIMEOUT)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise DeviceError(
            f"{source}: {BUILD_TIMEOUT} = {text!r} is no whole number of seconds.", fix="Write it as 1800, for example."
        )
    return float(text)


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
    sources = dict(_python_files(Path(str(resources.files("device_agents"))), ""))
    place = f"backends/{backend.name}"
    if backend.module is not None:
        try:
            if backend.module.is_dir():
                sources |= dict(_python_files(backend.module, f"{place}/"))
            else:
                sources[f"{place}.py"] = backend.module.read_bytes()
        except OSError as error:
            raise DeviceError(
                f"The module of the backend {backend.name} cannot be read: {error}.", fix="Install its package again."
            ) from error
    if not {f"{place}.py", f"{place}/__init__.py"} & set(sources):
        raise DeviceError(f"The agent has no module {place}.py.", fix="Install mosegedge again.")
    return sources


def _python_files(folder: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.py")):
        yield prefix + path.relative_to(folder).as_posix(), path.read_bytes()
