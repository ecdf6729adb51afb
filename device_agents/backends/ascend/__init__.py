"""Ascend chips: ONNX to OM by ATC, run by pyACL. Follows the documented interface of CANN 5.0 to 8; see `versions.py`.

pyACL forbids child processes once it is initialised, so a helper process is started first, and everything that is a
program (ATC, npu-smi, msprof, the run under the profiler) is started by that.

    board.py          the parts of one conversation           doctor.py       for the doctor
    atc.py            command line and outcome of ATC         atc_errors.py   its codes as sentences
    acl_session.py    AscendCL, opened once                   acl_errors.py   its numbers as sentences
    acl_model.py      a loaded OM, its events                 versions.py     CANN, driver, scripts
    profiling.py      layers: run, export                     op_summary.py   tables of all releases
    profiled_run.py   the process under the profiler          onnx_inputs.py  shapes, as ATC takes them
"""

from typing import Any, Dict, List, Optional, Tuple

from device_agents.artefacts import Built
from device_agents.backends.ascend.board import Board
from device_agents.backends.ascend.doctor import findings
from device_agents.options import Options
from device_agents.sensors.meter import Meter, NotMeasuredError, Sampled

FORMAT = "om"

_POWER_PAUSE_S = 0.5

# One conversation, one board; it is there from `start` to `stop`.
_board: Dict[str, Board] = {}


def start(options: Options) -> None:
    """Starts the helper process, before any vendor library is in use."""
    _board["open"] = Board(options)


def stop() -> None:
    """Finalises AscendCL and ends the helper process."""
    for board in _board.values():
        board.close()
    _board.clear()


def describe(options: Options) -> Dict[str, Any]:
    """Chip, versions, run mode, and where ATC runs. A chip other than the one that was set is refused."""
    del options
    return _board["open"].describe()


def build(path: str, options: Options, folder: str) -> Built:
    """Compiles an ONNX file on the board, once."""
    return _board["open"].build(path, options, folder)


def load(path: str, options: Options) -> Any:
    """Loads an OM."""
    del options
    return _board["open"].load(path)


def run(model: Any, inputs: Optional[List[bytes]]) -> Any:
    """One run: nanoseconds between two events of the chip, or for given inputs the outputs."""
    return model.timed() if inputs is None else model.outputs_of(inputs)


def close(model: Any) -> None:
    """Frees a model."""
    model.close()


def conditions() -> Dict[str, Any]:
    """Temperature, power, load and health, where npu-smi is there."""
    return _board["open"].npu_smi.conditions()


def memory() -> Tuple[int, ...]:
    """Used and total MiB of a card; empty for a board, whose chip shares the processor's memory."""
    return _board["open"].session().memory_mib()


def layers(model: Any, runs: int) -> List[Dict[str, Any]]:
    """Time of each operator, with the ONNX nodes that it was made of; what runs on AI CPU is noted."""
    return _board["open"].layers(model, runs)


def meters(options: Options) -> List[Meter]:
    """The chip's power by npu-smi, asked through the helper process."""
    del options
    return [Sampled("npu-smi, power of the chip", _power_w, _POWER_PAUSE_S)]


def memory_of(path: str, options: Options) -> Dict[str, Any]:
    """Memory of a card that an OM needs; not in a process of its own, since AscendCL is open here."""
    before = memory()
    if not before:
        raise NotMeasuredError("the chip uses the memory of the whole board, of which nothing tells a model's share")
    model = load(path, options)
    try:
        run(model, None)
        used = memory()
    finally:
        close(model)
    return {"mib": float(max(0, used[0] - before[0])), "how": "memory in use on the card, from its agent"}


def _power_w() -> Optional[float]:
    found: Optional[float] = _board["open"].npu_smi.conditions().get("power_w")
    return found


def checks(options: Options) -> List[Dict[str, str]]:
    """Findings for the doctor; they come also where nothing works."""
    return findings(_board["open"], options)
