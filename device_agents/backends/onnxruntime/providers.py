"""Execution providers: what they are called, what they can do, and what they are told.

Options follow the documentation of each provider; what the user writes in `provider_options` has the last word and is
part of the description of the device. The providers' own caches of compiled engines stay off: every load compiles, so
nothing stale is ever timed.
"""

import json
import os
import re
from typing import Any, Dict, List, Optional, Tuple

import onnxruntime  # type: ignore[import-untyped, unused-ignore]

from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
RTX = "NvTensorRTRTXExecutionProvider"
CANN = "CANNExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"

_NVIDIA = (CUDA, TENSORRT, RTX)
_REGISTERED_AS = "mosegedge"
_PRECISIONS = {
    CUDA: ["fp32", "fp16"],
    TENSORRT: ["fp32", "fp16"],
    RTX: ["fp32", "fp16"],
    CANN: ["fp32", "fp16"],
}
_TYPED = (CPU, CUDA, RTX)


def prepare(options: Options) -> None:
    """Registers the library of a plug-in provider, and keeps TF32 out of what is called fp32."""
    name = _wanted(options)
    if name in _NVIDIA and options.precision == "fp32":
        # Read by cuBLAS, cuDNN and TensorRT when they are loaded; multiplies in TF32 are not fp32.
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    if name in _NVIDIA and hasattr(onnxruntime, "preload_dlls"):
        # Libraries of CUDA that were installed as Python packages are on no path of the system's loader.
        onnxruntime.preload_dlls(directory="")
    library = options.settings.get("provider_library", "")
    if not library:
        return
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        text = "ONNX Runtime %s knows no plug-in providers; they came with 1.23."
        raise RpcError(BACKEND_FAILED, text % onnxruntime.__version__)
    if not os.path.isfile(library):
        raise RpcError(BACKEND_FAILED, "There is no file %s; correct provider_library in devices.toml." % library)
    try:
        onnxruntime.register_execution_provider_library(_REGISTERED_AS, library)
    except Exception as error:
        # Its error classes have no common base and are not public.
        raise RpcError(BACKEND_FAILED, "ONNX Runtime cannot use the library %s: %s" % (library, error))


def available() -> List[str]:
    """All providers of this device: those built in, and those of registered plug-ins that found a device for them."""
    found = list(onnxruntime.get_available_providers())
    if hasattr(onnxruntime, "get_ep_devices"):
        found += [device.ep_name for device in onnxruntime.get_ep_devices() if device.ep_name not in found]
    return found


def chosen(options: Options) -> str:
    """The provider as ONNX Runtime writes it, or an error that lists those that are there."""
    wanted = _wanted(options)
    names = available()
    if wanted in names:
        return wanted
    text = "ONNX Runtime here has no %s; it has %s." % (wanted, ", ".join(names))
    if options.settings.get("provider_library"):
        text += " The library was registered, but its provider found no device that it supports."
    elif wanted == CUDA:
        text += " The package onnxruntime-gpu, in place of onnxruntime, brings it."
    raise RpcError(BACKEND_FAILED, text)


def plugged_in(options: Options) -> List[Any]:
    """The device of a plug-in provider, as a list of one; empty for a provider that is built in."""
    if not options.settings.get("provider_library"):
        return []
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == chosen(options)]
    number = _device_id(options)
    if number >= len(devices):
        text = "%s has %d devices, device_id is %d." % (chosen(options), len(devices), number)
        raise RpcError(BACKEND_FAILED, text)
    return [devices[number]]


def precisions(provider: str) -> List[str]:
    """What can be timed without any of it being computed in another precision."""
    if provider == CPU:
        # Elsewhere its kernels are fp32 with conversions around them.
        return ["fp32", "fp16"] if _cpu_has_fp16() else ["fp32"]
    return list(_PRECISIONS.get(provider, ["fp32"]))


def check_precision(options: Options) -> None:
    """Refuses a precision that the provider does not compute in."""
    provider = chosen(options)
    possible = precisions(provider)
    if options.precision not in possible:
        text = "%s cannot be timed in %s here; it can in %s." % (provider, options.precision, ", ".join(possible))
        raise RpcError(BACKEND_FAILED, text)


