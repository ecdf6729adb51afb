"""Checks of models: what they answer, how long they take, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mosegedge.devices.conformance import models
from mosegedge.devices.conformance.bench import Bench
from mosegedge.devices.conformance.models import TOLERANCES, KnownModel
from mosegedge.devices.conformance.raw import BreachError
from mosegedge.files import sha256_of_bytes

_BAD_MODEL = -32003
_BACKEND_FAILED = -32004
_BURST = {"min_samples": 2, "max_samples": 3, "min_ns": 0, "max_warmup": 2}
_NOT_SENT = "0" * 64
# Layers that are timed one by one take longer than the network that they are in, but not this much.
_SLOWER_BY_LAYER = 10


def convolution(bench: Bench) -> str:
    """A convolution gives what it gives on the host."""
    return _answered(bench, models.convolution(bench.device.opset))


def two_inputs(bench: Bench) -> str:
    """Inputs are taken in their order."""
    return _answered(bench, models.two_inputs(bench.device.opset))


def network(bench: Bench) -> str:
    """A whole network gives what it gives on the host."""
    return _answered(bench, models.network(bench.device.opset))


def wrong_inputs(bench: Bench) -> str:
    """Inputs of a wrong number or size are refused."""
    model = models.two_inputs(bench.device.opset)
    digest = bench.load(model)["model"]
    first, second = model.inputs
    for what, arrays in (("one input too few", [first]), ("an input too small", [first, second[:, :-1]])):
        sent = [bench.put_tensor(np.ascontiguousarray(array)) for array in arrays]
        answer = bench.agent.ask("run", model=digest, inputs=sent)
        if answer.code != _BAD_MODEL:
            raise BreachError(f"{what} was answered with {answer}, not refused with {_BAD_MODEL}.")
    return "refused"


def bursts(bench: Bench) -> str:
    """Bursts come in the order asked for, with positive times by the clocks that describe names."""
    from mosegedge.devices.replies import Burst, Timed

    small = bench.load(models.convolution(bench.device.opset))["model"]
    large = bench.load(models.two_inputs(bench.device.opset))["model"]
    order = [small, large, small]
    answer = bench.agent.ask("time", models=order, **_BURST)
    if answer.code is not None:
        raise BreachError(f"time failed with {answer.code}: {answer.message}")
    if bench.parsed(Timed, answer.result).timed != len(order):
        raise BreachError(f"{len(order)} bursts were asked for, the reply counts {answer.result['timed']}.")
    found = [bench.parsed(Burst, item) for item in answer.notified]
    if [(burst.index, burst.model) for burst in found] != list(enumerate(order)):
        raise BreachError(f"Bursts came as {[(burst.index, burst.model[:8]) for burst in found]}.")
    by_device = bench.description.vendor.get("clock") == "device"
    for burst in found:
        _check_times("samples_ns", burst.samples_ns)
        if by_device != bool(burst.device_ns):
            raise BreachError(
                f"describe says clock {'device' if by_device else 'host'}, device_ns is {burst.device_ns}."
            )
        if by_device:
            _check_times("device_ns", burst.device_ns)
    return f"{len(found)} bursts, times by the {'device' if by_device else 'host'}"


def loaded_again(bench: Bench) -> str:
    """Loading a model again replaces it, and it still answers."""
    model = models.convolution(bench.device.opset)
    first, second = bench.load(model), bench.load(model)
    if first["model"] != second["model"]:
        raise BreachError(f"The same file became {first['model'][:8]} and {second['model'][:8]}.")
    _compare(bench, model, second["model"])
    return "same id"


def cached(bench: Bench) -> str:
    """What was built for one agent is there for the next."""
    from mosegedge.devices.replies import LoadedModel

    model = models.convolution(bench.device.opset)
    first = bench.parsed(LoadedModel, bench.load(model)).artefact
    bench.restart()
    second = bench.parsed(LoadedModel, bench.load(model)).artefact
    if not second.cached:
        raise BreachError(f"The artefact of a model that was built before was built again, in {second.build_s:.1f} s.")
    if (first.sha256, first.format) != (second.sha256, second.format):
        raise BreachError("The artefact of the same model differs between two agents.")
    return f"{second.format}, {second.bytes} bytes"


def ended(bench: Bench) -> str:
    """The agent ends with status 0 when its stdin is closed while a model is loaded."""
    bench.load(models.convolution(bench.device.opset))
    status = bench.restart()
    if status != 0:
        how = "did not end and was killed" if status is None else f"ended with status {status}"
        raise BreachError(f"The agent {how} after its stdin was closed.")
    return "status 0"


def unloaded(bench: Bench) -> str:
    """An unloaded model cannot be run or timed, and the others can."""
    model, other = models.convolution(bench.device.opset), models.two_inputs(bench.device.opset)
    digest, kept = bench.load(model)["model"], bench.load(other)["model"]
    bench.agent.result("unload", models=[digest])
    for answer in (
        bench.agent.ask("run", model=digest, inputs=[bench.put_tensor(model.inputs[0])]),
        bench.agent.ask("time", models=[digest], **_BURST),
    ):
        if answer.code != _BAD_MODEL:
            raise BreachError(f"An unloaded model was answered with {answer}, not refused with {_BAD_MODEL}.")
    _compare(bench, other, kept)
    return "refused afterwards"


def not_sent(bench: Bench) -> str:
    """A model that was never sent is refused, and so is one that arrived damaged."""
    agent = bench.agent
    damaged = sha256_of_bytes(b"what it should be")
    bench.connection.put(b"what it is", f"{agent.folders['models']}/{damaged}.onnx")
    for what, digest in (("never sent", _NOT_SENT), ("damaged", damaged)):
        answer = agent.ask("load", model=digest, format="onnx")
        # Not the model's fault: with the other code it would be left out of a profile for good.
        if answer.code != _BACKEND_FAILED:
            raise BreachError(
                f"A model that was {what} was answered with {answer}, not refused with {_BACKEND_FAILED}."
            )
    return "refused"


def garbage(bench: Bench) -> str:
    """Files that are no model are refused with a sentence, and the conversation goes on."""
    whole = models.convolution(bench.device.opset).content
    for what, content in (
        ("noise", b"\x07 this is no model \xff" * 9),
        ("half a model", whole[: len(whole) // 2]),
        ("a model with an unknown operator", models.unknown_operator(bench.device.opset)),
    ):
        agent = bench.agent
        answer = agent.ask("load", model=bench.put(content, "onnx"), format="onnx")
        if answer.code != _BAD_MODEL:
            raise BreachError(f"{what} was answered with {_short(answer)}, not refused with {_BAD_MODEL}.")
        agent.result("conditions")
    _answered(bench, models.convolution(bench.device.opset))
    return "refused, and a good model afterwards taken"


def layers(bench: Bench) -> str:
    """Layers, where they are told, name nodes of the model and take about as long as the network."""
    from mosegedge.devices.replies import Burst, LayerTime

    model = models.network(bench.device.opset)
    digest = bench.load(model)["model"]
    answer = bench.agent.ask("layers", model=digest, runs=2)
    if answer.code == _BACKEND_FAILED:
        return f"not told: {answer.message}"
    if answer.code is not None or not isinstance(answer.result, list) or not answer.result:
        raise BreachError(f"layers was answered with {_short(answer)}.")
    found = [bench.parsed(LayerTime, item) for item in answer.result]
    named = {node for layer in found for node in layer.nodes}
    strange = sorted(named - models.nodes_on(model, bench.device, bench.description))
    if strange:
        raise BreachError(f"Layers name {len(strange)} nodes that the model does not have, as {strange[0]}.")
    if not any(layer.nodes for layer in found):
        raise BreachError("No layer names a node of the model.")
    burst = bench.parsed(Burst, bench.agent.ask("time", models=[digest], **_BURST).notified[0])
    total, spent = min(burst.device_ns or burst.samples_ns), sum(layer.ns for layer in found)
    # Times of the network that are not positive are found by the check of bursts.
    if any(layer.ns < 0 for layer in found) or spent <= 0 or 0 < total * _SLOWER_BY_LAYER < spent:
        raise BreachError(f"Layers take {spent / 1e6:.3f} ms in sum, the network {total / 1e6:.3f} ms.")
    return f"{len(found)} layers name {len(named & model.nodes)} of {len(model.nodes)} nodes"


def client(bench: Bench) -> str:
    """The public client loads, times and runs a model."""
    from mosegedge.devices.agent_client import AgentClient, BurstSettings

    model = models.convolution(bench.device.opset)
    content, model_format = models.suited(model.content, bench.device, bench.description)
    bench.restart()
    with AgentClient(bench.connection, bench.device, client="mosegedge conformance") as agent:
        digest = agent.load(content, model_format)
        list(agent.time([digest], BurstSettings(min_samples=1, max_samples=1, min_ns=0, max_warmup=0)))
        outputs = agent.run(digest, model.inputs)
    _compare_arrays(bench, model, outputs)
    return "loaded, timed, run"


def _answered(bench: Bench, model: KnownModel) -> str:
    from mosegedge.devices.replies import LoadedModel

    loaded = bench.parsed(LoadedModel, bench.load(model))
    for what, ports, expected in (
        ("Inputs", loaded.inputs, model.ports[0]),
        ("Outputs", loaded.outputs, model.ports[1]),
    ):
        if [(port.name, list(port.shape)) for port in ports] != expected:
            raise BreachError(f"{what} of {model.name} are {list(ports)}, not {expected}.")
    return _compare(bench, model, loaded.model)


def _compare(bench: Bench, model: KnownModel, digest: str) -> str:
    return _compare_arrays(bench, model, bench.run(digest, model.inputs))


def _compare_arrays(bench: Bench, model: KnownModel, outputs: list[Any]) -> str:
    if len(outputs) != len(model.answers):
        raise BreachError(f"{model.name} has {len(model.answers)} outputs, {len(outputs)} came.")
    worst = 0.0
    for output, answer in zip(outputs, model.answers, strict=True):
        if output.shape != answer.shape:
            raise BreachError(f"An output of {model.name} has the shape {output.shape}, not {answer.shape}.")
        difference = np.abs(output.astype(np.float64) - answer).max() / max(np.abs(answer).max(), 1e-9)
        # Written so that an output with a NaN in it does not pass.
        worst = float(difference) if not difference <= worst else worst
    allowed = TOLERANCES[bench.device.precision]
    if not worst <= allowed:
        raise BreachError(
            f"{model.name} differs by {worst:.2%} of the largest value from what the host computes; "
            f"{allowed:.2%} is allowed in {bench.device.precision}."
        )
    return f"differs by {worst:.1e} of the largest value"


def _check_times(name: str, times: tuple[int, ...]) -> None:
    if not _BURST["min_samples"] <= len(times) <= _BURST["max_samples"]:
        raise BreachError(f"{name} has {len(times)} samples; 2 to 3 were asked for.")
    if min(times) <= 0:
        raise BreachError(f"{name} must be positive, it is {list(times)}.")


def _short(answer: Any) -> str:
    return str(answer)[:300]


ANSWER_CHECKS: dict[str, Callable[[Bench], str]] = {
    "a convolution is answered": convolution,
    "inputs keep their order": two_inputs,
    "a network is answered": network,
    "wrong inputs are refused": wrong_inputs,
    "bursts are well-formed": bursts,
    "a model may be loaded again": loaded_again,
    "an unloaded model is gone": unloaded,
    "a model that did not arrive is refused": not_sent,
    "garbage is refused": garbage,
    "layers name nodes": layers,
    "artefacts are kept": cached,
    "the agent ends with its stdin": ended,
    "the public client works": client,
}
