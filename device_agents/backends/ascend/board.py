"""The parts of one conversation: helper process, npu-smi, and AscendCL, which is opened when it is first needed."""

import os
from typing import Any, Dict, List, Optional

from device_agents.artefacts import Built, cached_build, sha256_of
from device_agents.backends.ascend import profiling, versions
from device_agents.backends.ascend.acl_model import Model
from device_agents.backends.ascend.acl_session import Session
from device_agents.backends.ascend.atc import PRECISION_MODES, Atc
from device_agents.backends.ascend.atc_errors import AtcError
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, INVALID_PARAMS, RpcError
from device_agents.runner import Finished, Runner
from device_agents.sensors.npu_smi import NpuSmi

_BUILD_S = "840"  # where the host sets nothing; it waits longer than it says here
_OPSET = 11


class Board:
    """A chip and the tools around it.

    Args:
        options: Of the conversation.

    Attributes:
        runner: Starts programs; it lives before AscendCL does.
        npu_smi: Sensors.
        soc_version: The chip that models are compiled for.
        device_id: Its number.
    """

    def __init__(self, options: Options) -> None:
        self.runner = Runner()
        settings = options.settings
        self.soc_version = settings.get("soc_version") or "Ascend310"
        self.device_id = _number(settings, "device_id", "0")
        self.npu_smi = NpuSmi(self._run_for, self.device_id)
        self.atc = Atc(self.runner.run, timeout_s=float(_number(settings, "build_timeout_s", _BUILD_S)))
        self._compiles_here = settings.get("atc", "board") == "board"
        self._session: Optional[Session] = None
        self._refused: Optional[RpcError] = None

    def session(self) -> Session:
        """AscendCL, opened once: it may not be initialised twice in a process, so a failure stays one."""
        if self._refused is not None:
            raise self._refused
        if self._session is None:
            try:
                self._session = Session(self.soc_version, self.device_id)
            except RpcError as error:
                self._refused = error
                raise
        return self._session

    def describe(self) -> Dict[str, Any]:
        """Chip, versions and what can be timed."""
        session = self.session()
        cann, driver = versions.cann(os.environ), versions.driver(os.environ)
        runtime = {"cann": cann.version, "driver": driver.version}
        npu = {
            "soc": session.soc_name,
            "chip_name": self.npu_smi.chip_name(),
            # Only the 310B has levels; they decide its clock, so another level is another device.
            "nve_level": self.npu_smi.nve_level() if self.soc_version.startswith("Ascend310B") else "",
        }
        return {
            "runtime": _told(runtime),
            "accelerator": self.soc_version,
            "npu": _told(npu),
            "run_mode": session.run_mode_text,
            "atc": "on the board" if self._compiles_here else "on the host",
            "precisions": list(PRECISION_MODES),
            "opset": _OPSET,
            "clock": "device",
            "typed_onnx": False,
            "origin": "measured",
        }

    def build(self, path: str, options: Options, folder: str) -> Built:
        """The OM of an ONNX file, compiled here unless it was already."""
        if not self._compiles_here:
            text = "This device is set to atc = host: the host has to send an OM, and it sent ONNX."
            raise RpcError(BACKEND_FAILED, text)
        parts = {
            "model": sha256_of(path),
            "soc_version": self.soc_version,
            "precision": options.precision,
            "cann": versions.cann(os.environ).version,
        }

        def compile_to(om_path: str) -> List[str]:
            try:
                return self.atc.compile(path, om_path, self.soc_version, options.precision)
            except OSError as error:
                fix = "Free some space there and try again."
                raise AtcError("The OM cannot be written: %s." % error.strerror, folder, fix)

        return cached_build(folder, parts, "om", compile_to)

    def load(self, path: str) -> Model:
        """Loads an OM."""
        return Model(self.session(), path)

    def layers(self, model: Model, runs: int) -> List[Dict[str, Any]]:
        """Time of each operator."""
        mode = self.session().run_mode
        return profiling.time_layers(self.runner, model.path, self.soc_version, self.device_id, runs, mode)

    def close(self) -> None:
        """Finalises AscendCL, then ends the helper."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self.runner.stop()

    def _run_for(self, arguments: List[str], timeout_s: float) -> Finished:
        return self.runner.run(arguments, timeout_s=timeout_s)


def _told(values: Dict[str, str]) -> Dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _number(settings: Dict[str, str], name: str, default: str) -> int:
    text = settings.get(name) or default
    if not text.isdigit():
        raise RpcError(INVALID_PARAMS, "%s = %r is no whole number." % (name, text))
    return int(text)
