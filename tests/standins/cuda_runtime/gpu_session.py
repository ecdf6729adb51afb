"""Stand-in for ONNX Runtime 1.20 with CUDA: its session computes on the processor and says that it is a GPU.

Only what the agent calls is here; all else is the real package. `Gpu.install` puts it in place for one test.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime

RealSession = onnxruntime.InferenceSession
RealValue = onnxruntime.OrtValue


class Gpu:
    """What the agent did with the GPU.

    Attributes:
        placed: Devices that tensors were put on.
        synchronized: How often outputs were waited for.
        told: What the provider was told.
        settings: Session configuration.
        left_to_cpu: Whether nodes are profiled as run by the processor.
        starts: Whether the provider can start; if not, the session comes without it, as the real one's may.
    """

    def __init__(self, provider: str, *, left_to_cpu: bool = False, starts: bool = True) -> None:
        self.provider = provider
        self.placed: list[tuple[str, int]] = []
        self.synchronized = 0
        self.told: dict[str, str] = {}
        self.settings: dict[str, str] = {}
        self.left_to_cpu = left_to_cpu
        self.starts = starts

    def install(self, monkeypatch) -> None:
        gpu = self

        class Session:
            def __init__(self, path, settings, providers, enable_fallback):
                assert enable_fallback == 0, "a session that cannot start on the GPU must not start elsewhere"
                [(name, gpu.told)] = providers
                assert name == gpu.provider
                key = "session.disable_cpu_ep_fallback"
                gpu.settings = {key: settings.get_session_config_entry(key)}
                plain = onnxruntime.SessionOptions()
                plain.enable_profiling = settings.enable_profiling
                plain.profile_file_prefix = settings.profile_file_prefix
                self._real = RealSession(path, plain, providers=["CPUExecutionProvider"])

            def get_providers(self):
                return [gpu.provider, "CPUExecutionProvider"] if gpu.starts else ["CPUExecutionProvider"]

            def end_profiling(self):
                path = Path(self._real.end_profiling())
                events = json.loads(path.read_text())
                for event in events if not gpu.left_to_cpu else []:
                    if "provider" in event.get("args", {}):
                        event["args"]["provider"] = gpu.provider
                path.write_text(json.dumps(events))
                return str(path)

            def io_binding(self):
                return Binding(self._real.io_binding())

            def __getattr__(self, name):
                return getattr(self._real, name)

        class Binding:
            def __init__(self, real):
                self._real = real

            def synchronize_outputs(self):
                gpu.synchronized += 1
                self._real.synchronize_outputs()

            def __getattr__(self, name):
                assert name not in ("bind_cpu_input", "bind_output"), "a copy would be timed"
                return getattr(self._real, name)

        class Value:
            @staticmethod
            def ortvalue_from_numpy(array, device, number):
                gpu.placed.append((device, number))
                return RealValue.ortvalue_from_numpy(array)

            @staticmethod
            def ortvalue_from_shape_and_type(shape, kind, device, number):
                gpu.placed.append((device, number))
                return RealValue.ortvalue_from_shape_and_type(shape, kind)

        real = onnxruntime.get_available_providers()
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [self.provider, *real])
        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        monkeypatch.setattr(onnxruntime, "OrtValue", Value)


class PlugInDevice:
    """What `get_ep_devices` returns for a provider whose library was registered."""

    def __init__(self, name: str) -> None:
        self.ep_name = name
        self.ep_vendor = "Example"
        self.ep_metadata = {"version": "0.5"}
