"""Checks of the conversation: who we talk to, what it is, who may time it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mosegedge.devices.agent_client import PROTOCOL_VERSION
from mosegedge.devices.conformance.bench import Bench
from mosegedge.devices.conformance.raw import BreachError
from mosegedge.errors import DeviceBusyError

_WRONG_PROTOCOL = -32001
_BUSY = -32002
_PRECISIONS = {"fp32", "fp16", "bf16", "int8"}
_OPSETS = range(11, 30)
_NUMBERS = ("temperature_c", "power_w", "energy_mj")


def require_free(bench: Bench) -> None:
    """Makes sure that no other run holds the device: half of the checks would fail for that reason alone.

    Raises:
        DeviceBusyError: One does.
    """
    try:
        with bench.greeted() as agent:
            answer = agent.ask("lock", wait_s=0)
    except BreachError:
        return  # The first checks will say what is wrong.
    if answer.code == _BUSY:
        raise DeviceBusyError(
            f"{bench.device.name} is busy. {answer.message}", fix="Wait until that run is done, then try again."
        )


def hello(bench: Bench) -> str:
    """The greeting is answered with who is there and where files go."""
    from mosegedge.devices.replies import Hello

    with bench.start() as agent:
        reply = bench.parsed(Hello, agent.result("hello", **bench.greeting()))
    if reply.protocol != PROTOCOL_VERSION or reply.backend != bench.device.backend:
        raise BreachError(f"It is {reply.backend} with protocol {reply.protocol}.")
    return f"agent {reply.agent}, protocol {reply.protocol}"


def version(bench: Bench) -> str:
    """Another version of the protocol is refused."""
    with bench.start() as agent:
        answer = agent.ask("hello", **bench.greeting(PROTOCOL_VERSION + 1))
    if answer.code != _WRONG_PROTOCOL:
        raise BreachError(
            f"Protocol {PROTOCOL_VERSION + 1} was answered with {answer}, not refused with {_WRONG_PROTOCOL}."
        )
    return answer.message


def described(bench: Bench) -> str:
    """`describe` has all keys of the contract, and knows the precision of the device."""
    vendor = bench.description.vendor
    _typed(vendor, "accelerator", str)
    _typed(vendor, "typed_onnx", bool)
    versions = _typed(vendor, "runtime", dict)
    if not versions or not all(isinstance(value, str) and value for value in versions.values()):
        raise BreachError(f"describe: runtime must be versions by name, it is {versions}.")
    precisions = _typed(vendor, "precisions", list)
    if not precisions or not set(precisions) <= _PRECISIONS:
        raise BreachError(f"describe: precisions must be some of {sorted(_PRECISIONS)}, they are {precisions}.")
    if bench.device.precision not in precisions:
        raise BreachError(
            f"The device is set to {bench.device.precision}; its backend can time {', '.join(precisions)}."
        )
    if _typed(vendor, "opset", int) not in _OPSETS:
        raise BreachError(f"describe: opset must be at least {_OPSETS.start}, it is {vendor['opset']}.")
    _one_of(vendor, "clock", ("host", "device"))
    _one_of(vendor, "origin", ("measured", "simulated"))
    return f"{vendor['accelerator']}, {vendor['origin']}, clock {vendor['clock']}"


def conditions(bench: Bench) -> str:
    """`conditions` are numbers and reasons, where they are known."""
    found = bench.agent.result("conditions")
    if not isinstance(found, dict):
        raise BreachError(f"conditions was answered with {found!r}.")
    for name in _NUMBERS:
        value = found.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BreachError(f"conditions: {name} must be a number or absent, it is {value!r}.")
    reasons = found.get("throttled", [])
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        raise BreachError(f"conditions: throttled must be a list of reasons, it is {reasons!r}.")
    return ", ".join(sorted(found)) or "nothing is known"


def doctor(bench: Bench) -> str:
    """`checks` are findings with a status, and failures have a fix."""
    from mosegedge.devices.replies import Check

    found = bench.agent.result("checks")
    if not isinstance(found, list):
        raise BreachError(f"checks was answered with {found!r}.")
    for item in found:
        check = bench.parsed(Check, item)
        if check.status == "failed" and not check.fix:
            raise BreachError(f"The check {check.name} failed and names no fix.")
    return f"{len(found)} findings"


def lock(bench: Bench) -> str:
    """A second run is kept out, and told who holds the device."""
    with bench.greeted() as first, bench.greeted() as second:
        first.result("lock", wait_s=0)
        answer = second.ask("lock", wait_s=0)
    if answer.code != _BUSY:
        raise BreachError(f"A second agent asked for the lock and got {answer} instead of {_BUSY}.")
    return answer.message


def only_the_protocol(bench: Bench) -> str:
    """Nothing else was written to stdout in any conversation."""
    if bench.noise:
        raise BreachError(f"{len(bench.noise)} lines on stdout were no protocol; the first: {bench.noise[0]!r}.")
    return "no other line"


def _typed(vendor: dict[str, Any], name: str, kind: type) -> Any:
    if name not in vendor:
        raise BreachError(f"describe lacks {name}.")
    value = vendor[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BreachError(f"describe: {name} must be of the type {kind.__name__}, it is {value!r}.")
    return value


def _one_of(vendor: dict[str, Any], name: str, values: tuple[str, ...]) -> None:
    if _typed(vendor, name, str) not in values:
        raise BreachError(f"describe: {name} must be {' or '.join(values)}, it is {vendor[name]!r}.")


CONVERSATION_CHECKS: dict[str, Callable[[Bench], str]] = {
    "hello is answered": hello,
    "another protocol version is refused": version,
    "describe keeps to the contract": described,
    "conditions are numbers and reasons": conditions,
    "checks of the doctor are well-formed": doctor,
    "a second run is kept out": lock,
}
