"""The methods of the protocol: hello, describe, lock, missing, load, unload, time, run."""

import functools
import importlib
import os
from typing import Any, Dict, List

from device_agents import VERSION, priority, protocol, telemetry, timing
from device_agents.cache import Cache
from device_agents.lock import DeviceLock
from device_agents.protocol import (
    BACKEND_FAILED,
    BAD_MODEL,
    INVALID_PARAMS,
    PROTOCOL_VERSION,
    WRONG_PROTOCOL,
    Params,
    RpcError,
    Wire,
)

_MOST_THREADS = 1024


def serve(wire: Wire, backend_name: str, cache_root: str, lock_path: str) -> int:
    """Serves one host over a wire until it hangs up; returns the exit status."""
    cache = Cache(cache_root)
    try:
        agent = Agent(wire, backend_name, cache, DeviceLock(lock_path))
        methods = {
            "hello": agent.hello,
            "describe": agent.describe,
            "lock": agent.lock,
            "missing": agent.missing,
            "load": agent.load,
            "unload": agent.unload,
            "time": agent.time,
            "run": agent.run,
        }
        protocol.serve(wire, methods)
    finally:
        cache.close()
    return 0


class Agent:
    """One conversation: the models loaded in it, and the lock from the first timing on."""

    def __init__(self, wire: Wire, backend_name: str, cache: Cache, device_lock: DeviceLock) -> None:
        self._wire = wire
        self._backend_name = backend_name
        self._backend: Any = None
        self._cache = cache
        self._lock = device_lock
        self._client = "unknown"
        self._models: Dict[str, Any] = {}

    def hello(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Agrees on the protocol, and says where files go."""
        params = Params("hello", values)
        spoken = params.integer("protocol", 0, 10**6)
        self._client = params.text("client")
        params.end()
        if spoken != PROTOCOL_VERSION:
            text = "The agent speaks protocol %d, the host speaks %d." % (PROTOCOL_VERSION, spoken)
            raise RpcError(WRONG_PROTOCOL, text, {"agent": PROTOCOL_VERSION, "host": spoken})
        return {
            "protocol": PROTOCOL_VERSION,
            "agent": VERSION,
            "backend": self._backend_name,
            "pid": os.getpid(),
            "models": self._cache.models,
            "tensors": self._cache.tensors,
        }

    def describe(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """What this device is, and what it is doing right now."""
        Params("describe", values).end()
        return {
            "backend": self._backend_name,
            "hardware": telemetry.hardware(),
            "system": telemetry.system(),
            "conditions": dict(telemetry.conditions(), scheduling=priority.favour()),
            "vendor": self._vendor().describe(),
        }

    def lock(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Takes the device for this conversation."""
        params = Params("lock", values)
        wait_s = params.integer("wait_s", 0, 10**6)
        params.end()
        return self._lock.acquire(self._client, wait_s)

    def missing(self, values: Dict[str, Any]) -> List[str]:
        """Which models the host has to send."""
        params = Params("missing", values)
        digests = params.texts("models")
        params.end()
        return self._cache.missing(digests)

    def load(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Builds a model where the runtime needs that, and loads it; the reply tells its inputs and outputs."""
        params = Params("load", values)
        digest = params.text("model")
        options = {"threads": params.integer("threads", 1, _MOST_THREADS)}
        params.end()
        path = self._cache.model(digest)
        vendor = self._vendor()
        if digest in self._models:
            vendor.close(self._models.pop(digest))
        model = vendor.load(vendor.build(path, options, self._cache.built), options)
        self._models[digest] = model
        resident = telemetry.resident_mib()
        return {"model": digest, "inputs": model.inputs, "outputs": model.outputs, "resident_mib": resident}

    def unload(self, values: Dict[str, Any]) -> int:
        """Frees models; returns how many stay loaded."""
        params = Params("unload", values)
        digests = params.texts("models")
        params.end()
        for digest in digests:
            self._vendor().close(self._loaded(digest))
            del self._models[digest]
        return len(self._models)

    def time(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Times models in the given order, one burst each; every burst is sent as soon as it is done."""
        params = Params("time", values)
        order = params.texts("models")
        min_samples = params.integer("min_samples", 1, 10**6)
        max_samples = params.integer("max_samples", min_samples, 10**6)
        min_ns = params.integer("min_ns", 0, 10**12)
        max_warmup = params.integer("max_warmup", 0, 10**6)
        params.end()
        self._lock.acquire(self._client, 0)
        vendor = self._vendor()
        before = telemetry.conditions()
        for index, digest in enumerate(order):
            execute = functools.partial(vendor.run, self._loaded(digest), None)
            with priority.preferred():
                timed = timing.burst(execute, min_samples, max_samples, min_ns, max_warmup)
            timed.update({"index": index, "model": digest})
            self._wire.notify("timed", timed)
        return {"timed": len(order), "before": before, "after": telemetry.conditions()}

    def run(self, values: Dict[str, Any]) -> List[Dict[str, Any]]:
        """Runs a model on tensors that the host sent; the outputs wait as files, named by their digest."""
        params = Params("run", values)
        digest = params.text("model")
        inputs = [self._cache.read_tensor(tensor) for tensor in params.texts("inputs")]
        params.end()
        outputs = self._vendor().run(self._loaded(digest), inputs)
        for output in outputs:
            output["sha256"] = self._cache.write_tensor(output.pop("content"))
        return list(outputs)

    def _loaded(self, digest: str) -> Any:
        if digest not in self._models:
            raise RpcError(BAD_MODEL, "The model %s is not loaded." % digest[:80])
        return self._models[digest]

    def _vendor(self) -> Any:
        """The backend's module, imported when first needed: the host has been answered by then."""
        if self._backend is None:
            name = self._backend_name
            if not name.replace("_", "").isalnum():
                raise RpcError(INVALID_PARAMS, "%r is no name of a backend." % name)
            try:
                self._backend = importlib.import_module("device_agents.%s_backend" % name)
            except ModuleNotFoundError as error:
                raise RpcError(BACKEND_FAILED, "This agent has no backend %s: %s." % (name, error))
        return self._backend
