"""What checks work with: agents of one device, the files they need, and the description they gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mosegedge.devices.agent_client import PROTOCOL_VERSION, new_run
from mosegedge.devices.agent_package import agent_zipapp
from mosegedge.devices.backends import get_backend
from mosegedge.devices.conformance.raw import BreachError, RawAgent
from mosegedge.devices.conformance.report import ConformanceCheck
from mosegedge.devices.connection import Connection
from mosegedge.devices.inventory import Device
from mosegedge.errors import MosegedgeError
from mosegedge.files import sha256_of_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from mosegedge.devices.conformance.models import KnownModel
    from mosegedge.devices.replies import DeviceDescription

    _Reply = TypeVar("_Reply", bound=BaseModel)


class Bench:
    """One device; leave its context to end the agent that checks share.

    Attributes:
        connection: Open.
        device: The device.
        noise: Lines that agents wrote to stdout and that were no protocol.
    """

    def __init__(self, connection: Connection, device: Device) -> None:
        self.connection = connection
        self.device = device
        self.noise: list[str] = []
        backend = get_backend(device.backend)
        self._settings = backend.checked_settings(device.settings, device.source)
        package = agent_zipapp(backend)
        self._package = f"{connection.cache}/agents/{sha256_of_bytes(package)}.pyz"
        connection.put(package, self._package)
        self._shared: RawAgent | None = None
        self._description: DeviceDescription | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.restart()

    def checked(self, name: str, check: Callable[[Bench], str]) -> ConformanceCheck:
        """Runs one check; after a failed one the next starts with a fresh agent."""
        try:
            return ConformanceCheck(name, True, check(self))
        except (BreachError, MosegedgeError) as error:
            self.restart()
            return ConformanceCheck(name, False, str(error))

    def start(self) -> RawAgent:
        """A new agent that has not been greeted."""
        arguments = [self._package, "--backend", self.device.backend, "--cache", self.connection.cache]
        return RawAgent(self.connection.run(arguments), self.noise)

    def greeting(self, protocol: int = PROTOCOL_VERSION) -> dict[str, Any]:
        """Parameters of `hello`."""
        return {
            "protocol": protocol,
            "client": "mosegedge conformance",
            "run": new_run(),
            "threads": self.device.threads,
            "precision": self.device.precision,
            "settings": self._settings,
        }

    def greeted(self) -> RawAgent:
        """A new agent that was greeted."""
        agent = self.start()
        try:
            agent.greet(self.greeting())
        except BreachError:
            agent.end()
            raise
        return agent

    @property
    def agent(self) -> RawAgent:
        """The agent that checks share as long as nothing breaks."""
        if self._shared is None or not self._shared.running:
            self._shared = self.greeted()
        return self._shared

    @property
    def description(self) -> DeviceDescription:
        """What the device says of itself."""
        from mosegedge.devices.replies import DeviceDescription

        if self._description is None:
            self._description = self.parsed(DeviceDescription, self.agent.result("describe"))
        return self._description

    def put(self, content: bytes, model_format: str) -> str:
        """Sends a file as a model; returns its id."""
        digest = sha256_of_bytes(content)
        self.connection.put(content, f"{self.agent.folders['models']}/{digest}.{model_format}")
        return digest

    def load(self, model: KnownModel) -> dict[str, Any]:
        """Loads a model in the form that the device takes; returns the reply."""
        from mosegedge.devices.conformance.models import suited

        content, model_format = suited(model.content, self.device, self.description)
        loaded = self.agent.result("load", model=self.put(content, model_format), format=model_format)
        if not isinstance(loaded, dict):
            raise BreachError(f"load was answered with {loaded!r}.")
        return loaded

    def run(self, digest: str, arrays: list[NDArray[np.float32]]) -> list[NDArray[Any]]:
        """Runs a loaded model of the shared agent; returns its outputs."""
        import numpy as np

        from mosegedge.devices.replies import OutputTensor

        outputs = self.agent.result("run", model=digest, inputs=[self.put_tensor(array) for array in arrays])
        if not isinstance(outputs, list):
            raise BreachError(f"run was answered with {outputs!r}.")
        found = []
        for item in outputs:
            tensor = self.parsed(OutputTensor, item)
            content = self.connection.get(f"{self.agent.folders['tensors']}/{tensor.sha256}.bin")
            expected = int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize
            if len(content) != expected:
                raise BreachError(f"The output {tensor.name} has {len(content)} bytes, its shape needs {expected}.")
            found.append(np.frombuffer(content, tensor.dtype).reshape(tensor.shape))
        return found

    def put_tensor(self, array: NDArray[Any]) -> str:
        """Sends a tensor; returns its id."""
        content = array.tobytes()
        digest = sha256_of_bytes(content)
        self.connection.put(content, f"{self.agent.folders['tensors']}/{digest}.bin")
        return digest

    def parsed(self, kind: type[_Reply], content: Any) -> _Reply:
        """A reply checked field by field."""
        from pydantic import ValidationError

        try:
            return kind.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BreachError(f"{kind.__name__}.{place}: {first['msg']}.") from error

    def restart(self) -> int | None:
        """Ends the shared agent; returns its exit status, None if there was none or it had to be killed."""
        agent, self._shared = self._shared, None
        return None if agent is None else agent.end()
