"""Stand-in for torch.cuda of PyTorch 2.13: two GPUs, events, streams and graphs that write down what was done.

Tensors stay on the processor. `install` puts it in place for one test.
"""

from __future__ import annotations

import contextlib
import types

import torch

MILLISECONDS = 1.25


class Log(list):
    """What happened on the GPU, in order."""


def install(monkeypatch, *, count: int = 2) -> Log:
    log = Log()

    class Event:
        def __init__(self, enable_timing=False):
            assert enable_timing, "an event without timing has no time"

        def record(self):
            log.append("record")

        def synchronize(self):
            log.append("synchronize")

        def elapsed_time(self, end):
            return MILLISECONDS

    class Stream:
        def wait_stream(self, other):
            log.append("wait")

    class CUDAGraph:
        def replay(self):
            log.append("replay")

    @contextlib.contextmanager
    def named(name):
        log.append(f"enter {name}")
        yield
        log.append(f"leave {name}")

    properties = types.SimpleNamespace(pci_domain_id=0, pci_bus_id=0x65, pci_device_id=0)
    for name, value in {
        "is_available": lambda: count > 0,
        "device_count": lambda: count,
        "get_device_name": lambda device: "Example RTX",
        "get_device_properties": lambda device: properties,
        "is_bf16_supported": lambda: True,
        "mem_get_info": lambda device: (3 * 1024**3, 8 * 1024**3),
        "current_stream": Stream,
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": CUDAGraph,
        "stream": lambda stream: named("side stream"),
        "graph": lambda graph: named("capture"),
        "set_device": lambda device: log.append(f"set {device}"),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return log
