"""The methods of the protocol: hello, describe, conditions, checks, lock, missing, load, unload, time, layers, run.

Those that ask sensors (energy, memory) are in `costs`.
"""

import functools
import importlib
import os
from typing import Any, Dict, List

from device_agents import VERSION, affinity, heap, priority, protocol, telemetry, timing
from device_agents.artefacts import Built, sha256_of
from device_agents.cache import Cache, default_root
from device_agents.costs import Costs
from device_agents.lock import DeviceLock
from device_agents.options import Options
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
    folders = (default_root(cache_root), os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - only named in messages
    try:
        cache = Cache(cache_root)
    except OSError as error:
        # The host has asked nothing yet: its first request gets the reason.
        protocol.serve(wire, {"hello": functools.partial(_refuse, error)}, folders)
        return 1
    agent = Agent(wire, backend_name, cache, DeviceLock(lock_path))
    methods = {
        "hello": agent.hello,
        "describe": agent.describe,
        "conditions": agent.conditions,
        "checks": agent.checks,
        "lock": agent.lock,
        "missing": agent.missing,
        "load": agent.load,
        "unload": agent.unload,
        "time": agent.time,
        "layers": agent.layers,
        "run": agent.run,
        "energy": agent.costs.energy,
        "memory": agent.costs.memory,
    }
    try:
        protocol.serve(wire, methods, folders)
    finally:
        agent.end()
        cache.close()
    return 0


def _refuse(error: OSError, values: Dict[str, Any]) -> None:
    del values
    raise error


class Agent:
    """One conversation: the models loaded in it, and the lock from the first timing on."""

    def __init__(self, wire: Wire, backend_name: str, cache: Cache, device_lock: DeviceLock) -> None:
        self._wire = wire
        self._backend_name = backend_name
        self._backend: Any = None
        self._cache = cache
        self._lock = device_lock
        self._client = "unknown"
        self._run = ""
        self._options = Options(1, "fp32", {})
        self._models: Dict[str, Any] = {}
        self.costs = Costs(self._vendor, lambda: self._options, self._loaded, self._file_of, self._take)

    def hello(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Agrees on the protocol, and says where files go."""
        params = Params("hello", values)
        spoken = params.integer("protocol", 0, 10**6)
        self._client = params.text("client")
        self._run = params.text("run")
        threads = params.integer("threads", 1, _MOST_THREADS)
        self._options = Options(threads, params.text("precision"), params.texts_by_name("settings"))
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
            "vendor": self._vendor().describe(self._options),
            "conditions": dict(self._conditions(), scheduling=priority.favour()),
        }

    def conditions(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """What this device is doing right now."""
        Params("conditions", values).end()
        return self._conditions()

    def checks(self, values: Dict[str, Any]) -> List[Dict[str, Any]]:
        """What the backend's own doctor finds; empty where it has none."""
        Params("checks", values).end()
        vendor = self._vendor()
        return list(vendor.checks(self._options)) if hasattr(vendor, "checks") else []

    def lock(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Takes the device for this conversation."""
        params = Params("lock", values)
        wait_s = params.integer("wait_s", 0, 10**6)
        params.end()
        return self._lock.acquire(self._client, wait_s, self._run)

    def missing(self, values: Dict[str, Any]) -> List[str]:
        """Which models the host has to send."""
        params = Params("missing", values)
        digests = params.texts("models")
        model_format = params.text("format")
        params.end()
        return self._cache.missing(digests, model_format)

    def load(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Builds a model unless it is built already, and loads it; the reply tells its inputs and outputs."""
        params = Params("load", values)
        digest = params.text("model")
        model_format = params.text("format")
        params.end()
        path = self._cache.model(digest, model_format)
        vendor = self._vendor()
        if digest in self._models:
            vendor.close(self._models.pop(digest))
        built = self._built(path, model_format)
        model = vendor.load(built.path, self._options)
        self._models[digest] = model
        return {
            "model": digest,
            "inputs": model.inputs,
            "outputs": model.outputs,
            "resident_mib": telemetry.resident_mib(),
            "accelerator_mib": (list(vendor.memory()) or None) if hasattr(vendor, "memory") else None,
            "artefact": {
                "path": built.path,
                "format": vendor.FORMAT,
                "sha256": digest if built.path == path else sha256_of(built.path),
                "bytes": os.path.getsize(built.path),
                "build_s": built.seconds,
                "cached": built.cached,
                "notes": built.notes,
            },
        }

    def unload(self, values: Dict[str, Any]) -> int:
        """Frees models; returns how many stay loaded."""
        params = Params("unload", values)
        digests = params.texts("models")
        params.end()
        for digest in digests:
            self._vendor().close(self._loaded(digest))
            del self._models[digest]
        heap.trim()
        return len(self._models)

    def time(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Times models in the given order, one burst each; every burst is sent as soon as it is done."""
        params = Params("time", values)
        order = params.texts("models")
        min_samples = params.integer("min_samples", 1, 10**6)
        max_samples = params.integer("max_samples", min_samples, 10**6)
        min_ns = params.integer("min_ns", 0, 10**12)
        max_warmup = params.integer("max_warmup", 0, 10**6)
        most_ns = params.integer("most_ns", 0, timing.NO_LIMIT_NS, timing.NO_LIMIT_NS)
        params.end()
        self._lock.acquire(self._client, 0, self._run)
        vendor = self._vendor()
        before = self._conditions()
        for index, digest in enumerate(order):
            execute = functools.partial(vendor.run, self._loaded(digest), None)
            with priority.preferred():
                timed = timing.burst(execute, min_samples, max_samples, min_ns, max_warmup, most_ns)
            timed.update({"index": index, "model": digest})
            self._wire.notify("timed", timed)
        return {"timed": len(order), "before": before, "after": self._conditions()}

    def layers(self, values: Dict[str, Any]) -> List[Dict[str, Any]]:
        """Time of every layer inside a network, where the runtime can tell; slower than an undisturbed run."""
        params = Params("layers", values)
        digest = params.text("model")
        runs = params.integer("runs", 1, 10**4)
        params.end()
        self._lock.acquire(self._client, 0, self._run)
        vendor = self._vendor()
        if not hasattr(vendor, "layers"):
            raise RpcError(BACKEND_FAILED, "%s does not tell the time of single layers." % self._backend_name)
        with priority.preferred():
            return list(vendor.layers(self._loaded(digest), runs))

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

    def end(self) -> None:
        """Frees what the backend holds; the conversation is over."""
        if self._backend is not None and hasattr(self._backend, "stop"):
            for model in self._models.values():
                self._backend.close(model)
            self._models.clear()
            self._backend.stop()

    def _built(self, path: str, model_format: str) -> Built:
        vendor = self._vendor()
        if model_format == "onnx":
            built: Built = vendor.build(path, self._options, self._cache.built)
            return built
        if model_format != vendor.FORMAT:
            text = "%s loads onnx and %s, not %s." % (self._backend_name, vendor.FORMAT, model_format)
            raise RpcError(BAD_MODEL, text)
        return Built(path)

    def _file_of(self, digest: str, model_format: str) -> str:
        return self._built(self._cache.model(digest, model_format), model_format).path

    def _take(self) -> None:
        self._lock.acquire(self._client, 0, self._run)

    def _conditions(self) -> Dict[str, Any]:
        vendor = self._vendor()
        found = telemetry.conditions()
        cores = affinity.pinned()
        if cores is not None:
            found["cores"] = cores
        if hasattr(vendor, "conditions"):
            found.update(vendor.conditions())
        return found

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
            place = "device_agents.backends.%s" % name
            try:
                backend: Any = importlib.import_module(place)
            except ImportError as error:
                if error.name == place:
                    raise RpcError(BACKEND_FAILED, "This agent has no backend %s." % name)
                raise RpcError(BACKEND_FAILED, "The backend %s needs %s: %s." % (name, error.name, error))
            if hasattr(backend, "on_processor") and backend.on_processor(self._options):
                affinity.pin(self._options.threads)
            if hasattr(backend, "start"):
                backend.start(self._options)
            self._backend = backend
        return self._backend