def is_typed(provider: str) -> bool:
    """Whether it computes in the types of the ONNX file and has no switch for another precision."""
    return provider in _TYPED


def is_on_processor(options: Options) -> bool:
    """Whether the processor computes; what a plug-in does is not known."""
    return _wanted(options) in (CPU, OPENVINO) and not options.settings.get("provider_library")


def place_of(options: Options) -> Optional[Tuple[str, int]]:
    """Where inputs and outputs live, as OrtValue takes it; None for the processor's own memory."""
    provider = chosen(options)
    if provider in _NVIDIA:
        return "cuda", _device_id(options)
    return ("cann", _device_id(options)) if provider == CANN else None


def on_first_nvidia(options: Options) -> bool:
    """Whether the first NVIDIA GPU computes; where another one sits ONNX Runtime does not tell, so nothing is read."""
    return _wanted(options) in _NVIDIA and _device_id(options) == 0


def versions() -> Dict[str, str]:
    """The CUDA that this build of ONNX Runtime was made for, where it tells."""
    cuda = getattr(onnxruntime, "cuda_version", "")
    return {"cuda": str(cuda)} if cuda else {}


def accelerator(options: Options) -> str:
    """One line: the provider, its device, and its library where that is a plug-in."""
    parts = [chosen(options)]
    for device in plugged_in(options):
        described = dict(device.ep_metadata)
        parts.append("of %s %s" % (device.ep_vendor, described.get("version", "")))
    if place_of(options) is not None:
        parts.append("device %d" % _device_id(options))
    return " ".join(part.strip() for part in parts)


def options_for(options: Options) -> Dict[str, str]:
    """What the provider is told."""
    provider = chosen(options)
    half = "1" if options.precision == "fp16" else "0"
    number = str(_device_id(options))
    found: Dict[str, str] = {}
    if provider == OPENVINO:
        found = _openvino_options(options)
    elif options.settings.get("provider_library"):
        found = {}
    elif provider == CUDA:
        found = {"device_id": number, "cudnn_conv_algo_search": "EXHAUSTIVE"}
        if _version() >= (1, 18):
            found["use_tf32"] = "0"
    elif provider == TENSORRT:
        found = {"device_id": number, "trt_fp16_enable": half}
    elif provider == CANN:
        found = {"device_id": number, "precision_mode": "force_fp16" if half == "1" else "must_keep_origin_dtype"}
    found.update(_of_the_user(options))
    return found


def _openvino_options(options: Options) -> Dict[str, str]:
    """Left to itself OpenVINO computes in bf16 on processors that have it."""
    if options.settings.get("provider_library"):
        hints = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": str(options.threads),
            "NUM_STREAMS": "1",
            "PERFORMANCE_HINT": "LATENCY",
        }
        return {"load_config": json.dumps({"CPU": hints}, sort_keys=True)}
    return {"device_type": "CPU", "precision": "FP32", "num_of_threads": str(options.threads), "num_streams": "1"}


def _of_the_user(options: Options) -> Dict[str, str]:
    """`name=value; name=value` as a dictionary."""
    found = {}
    for part in options.settings.get("provider_options", "").split(";"):
        name, separator, value = part.strip().partition("=")
        if part.strip() and not (separator and name.strip()):
            text = "provider_options is written name=value; name=value, and %r is neither." % part.strip()
            raise RpcError(BACKEND_FAILED, text)
        if separator:
            found[name.strip()] = value.strip()
    return found


def _wanted(options: Options) -> str:
    """The name from the settings; documents write NvTensorRtRtx where the library says NvTensorRTRTX."""
    wanted = options.settings.get("provider") or CPU
    return RTX if wanted.lower() == RTX.lower() else wanted


def _device_id(options: Options) -> int:
    text = options.settings.get("device_id") or "0"
    if not text.isdigit():
        raise RpcError(BACKEND_FAILED, "device_id must be a number, it is %r." % text)
    return int(text)


def _version() -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", onnxruntime.__version__)[:2])


def _cpu_has_fp16() -> bool:
    """Whether this is an Arm processor with half-precision arithmetic on vectors."""
    try:
        with open("/proc/cpuinfo") as stream:
            return "asimdhp" in stream.read().split()
    except OSError:
        return False
