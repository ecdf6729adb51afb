"""From the layers of an engine to the nodes of the ONNX file that they were made of.

Where the engine was built with detailed names, the parser's `[ONNX Layer: ...]` marks are exact. Without them the names
of fused layers are taken apart, as documented; what cannot be told keeps no nodes and a note that says so.
"""

import json
import re
from typing import Any, Dict, List, Tuple

from device_agents.protocol import BACKEND_FAILED, RpcError

_MARK = re.compile(r"\[ONNX Layer: ([^|\]]+)")
_CONTROL = re.compile(r"[\x00-\x1f]")
_PROFILE_SUFFIX = re.compile(r" \[profile \d+\]$")
_REFORMAT = re.compile(r"^Reformatting CopyNode for (?:Input|Output) Tensor \d+ to (.+)$")
_FOREIGN_NODE = re.compile(r"ForeignNode\[(.+?)\.\.\.(.+?)\]")
_WRAPPED = re.compile(r"^(?:PWN|PointWiseNetwork)\((.*)\)$")
_NODE_NAME = re.compile(r"[A-Za-z0-9_./:\-]+")

_NO_ORIGIN = "made by TensorRT, no ONNX node is named"


def read_layers(text: str) -> List[Dict[str, Any]]:
    """The layers in the engine information that the inspector and trtexec write, each with at least a Name.

    Raises:
        RpcError: It is not the documented JSON.
    """
    try:
        # Real files hold raw control characters.
        content = json.loads(text, strict=False)
        layers = content["Layers"]
        return [{"Name": layer} if isinstance(layer, str) else dict(layer, Name=layer["Name"]) for layer in layers]
    except (ValueError, KeyError, TypeError) as error:
        raise RpcError(BACKEND_FAILED, "The engine information cannot be read: %s: %s." % (type(error).__name__, error))


def layer_times(times: List[Tuple[str, int]], information: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The reply of `layers`: times by name in order of execution, joined with what is known about each layer.

    Args:
        times: Name and nanoseconds of each layer; a name may come more than once.
        information: What `read_layers` returned.
    """
    waiting: Dict[str, List[Dict[str, Any]]] = {}
    for layer in information:
        waiting.setdefault(_plain(layer["Name"]), []).append(layer)
    result = []
    for name, nanoseconds in times:
        same = waiting.get(_plain(name), [])
        layer = same.pop(0) if len(same) > 1 else same[0] if same else {}
        nodes, note = origin(_plain(name), layer)
        kind = str(layer.get("LayerType", ""))
        shown = _CONTROL.sub(" ", name)
        result.append({"name": shown, "kind": kind, "ns": nanoseconds, "nodes": nodes, "note": note})
    return result


def origin(name: str, layer: Dict[str, Any]) -> Tuple[List[str], str]:
    """Names of the ONNX nodes that one layer was made of, and a note.

    Args:
        name: The layer's name.
        layer: Its engine information, as far as there is any.
    """
    reformat = _REFORMAT.match(name)
    if reformat:
        return [], "layout change for %s" % _CONTROL.sub(" ", reformat.group(1))
    marked = _unique(found.strip() for found in _MARK.findall(str(layer.get("Metadata", ""))))
    if marked:
        return marked, _fused(name, len(marked))
    foreign = _FOREIGN_NODE.search(name)
    if foreign:
        ends = _unique(_CONTROL.sub("", end).strip() for end in foreign.groups())
        return ends, "one block from the first of these nodes to the last; the nodes between are not named"
    nodes = _unique(part for part in _parts(name) if _NODE_NAME.fullmatch(part))
    if not nodes or layer.get("LayerType") in ("signal", "wait"):
        return [], _NO_ORIGIN
    return nodes, "nodes read from the layer's name"


def _parts(name: str) -> List[str]:
    """The names that are joined in a layer's name: `a + PWN(b, c)`; `||` joins convolutions that run side by side."""
    parts: List[str] = []
    for part in _split_outside(name):
        wrapped = _WRAPPED.match(part)
        parts += _parts(wrapped.group(1)) if wrapped else [part]
    return parts


def _split_outside(text: str) -> List[str]:
    """Splits at the joints that are not inside brackets."""
    pieces, depth, start = [], 0, 0
    for joint in re.finditer(r"[()]| \+ | \|\| |,", text):
        depth += (joint.group() == "(") - (joint.group() == ")")
        if joint.group() not in "()" and depth == 0:
            pieces.append(text[start : joint.start()].strip())
            start = joint.end()
    return pieces + [text[start:].strip()]


def _plain(name: str) -> str:
    return _PROFILE_SUFFIX.sub("", name)


def _fused(name: str, count: int) -> str:
    return "one block; its time cannot be split" if "ForeignNode" in name and count > 1 else ""


def _unique(names: Any) -> List[str]:
    return list(dict.fromkeys(names))
