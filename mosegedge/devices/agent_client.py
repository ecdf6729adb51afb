"""The agent of a device as typed calls: describe, lock, load, time, run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mosegedge.devices.agent_package import agent_zipapp
from mosegedge.devices.backends import build_timeout_s, get_backend
from mosegedge.devices.channel import Channel
from mosegedge.devices.connection import Connection, connect
from mosegedge.devices.inventory import Device
from mosegedge.errors import AgentError
from mosegedge.files import sha256_of_bytes

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mosegedge.devices.replies import Artefact, Burst, Check, DeviceDescription, LayerTime, LoadedModel

    _Reply = TypeVar("_Reply", bound=BaseModel)

PROTOCOL_VERSION = 2
_START_S = 60.0
_ANSWER_S = 60.0
_LOAD_S = 900.0
_BEYOND_BUILD_S = 60.0
_RUN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class BurstSettings:
    """How long one burst of timed runs lasts.

    Attributes:
        min_samples: Timed runs at least.
        max_samples: Timed runs at most.
        min_ns: Timed nanoseconds wanted.
        max_warmup: Warm-up runs at most; they end earlier when the model is steady.
        most_ns: Nanoseconds after which the warm-up ends, and again the sampling, however few runs that are.
    """

    min_samples: int = 3
    max_samples: int = 10
    min_ns: int = 4_000_000
    max_warmup: int = 10
    most_ns: int = 10**12


def new_run() -> str:
    """Token for all agents of one run: the host, the process there, and something that nobody else has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


@contextlib.contextmanager
def open_agent(device: Device, *, accept_new_host_key: bool = False) -> Iterator[AgentClient]:
    """Connects to a device and starts its agent; both end with the context.

    Args:
        device: The device.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Example:
        >>> with open_agent(load_device("local")) as agent:  # doctest: +SKIP
        ...     agent.describe().hardware["cpu"]
    """
    with (
        connect(device, accept_new_host_key=accept_new_host_key) as connection,
        AgentClient(connection, device) as agent,
    ):
        yield agent


