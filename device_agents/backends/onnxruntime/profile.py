"""ONNX Runtime's own profile: an array of events, of which those of the category Node say what ran where and how long.

A kernel in a blocked layout is named after the tensor that it writes: `stem.conv1.Relu_output_0_nchwc` is a convolution
with the activation fused into it. The node that wrote this tensor in the file is `stem.conv1.Relu`.
"""

import json
from typing import Any, Dict, List

from device_agents.protocol import BACKEND_FAILED, RpcError

_KERNEL = "_kernel_time"
_BLOCKED = "_nchwc"
_TENSOR = "_output_0"
_CONVERSION = "InsertedPrecisionFreeCast_"


def read(path: str) -> List[Dict[str, Any]]:
    """The kernels of a profile, in the order in which they ran."""
    try:
        with open(path) as stream:
            events = json.load(stream)
    except (OSError, ValueError) as error:
        raise RpcError(BACKEND_FAILED, "ONNX Runtime's profile %s cannot be read: %s." % (path, error))
    return [event for event in events if event.get("cat") == "Node" and str(event.get("name")).endswith(_KERNEL)]


def run_elsewhere(events: List[Dict[str, Any]], provider: str) -> List[str]:
    """Nodes that another provider ran, each once."""
    found = []
    for event in events:
        by = event["args"].get("provider", "an unknown provider")
        text = "%s (%s) by %s" % (_name(event), event["args"].get("op_name"), by)
        if by != provider and text not in found:
            found.append(text)
    return found


def conversions(events: List[Dict[str, Any]]) -> int:
    """How many conversions between precisions were put between the nodes."""
    return len({_name(event) for event in events if _name(event).startswith(_CONVERSION)})


def layers(events: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Mean time of each kernel over all runs but the first, in the order of execution."""
    kernels: Dict[str, List[Dict[str, Any]]] = {}
    for event in events:
        kernels.setdefault(_name(event), []).append(event)
    return [_layer(name, found) for name, found in kernels.items()]


def _layer(name: str, events: List[Dict[str, Any]]) -> Dict[str, Any]:
    kind = str(events[0]["args"].get("op_name", ""))
    counted = events[1:] or events
    total_us = sum(int(event["dur"]) for event in counted)
    return {
        "name": name,
        "kind": kind,
        "ns": total_us * 1000 // len(counted),
        "nodes": _nodes(name, kind),
        "note": "" if _nodes(name, kind) else "added by ONNX Runtime",
    }


def _nodes(name: str, kind: str) -> List[str]:
    """The node of the file that a kernel ends with; none for what the runtime added."""
    if kind.startswith("Reorder") or "_token_" in name or name.startswith(_CONVERSION):
        return []
    if name.endswith(_BLOCKED):
        tensor = name[: -len(_BLOCKED)]
        # A tensor that is an output of the model is not named after its node.
        return [tensor[: -len(_TENSOR)]] if tensor.endswith(_TENSOR) else []
    return [name]


def _name(event: Dict[str, Any]) -> str:
    return str(event["name"])[: -len(_KERNEL)]
