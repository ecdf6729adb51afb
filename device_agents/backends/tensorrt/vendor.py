"""The vendor's module: `tensorrt` or `tensorrt_rtx`, its version, and a logger that never writes to stdout."""

import collections
import importlib
import sys
from typing import Any, Deque, List

from device_agents.protocol import BACKEND_FAILED, RpcError

_KEPT = ("INTERNAL_ERROR", "ERROR", "WARNING")
_FAILURES = ("INTERNAL_ERROR", "ERROR")
_KEPT_MESSAGES = 20
_SHOWN_MESSAGES = 3


class Vendor:
    """An imported module with a logger.

    Attributes:
        trt: The module.
        version: As it says itself, "10.3.0".
        log: The logger, for the calls that take one.
    """

    def __init__(self, module_name: str) -> None:
        try:
            self.trt: Any = importlib.import_module(module_name)
            self.version = str(self.trt.__version__)
        except Exception as error:
            # The border of the vendor: a module whose libraries do not fit raises more than ImportError.
            text = "The module %s cannot be imported: %s. Install TensorRT with bindings for this interpreter."
            raise RpcError(BACKEND_FAILED, text % (module_name, error))
        self.module_name = module_name
        if not hasattr(self.trt, "Builder"):
            text = "%s %s has no builder (a lean runtime); install the full one."
            raise RpcError(BACKEND_FAILED, text % (module_name, self.version))
        self.log = _logger(self.trt)
        self._runtime: Any = None

    @property
    def has_precision_flags(self) -> bool:
        """Whether the builder chooses the precision; else the types in the ONNX file do."""
        return hasattr(self.trt.BuilderFlag, "FP16")

    @property
    def runtime(self) -> Any:
        """What loads engines: one for all of them, and it lives as long as they do."""
        if self._runtime is None:
            self._runtime = self.trt.Runtime(self.log)
        return self._runtime

    def failures(self) -> str:
        """What the logger heard last, errors before warnings; a full sentence for messages."""
        heard: List[Any] = list(self.log.heard)
        errors = [text for severity, text in heard if severity in _FAILURES]
        chosen = (errors or [text for _, text in heard])[-_SHOWN_MESSAGES:]
        return " | ".join(chosen) or "it gave no reason"

    def forget_failures(self) -> None:
        """What is heard from now on belongs to the next step."""
        self.log.heard.clear()


def _logger(trt: Any) -> Any:
    class AgentLogger(trt.ILogger):  # type: ignore[misc]  # the base is known at run time only
        """Writes to stderr; the vendor's own logger writes to stdout, which belongs to the protocol."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.heard: Deque[Any] = collections.deque(maxlen=_KEPT_MESSAGES)

        def log(self, severity: Any, msg: str) -> None:
            name = getattr(severity, "name", str(severity).rsplit(".", 1)[-1])
            if name in _KEPT:
                self.heard.append((name, " ".join(str(msg).split())))
                sys.stderr.write("[TensorRT %s] %s\n" % (name, msg))

    return AgentLogger()
