"""A board whose times are computed from a law, for rehearsals and for tests that know the truth.

It waits for nothing: a run that is timed takes no time and says how long it would have taken, by a clock of its own.
Runs with inputs are answered by ONNX Runtime where that is installed. Its profiles say `origin: simulated`.

    law.py      latency of an ONNX graph
    board.py    what comes on top: noise, heat, sudden ends
"""

from typing import Any, Dict, List, Optional

from device_agents.artefacts import Built
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError

try:
    import onnx
except ImportError as error:
    raise RpcError(BACKEND_FAILED, "The backend simulated needs %s: pip install onnx." % error.name)

from device_agents.backends.simulated import law  # noqa: E402 - it needs the package above
from device_agents.backends.simulated.board import Board
from device_agents.backends.simulated.meter import BoardMeter
from device_agents.sensors.meter import Meter

FORMAT = "onnx"

# The board of this conversation, made by `start`: heat outlives a model.
_BOARDS: List[Board] = []


class Model:
    """A graph with its time; the session that answers runs with inputs is made when one comes."""

    def __init__(self, path: str, options: Options) -> None:
        self.path = path
        self.graph = law.Graph(_content(path))
        self.inputs = self.graph.inputs
        self.outputs = self.graph.outputs
        self.law_ns = self.graph.ns(options.precision)
        self.dynamic_mj = self.graph.dynamic_mj(options.precision)
        self.options = options
        self.answering: Any = None


def start(options: Options) -> None:
    """Switches the board on: cold."""
    del _BOARDS[:]
    _BOARDS.append(Board(options.settings))


def describe(options: Options) -> Dict[str, Any]:
    """What is simulated, and how."""
    return {
        "runtime": {"simulated": law.VERSION, "onnx": onnx.__version__},
        "accelerator": "simulated board, no hardware",
        "settings": dict(options.settings),
        "precisions": list(law.SPEEDS),
        "opset": 17,
        "clock": "device",
        "typed_onnx": False,
        "origin": "simulated",
    }


def build(path: str, options: Options, folder: str) -> Built:
    """Returns the ONNX file itself."""
    del options
    _BOARDS[0].count_conversation(folder)
    return Built(path, notes=["simulated: nothing was compiled"])


def load(path: str, options: Options) -> Model:
    """Reads a graph and computes its time."""
    if options.precision not in law.SPEEDS:
        text = "The simulated board computes in %s, not in %s."
        raise RpcError(BACKEND_FAILED, text % (", ".join(law.SPEEDS), options.precision))
    return Model(path, options)


def run(model: Model, inputs: Optional[List[bytes]]) -> Any:
    """With None: nanoseconds that the run would have taken; with inputs: what ONNX Runtime computes."""
    if inputs is None:
        return _BOARDS[0].spend(model.law_ns, model.dynamic_mj)
    # Not before here: a rehearsal needs no runtime.
    from device_agents.backends import onnxruntime

    if model.answering is None:
        model.answering = onnxruntime.load(model.path, Options(model.options.threads, "fp32", {}))
    return onnxruntime.run(model.answering, inputs)


def close(model: Model) -> None:
    """Frees a model."""
    if model.answering is not None:
        from device_agents.backends import onnxruntime

        onnxruntime.close(model.answering)


def conditions() -> Dict[str, Any]:
    """Temperature, and whether it slows the board down."""
    return _BOARDS[0].conditions()


def layers(model: Model, runs: int) -> List[Dict[str, Any]]:
    """Every node's share of the law; each run heats the board."""
    for _ in range(runs):
        _BOARDS[0].spend(model.law_ns)
    return model.graph.layers(model.options.precision)


def meters(options: Options) -> List[Meter]:
    """The board's own."""
    del options
    return [BoardMeter(_BOARDS[0])]


def memory_of(path: str, options: Options) -> Dict[str, Any]:
    """What the law says."""
    return {"mib": law.Graph(_content(path)).mib(options.precision), "how": "by the law, no hardware"}


def checks(options: Options) -> List[Dict[str, Any]]:
    """A reminder for the doctor."""
    del options
    found = "every time comes from a formula; profiles say origin: simulated"
    fix = "choose a device with a real backend before a search"
    return [{"name": "hardware", "status": "warning", "found": found, "fix": fix}]


def _content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