class AgentClient:
    """A started agent; leave its context to end it.

    Args:
        connection: An open connection to the device.
        device: The device.
        client: Who this is, for those that find the device locked.
        run: Token of the run that this agent works for; an agent left over from the same run gives way to it.

    Raises:
        AgentError: The agent does not start, or speaks another version of the protocol.
    """

    def __init__(self, connection: Connection, device: Device, *, client: str = "mosegedge", run: str = "") -> None:
        from mosegedge.devices.replies import Hello

        self.device = device
        self._connection = connection
        backend = get_backend(device.backend)
        settings = backend.checked_settings(device.settings, device.source)
        longest_s = build_timeout_s(settings, device.source)
        self._load_s = _LOAD_S if longest_s is None else longest_s + _BEYOND_BUILD_S
        package = agent_zipapp(backend)
        path = f"{connection.cache}/agents/{sha256_of_bytes(package)}.pyz"
        connection.put(package, path)
        arguments = [path, "--backend", device.backend, "--cache", connection.cache]
        self._channel = Channel(connection.run(arguments), device.name)
        try:
            params = {
                "protocol": PROTOCOL_VERSION,
                "client": client,
                "run": run or new_run(),
                "threads": device.threads,
                "precision": device.precision,
                "settings": settings,
            }
            self._hello = self._checked(Hello, self._channel.call("hello", params, timeout_s=_START_S))
        except BaseException:
            self._channel.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the agent can take another request."""
        return self._channel.usable

    @property
    def pid(self) -> int:
        """Process id of the agent on its device."""
        return self._hello.pid

    def describe(self) -> DeviceDescription:
        """Hardware, versions and present conditions of the device."""
        from mosegedge.devices.replies import DeviceDescription

        return self._checked(DeviceDescription, self._call("describe", {}, _LOAD_S))

    def conditions(self) -> dict[str, Any]:
        """Clocks, temperature, load and what throttles the device at this moment."""
        return dict(self._call("conditions", {}, _ANSWER_S))

    def lock(self, *, wait_s: int = 0) -> None:
        """Takes the device for this agent until it ends; `time` does it too, this only fails earlier.

        Raises:
            DeviceBusyError: Another run holds the device and did not finish within `wait_s`.
        """
        self._call("lock", {"wait_s": wait_s}, _ANSWER_S + wait_s)

    def checks(self) -> list[Check]:
        """What the backend's own doctor finds."""
        from mosegedge.devices.replies import Check

        return [self._checked(Check, item) for item in self._call("checks", {}, _LOAD_S)]

    def missing(self, models: Sequence[str], model_format: str = "onnx") -> list[str]:
        """Which of these models (SHA-256) the device does not have."""
        return list(self._call("missing", {"models": list(models), "format": model_format}, _ANSWER_S))

    def send(self, content: bytes, model_format: str = "onnx") -> str:
        """Puts a model into the device's cache unless it is there; returns its SHA-256.

        Args:
            content: An ONNX file, or one that the backend's compiler made.
            model_format: `onnx`, or the backend's own, as `engine`.
        """
        digest = sha256_of_bytes(content)
        if self.missing([digest], model_format):
            self._connection.put(content, f"{self._hello.models}/{digest}.{model_format}")
        return digest

    def load(self, content: bytes, model_format: str = "onnx") -> str:
        """Sends a model, builds and loads it; returns its id for `time` and `run`."""
        return self.load_sent(self.send(content, model_format), model_format).model

    def load_sent(self, model: str, model_format: str = "onnx") -> LoadedModel:
        """Builds and loads a model that is already on the device, and tells its inputs, outputs and artefact."""
        from mosegedge.devices.replies import LoadedModel

        return self._checked(LoadedModel, self._call("load", {"model": model, "format": model_format}, self._load_s))

    def fetch(self, artefact: Artefact) -> bytes:
        """Reads what the backend's compiler made of a model; the digest is compared."""
        content = self._connection.get(artefact.path)
        if sha256_of_bytes(content) != artefact.sha256:
            raise self._wrong_reply(f"{artefact.path} arrived damaged")
        return content

    def unload(self, models: Sequence[str]) -> None:
        """Frees models on the device."""
        self._call("unload", {"models": list(models)}, _ANSWER_S)

    def time(self, models: Sequence[str], settings: BurstSettings) -> Iterator[Burst]:
        """Times loaded models in the given order, one burst each, and yields every burst as it arrives.

        A model may be in the list many times: bursts of many models in turn are what makes a measurement robust. The
        inputs are random, or those of the latest `run`.

        Raises:
            DeviceBusyError: Another run holds the device.
        """
        from mosegedge.devices.replies import Burst, Timed

        params: dict[str, Any] = {
            "models": list(models),
            "min_samples": settings.min_samples,
            "max_samples": settings.max_samples,
            "min_ns": settings.min_ns,
            "max_warmup": settings.max_warmup,
            "most_ns": settings.most_ns,
        }
        count = 0
        for kind, content in self._channel.stream("time", params, timeout_s=_RUN_S):
            if kind == "timed":
                burst = self._checked(Burst, content)
                if burst.index != count or burst.model != models[count]:
                    raise self._wrong_reply(f"burst {burst.index} of {burst.model} came as number {count}")
                count += 1
                yield burst
            elif kind == "result" and self._checked(Timed, content).timed != count:
                raise self._wrong_reply(f"{count} bursts came")

    def layers(self, model: str, *, runs: int = 20) -> list[LayerTime]:
        """Time of every layer inside a loaded network, where the runtime can tell."""
        from mosegedge.devices.replies import LayerTime

        # Some tools prepare a model once more for it.
        items = self._call("layers", {"model": model, "runs": runs}, max(_RUN_S, self._load_s))
        return [self._checked(LayerTime, item) for item in items]

    def run(self, model: str, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Runs a loaded model on given inputs and returns its outputs."""
        from mosegedge.devices.replies import OutputTensor

        digests = []
        for array in inputs:
            content = np.ascontiguousarray(array).tobytes()
            digests.append(sha256_of_bytes(content))
            self._connection.put(content, f"{self._hello.tensors}/{digests[-1]}.bin")
        result = self._call("run", {"model": model, "inputs": digests}, _RUN_S)
        return [self._fetch(self._checked(OutputTensor, item)) for item in result]

    def ask(self, reply: type[_Reply], method: str, params: dict[str, Any]) -> _Reply:
        """Any other method of the protocol, its reply checked."""
        return self._checked(reply, self._call(method, params, max(_RUN_S, self._load_s)))

    def close(self) -> None:
        """Ends the agent; the device is free again."""
        self._channel.close()

    def _fetch(self, tensor: Any) -> NDArray[Any]:
        content = self._connection.get(f"{self._hello.tensors}/{tensor.sha256}.bin")
        if hashlib.sha256(content).hexdigest() != tensor.sha256:
            raise self._wrong_reply(f"the output {tensor.name} arrived damaged")
        return np.frombuffer(content, tensor.dtype).reshape(tensor.shape).copy()

    def _call(self, method: str, params: dict[str, Any], timeout_s: float) -> Any:
        return self._channel.call(method, params, timeout_s=timeout_s)

    def _checked(self, kind: type[_Reply], content: Any) -> _Reply:
        from pydantic import ValidationError

        try:
            return kind.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise self._wrong_reply(f"{kind.__name__}.{place}: {first['msg']}") from error

    def _wrong_reply(self, what: str) -> AgentError:
        self._channel.kill()
        return AgentError(f"The agent on {self.device.name} broke the protocol: {what}.")
