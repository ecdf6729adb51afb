"""Time of OpenVINO's primitives, by the ONNX nodes that each was made of."""

from typing import Any, Dict, List, Set

from device_agents.backends.openvino.compiled import rt_facts

_NANOSECONDS = 1000 * 1000 * 1000
# A convolution with a bias becomes two operations when it is read; both are the one node of the file.
_PART = "/WithoutBiases"
_NO_NODE = ("Parameter", "Constant", "Result")


def measured(program: Any, request: Any, model: Any, runs: int) -> List[Dict[str, Any]]:
    """Mean time of every primitive that ran, in the order of execution.

    Args:
        program: Compiled so that it counts.
        request: Of this program, inputs set.
        model: As read from the file, before compilation.
        runs: How many to average over, after one that is not counted.
    """
    known = _nodes_of(model)
    made_of = {}
    for node in program.get_runtime_model().get_ordered_ops():
        originals = rt_facts(node).get("originalLayersNames", "").split(",")
        made_of[node.get_friendly_name()] = [name for name in map(_node, originals) if name in known]
    total_ns: Dict[str, int] = {}
    last = []
    for number in range(runs + 1):
        request.infer(share_outputs=True)
        last = [item for item in request.get_profiling_info() if item.status.name == "EXECUTED"]
        if number:
            for item in last:
                spent = int(item.real_time.total_seconds() * _NANOSECONDS)
                total_ns[item.node_name] = total_ns.get(item.node_name, 0) + spent
    return [_layer(item, total_ns[item.node_name] // runs, made_of.get(item.node_name, [])) for item in last]


def _layer(item: Any, mean_ns: int, nodes: List[str]) -> Dict[str, Any]:
    unique = sorted(set(nodes), key=nodes.index)
    note = item.exec_type if unique else "%s, added by OpenVINO" % item.exec_type
    return {"name": item.node_name, "kind": item.node_type, "ns": mean_ns, "nodes": unique, "note": note}


def _nodes_of(model: Any) -> Set[str]:
    """Names of nodes of the file: those that OpenVINO did not make up, and that are not an output's."""
    ports = {name for port in model.outputs for name in port.get_names()}
    found = set()
    for operation in model.get_ops():
        name, kind = operation.get_friendly_name(), operation.get_type_name()
        if kind not in _NO_NODE and not name.startswith(kind + "_"):
            found.add(_node(name))
    return found - ports


def _node(name: str) -> str:
    return name[: -len(_PART)] if name.endswith(_PART) else name
