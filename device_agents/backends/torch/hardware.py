"""The device that PyTorch computes on: what it can do, and how PyTorch is set up for it."""

import warnings
from typing import Any, Callable, Dict, List, Set

import torch

from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Instructions that multiply in the format itself, by the names of x86 and of Arm; without them PyTorch converts.
_INSTRUCTIONS = {"fp16": ("avx512_fp16", "amx_fp16", "asimdhp"), "bf16": ("avx512_bf16", "amx_bf16", "bf16")}


def device_of(options: Options) -> Any:
    """The device of the settings, if it is there: `cpu`, or `cuda:N`."""
    name = options.settings.get("device") or "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise RpcError(BACKEND_FAILED, "PyTorch's device is written cpu or cuda:0, not %r." % name)
    if device.type == "cpu":
        return device
    number = device.index or 0
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= count:
        text = "There is no %s: PyTorch %s, built for CUDA %s, sees %d GPUs."
        raise RpcError(BACKEND_FAILED, text % (name, torch.__version__, torch.version.cuda, count))
    return torch.device("cuda", number)


def set_up(options: Options) -> None:
    """Threads, and no silent TF32: a multiplication that drops 13 bits is not fp32."""
    device = device_of(options)
    if device.type == "cuda":
        # Events, streams and graphs belong to the current device.
        torch.cuda.set_device(device)
    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.backends.cudnn.benchmark = True
    with warnings.catch_warnings():
        # The newest versions prefer other names for these switches; the old ones work in all.
        warnings.simplefilter("ignore")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


def check(options: Options) -> None:
    """Refuses what the device cannot do."""
    device = device_of(options)
    possible = precisions(device)
    if options.precision not in possible:
        text = "%s does not compute in %s; PyTorch can be timed there in %s."
        raise RpcError(BACKEND_FAILED, text % (full_name(device), options.precision, ", ".join(possible)))
    if options.settings.get("mode") == "graph" and device.type != "cuda":
        raise RpcError(BACKEND_FAILED, 'A CUDA graph needs a GPU; set mode = "eager" for %s.' % device.type)


def precisions(device: Any) -> List[str]:
    """What the device multiplies in without converting."""
    if device.type == "cuda":
        return ["fp32", "fp16", "bf16"] if torch.cuda.is_bf16_supported() else ["fp32", "fp16"]
    flags = _processor_flags()
    return ["fp32"] + [name for name in ("fp16", "bf16") if flags.intersection(_INSTRUCTIONS[name])]


def to_device(device: Any, options: Options) -> Callable[[Any], Any]:
    """A function that puts a tensor on the device; pictures and filters also into the layout of the settings."""
    kind = _TYPES[options.precision]
    channels_last = options.settings.get("memory_format") == "channels_last"

    def move(value: Any) -> Any:
        moved = value.to(device, kind) if value.is_floating_point() else value.to(device)
        if channels_last and moved.dim() == 4:
            return moved.contiguous(memory_format=torch.channels_last)
        return moved

    return move


def versions(device: Any) -> Dict[str, str]:
    """Of what PyTorch computes with on a GPU."""
    if device.type != "cuda":
        return {}
    cudnn: Any = torch.backends.cudnn  # Its functions have no types.
    return {"cuda": str(torch.version.cuda), "cudnn": str(cudnn.version())}


def pci_bus_id(device: Any) -> str:
    """Where the GPU is plugged in: CUDA and the sensors may count in different orders. Empty in older versions."""
    facts: Any = torch.cuda.get_device_properties(device)
    if not hasattr(facts, "pci_domain_id"):
        return ""
    return "%08x:%02x:%02x.0" % (facts.pci_domain_id, facts.pci_bus_id, facts.pci_device_id)


def full_name(device: Any) -> str:
    """One line: what computes."""
    if device.type == "cuda":
        return "%s: %s" % (device, torch.cuda.get_device_name(device))
    # Not in versions before 2.1.
    capability = getattr(torch.backends.cpu, "get_cpu_capability", lambda: "unknown")()
    return "cpu, vector instructions %s" % capability


def _processor_flags() -> Set[str]:
    try:
        with open("/proc/cpuinfo") as stream:
            lines = [line.partition(":") for line in stream]
    except OSError:
        return set()
    return {flag for name, _, values in lines if name.strip() in ("flags", "Features") for flag in values.split()}
