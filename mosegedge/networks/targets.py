"""Forms that a target's compiler takes: a check of an ONNX file before it is compiled, and other forms of the same.

A check of operators, attributes and opset against tables costs nothing, and gives a sentence instead of a compiler's
log. The tables follow what vendors document; see `ascend_forms.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import onnx

from mosegedge.networks.ascend_forms import ascend_findings, nearest_form
from mosegedge.networks.rewriting import drop_useless_padding_counts, set_nearest_forms, shuffle_by_transpose

Severity = Literal["warning", "error"]
ASCEND, TENSORRT = "ascend", "tensorrt"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something in a model that a target does not take, or takes badly.

    Attributes:
        node: Name of the node, `model` for the file as a whole.
        op_type: Its operator.
        severity: Whether it will not compile, or may be slow or hard to read afterwards.
        why: One sentence.
        instead: What to use.
    """

    node: str
    op_type: str
    severity: Severity
    why: str
    instead: str


def target_of(backend: str, settings: Mapping[str, str]) -> str:
    """Name of a target: that of the backend, with the chip where that decides: `ascend/Ascend310B4`."""
    return f"{backend}/{settings['soc_version']}" if "soc_version" in settings else backend


def check_for(content: bytes, target: str) -> list[Finding]:
    """What a target does not take in a model, or takes badly.

    Args:
        content: An ONNX file.
        target: See `target_of`; of a backend alone, what holds for all its chips.

    Returns:
        Findings in the order of the nodes; none for targets without tables.
    """
    backend, _, chip = target.partition("/")
    model = onnx.load_model_from_string(content)
    if backend == ASCEND:
        return [
            Finding(
                node=form.node, op_type=form.op_type, severity=form.severity, why=form.rule.why, instead=form.rule.use
            )
            for form in ascend_findings(model, chip)
        ]
    return list(_names(model)) if backend == TENSORRT else []


def rewrite_for(content: bytes, target: str) -> bytes:
    """The same network in the forms that a target asks for; what it computes stays the same.

    Args:
        content: An ONNX file.
        target: See `target_of`.

    Returns:
        The file as it was where nothing has to change; equal bytes for equal input.
    """
    backend, _, chip = target.partition("/")
    if backend != ASCEND:
        return content
    model = onnx.load_model_from_string(content)
    changed = [
        set_nearest_forms(model, nearest_form(chip)),
        drop_useless_padding_counts(model),
        shuffle_by_transpose(model),
    ]
    if not any(changed):
        return content
    rewritten: bytes = model.SerializeToString(deterministic=True)
    return rewritten


def _names(model: onnx.ModelProto) -> Iterator[Finding]:
    """Names that per-layer profiles cannot be mapped back by."""
    names = Counter(node.name for node in model.graph.node)
    for index, node in enumerate(model.graph.node):
        why = ""
        if not node.name:
            why = "A node without a name cannot be found again in a profile of layers."
        elif any(mark in node.name for mark in "\"'\\"):
            why = "Quotes and backslashes in names are not escaped in trtexec's JSON files."
        elif names[node.name] > 1:
            why = "Several nodes have this name."
        if why:
            name = node.name or f"node {index}"
            use = "Give every node a name of its own from letters, digits, '_', '.' and '/'."
            yield Finding(node=name, op_type=node.op_type, severity="warning", why=why, instead=use)
