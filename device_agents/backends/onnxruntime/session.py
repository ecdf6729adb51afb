"""Opens a session in which the chosen provider runs every node, or says which nodes it does not run.

ONNX Runtime gives nodes that a provider does not take to the processor, and when a provider cannot start at all it may
open the session without it. Both would be timed as if nothing had happened, so both are switched off, and since not
every version knows the switches, the first run is profiled and every node's provider is read there.
"""

import os
import tempfile
from typing import Any, Dict, List, Optional

import onnxruntime  # type: ignore[import-untyped, unused-ignore]

from device_agents import tensors
from device_agents.backends.onnxruntime import profile, providers
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}


def opened(path: str, options: Options) -> Any:
    """A session that was checked."""
    if providers.chosen(options) == providers.CPU and options.precision == "fp32":
        return _session(path, options, None)  # Nothing to fall back to, in no other precision.
    with tempfile.TemporaryDirectory(prefix="mosegedge-profile-") as folder:
        session = _session(path, options, folder)
        _run(session, _random_inputs(session), 1)
        events = profile.read(session.end_profiling())
    _check(events, options)
    return session


def profiled(path: str, options: Options, runs: int) -> List[Dict[str, Any]]:
    """The profile of some runs, in a session of its own, since profiling costs time; the first run is not counted."""
    with tempfile.TemporaryDirectory(prefix="mosegedge-profile-") as folder:
        session = _session(path, options, folder)
        _run(session, _random_inputs(session), 1 + runs)
        return profile.read(session.end_profiling())


def described(port: Any) -> Dict[str, Any]:
    """An input or output as the protocol describes it."""
    return tensors.described(port.name, _TYPES.get(port.type, port.type), port.shape)


def _session(path: str, options: Options, profile_folder: Optional[str]) -> Any:
    provider = providers.chosen(options)
    settings = _settings(options, provider)
    if profile_folder is not None:
        settings.enable_profiling = True
        settings.profile_file_prefix = os.path.join(profile_folder, "run")
    devices = providers.plugged_in(options)
    try:
        if devices:
            settings.add_provider_for_devices(devices, providers.options_for(options))
            session = onnxruntime.InferenceSession(path, settings, enable_fallback=0)
        else:
            asked = [(provider, providers.options_for(options))]
            session = onnxruntime.InferenceSession(path, settings, providers=asked, enable_fallback=0)
        session.disable_fallback()
    except Exception as error:
        # Its error classes have no common base and are not public.
        raise RpcError(BAD_MODEL, "ONNX Runtime cannot load the model with %s: %s" % (provider, error))
    found = session.get_providers()
    # The processor's provider is always appended; that no node went there is checked apart.
    if found[:1] != [provider] or set(found) - {provider, providers.CPU}:
        raise RpcError(BACKEND_FAILED, "Asked for %s, ONNX Runtime chose %s." % (provider, ", ".join(found)))
    return session


def _settings(options: Options, provider: str) -> Any:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.log_severity_level = 3
    if provider != providers.CPU:
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return settings


def _check(events: List[Dict[str, Any]], options: Options) -> None:
    provider = providers.chosen(options)
    elsewhere = profile.run_elsewhere(events, provider)
    if elsewhere:
        text = "%s does not run all of this model: %s." % (provider, "; ".join(elsewhere[:5]))
        raise RpcError(BACKEND_FAILED, text)
    converted = profile.conversions(events)
    if provider == providers.CPU and converted:
        text = "ONNX Runtime computes %d nodes of this fp16 model in fp32: it has no fp16 kernels for them here."
        raise RpcError(BACKEND_FAILED, text % converted)


def _random_inputs(session: Any) -> Dict[str, Any]:
    ports = [described(port) for port in session.get_inputs()]
    return {port["name"]: array for port, array in zip(ports, tensors.random_arrays(ports))}  # noqa: B905 - Python 3.7


def _run(session: Any, inputs: Dict[str, Any], runs: int) -> None:
    for _ in range(runs):
        session.run(None, inputs)
