#!/usr/bin/env python3
# ruff: noqa: B904, PTH100, PTH118, PTH119, PTH120, PTH123, UP006, UP031, UP035 - Python 3.7 runs this file
"""Checks the bundle in this folder on the device that it was built for: `python3 verify.py [--runs N]`.

Needs Python 3.7 and what the device's runtime brings, nothing else: the agent in agent.pyz loads the file, runs the
golden picture and times it, as it did for the host. Exit status: 0 when the device computes what PyTorch computed,
10 when it does not or a file was changed, 3 when this device cannot run the file, 2 for wrong arguments.
"""

import argparse
import ast
import contextlib
import functools
import hashlib
import importlib
import json
import math
import os
import struct
import sys
from array import array
from typing import Any, Dict, List, Sequence, Tuple

numpy: Any = None
with contextlib.suppress(ImportError):  # Without it the comparison is done in plain Python, which takes some seconds.
    numpy = importlib.import_module("numpy")

OLDEST_PYTHON = (3, 7)
FAILED, CANNOT = 10, 3
_FILES = ("agent.pyz", "golden_input.npy", "golden_output.npy")
_MOST_WARMUP = 50
_FLOATS = {"float32": ("f", 4), "float16": ("e", 2)}


class CheckError(Exception):
    """Why there is no result.

    Args:
        status: Exit status.
        message: One or two sentences.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def main() -> int:
    """Reads the arguments, prints what was found; returns the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("verify.py needs Python 3.7 or newer; %s is Python %s.\n" % (sys.executable, found))
        return CANNOT
    parser = argparse.ArgumentParser(description="Checks the bundle in this folder on this device.")
    parser.add_argument("--runs", type=int, default=100, help="timed runs (default: 100)")
    runs = parser.parse_args().runs
    if runs < 1:
        parser.error("--runs must be 1 or more")
    # Vendor libraries print to descriptor 1 from C code; the results must stay readable for scripts.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        lines, passed = check(os.path.dirname(os.path.abspath(__file__)), runs)
    except CheckError as refusal:
        sys.stderr.write("%s\n" % refusal)
        return refusal.status
    results.write("\n".join(lines) + "\n")
    results.flush()
    return 0 if passed else FAILED


def check(folder: str, runs: int) -> Tuple[List[str], bool]:
    """Runs and times the file of a bundle.

    Args:
        folder: Of the bundle.
        runs: How many runs are timed.

    Returns:
        Lines to be shown, and whether the golden output agrees.
    """
    artefact, name = read_manifest(folder)
    sys.path.insert(0, os.path.join(folder, "agent.pyz"))
    from device_agents.options import Options
    from device_agents.protocol import RpcError

    options = Options(artefact["threads"], artefact["precision"], artefact["settings"])
    try:
        backend = _backend(artefact["backend"], options)
        try:
            notes = _require_same_kind(artefact, backend.describe(options))
            found = _measured(backend, os.path.join(folder, artefact["file"]), options, folder, runs)
        finally:
            if hasattr(backend, "stop"):
                backend.stop()
    except RpcError as error:
        raise CheckError(CANNOT, "%s cannot be run here: %s" % (artefact["file"], error.message))
    return _report(artefact, name, found, notes)


def read_manifest(folder: str) -> Tuple[Dict[str, Any], str]:
    """What bundle.json says about the file, and the name of the network; all digests are compared."""
    path = os.path.join(folder, "bundle.json")
    try:
        with open(path, "rb") as stream:
            record = json.loads(stream.read().decode("utf-8"))
        artefact = dict(record["artefact"])
        digests = dict(record["files_sha256"])
        wanted = {name: digests[name] for name in _FILES}
        wanted[artefact["file"]] = artefact["sha256"]
        name = "%s, %s" % (record["space"]["name"], record["code"].replace(" ", "-"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckError(FAILED, "%s is missing or damaged: %r." % (path, error))
    for file, digest in sorted(wanted.items()):
        if os.path.basename(file) != file or _sha256(os.path.join(folder, file)) != digest:
            raise CheckError(FAILED, "%s is missing or was changed after the export." % os.path.join(folder, file))
    return artefact, name


def _backend(name: str, options: Any) -> Any:
    try:
        backend = importlib.import_module("device_agents.backends.%s" % name)
    except ImportError as error:
        raise CheckError(CANNOT, "The runtime %s is not on this device: %s." % (name, error))
    if hasattr(backend, "start"):
        backend.start(options)
    return backend


def _require_same_kind(artefact: Dict[str, Any], described: Dict[str, Any]) -> List[str]:
    """Refuses another kind of device; returns notes on versions that differ."""
    found = str(described.get("accelerator", artefact["backend"]))
    if found != artefact["accelerator"]:
        text = "%s was built for %s, this device has %s. Export for this one: mosegedge export CODE --device NAME"
        raise CheckError(CANNOT, text % (artefact["file"], artefact["accelerator"], found))
    here = {name: str(version) for name, version in described.get("runtime", {}).items()}
    return [
        "note      built with %s %s, here it is %s" % (name, version, here.get(name, "absent"))
        for name, version in sorted(artefact["runtime"].items())
        if here.get(name) != version
    ]


def _measured(backend: Any, path: str, options: Any, folder: str, runs: int) -> Dict[str, Any]:
    """Difference, agreement and raw times of one file."""
    from device_agents import priority, timing
    from device_agents.lock import DeviceLock

    _, picture = read_npy(os.path.join(folder, "golden_input.npy"))
    shape, expected = read_npy(os.path.join(folder, "golden_output.npy"))
    DeviceLock("").acquire("verify.py", 0)
    model = backend.load(path, options)
    try:
        if not model.inputs:
            text = (
                "%s can be timed here, but its outputs cannot be compared: the runtime does not tell its inputs, as "
                "with TensorRT where the command trtexec is all there is. Install the runtime's Python module."
            )
            raise CheckError(CANNOT, text % os.path.basename(path))
        outputs = backend.run(model, [_as_type(picture, model.inputs[0]["dtype"])])
        if len(outputs) != 1 or tuple(outputs[0]["shape"]) != shape or outputs[0]["dtype"] not in _FLOATS:
            given = [(output["dtype"], output["shape"]) for output in outputs]
            raise CheckError(FAILED, "The network gives %s, PyTorch float32 %s." % (given, list(shape)))
        difference, agreement = compare(outputs[0]["content"], outputs[0]["dtype"], expected, shape[1])
        with priority.preferred():
            burst = timing.burst(functools.partial(backend.run, model, None), runs, runs, 0, _MOST_WARMUP)
    finally:
        backend.close(model)
    conditions = backend.conditions() if hasattr(backend, "conditions") else {}
    return dict(burst, difference=difference, agreement=agreement, throttled=conditions.get("throttled") or [])


def _report(artefact: Dict[str, Any], name: str, found: Dict[str, Any], notes: List[str]) -> Tuple[List[str], bool]:
    by_device = artefact["clock"] == "device" and found["device_ns"]
    times_ms = sorted(ns / 1e6 for ns in (found["device_ns"] if by_device else found["samples_ns"]))
    median_ms, p95_ms = quantile(times_ms, 0.5), quantile(times_ms, 0.95)
    tolerance, required = artefact["golden_tolerance"], artefact["agreement"]
    passed = found["difference"] <= tolerance and found["agreement"] >= required
    speed = (median_ms, p95_ms, 1000 / median_ms, len(times_ms), "device" if by_device else "host")
    origin = " (simulated)" if artefact["origin"] == "simulated" else ""
    lines = [
        "network   %s, %s by %s on %s" % (name, artefact["precision"], artefact["backend"], artefact["accelerator"]),
        "file      %s, sha256 %s, as exported" % (artefact["file"], artefact["sha256"]),
        "golden    differs by %.1e of the largest logit, at most %.0e is rounding" % (found["difference"], tolerance),
        "masks     agree with PyTorch in %.4f%% of the pixels, asked for %.4g%%"
        % (100 * found["agreement"], 100 * required),
        "latency   %.2f ms median, %.2f ms p95, %.1f images/s, n %d, by the %s's clock" % speed,
    ]
    lines[2:] = [line + origin for line in lines[2:]]
    if found["throttled"]:
        lines.append("throttled %s: the latency is not that of a cool device" % ", ".join(found["throttled"]))
    return lines + notes + [
        "passed" if passed else "FAILED: this device does not compute what PyTorch computes"
    ], passed


def compare(output: bytes, dtype: str, expected: bytes, classes: int) -> Tuple[float, float]:
    """Largest difference over the largest expected value, and the share of pixels with the same class.

    Args:
        output: Logits of the device, little-endian, one plane a class.
        dtype: Their type, float32 or float16.
        expected: PyTorch's logits as float32.
        classes: Number of planes.
    """
    if numpy is not None:
        ours = numpy.frombuffer(output, dtype).astype("float32").reshape(classes, -1)
        theirs = numpy.frombuffer(expected, "float32").reshape(classes, -1)
        if not numpy.isfinite(ours).all():
            return math.inf, 0.0
        difference = float(numpy.abs(ours - theirs).max() / max(float(numpy.abs(theirs).max()), 1e-12))
        return difference, float((ours.argmax(0) == theirs.argmax(0)).mean())
    ours, theirs = _values(output, dtype), _values(expected, "float32")
    if not all(map(math.isfinite, ours)):
        return math.inf, 0.0
    largest = max(max(map(abs, theirs)), 1e-12)
    worst = max(abs(mine - wanted) for mine, wanted in zip(ours, theirs))  # noqa: B905 - Python 3.7
    same = [a == b for a, b in zip(_mask(ours, classes), _mask(theirs, classes))]  # noqa: B905 - Python 3.7
    return worst / largest, sum(same) / len(same)


def _values(content: bytes, dtype: str) -> Sequence[float]:
    code, size = _FLOATS[dtype]
    return array("f", struct.unpack("<%d%s" % (len(content) // size, code), content))


def _mask(values: Sequence[float], classes: int) -> Sequence[int]:
    """The class of the largest logit of every pixel."""
    pixels = len(values) // classes
    best, which = list(values[:pixels]), [0] * pixels
    for number in range(1, classes):
        for pixel, value in enumerate(values[number * pixels : (number + 1) * pixels]):
            if value > best[pixel]:
                best[pixel], which[pixel] = value, number
    return which


def read_npy(path: str) -> Tuple[Tuple[int, ...], bytes]:
    """Shape and content of a .npy file of float32 in C order."""
    with open(path, "rb") as stream:
        content = stream.read()
    try:
        start = 10 if content[6] == 1 else 12
        length = struct.unpack("<H" if start == 10 else "<I", content[8:start])[0]
        header = ast.literal_eval(content[start : start + length].decode("latin-1"))
        shape = tuple(int(side) for side in header["shape"])
        data = content[start + length :]
        count = functools.reduce(lambda a, b: a * b, shape, 1)
        right = content[:6] == b"\x93NUMPY" and header["descr"] == "<f4" and not header["fortran_order"]
        if not right or len(shape) != 4 or len(data) != 4 * count or count == 0:
            raise ValueError("it holds %s %s" % (header["descr"], shape))
    except (IndexError, KeyError, TypeError, ValueError, SyntaxError, struct.error) as error:
        raise CheckError(FAILED, "%s is no float32 picture: %s." % (path, error))
    return shape, data


def _as_type(content: bytes, dtype: str) -> bytes:
    """Float32 values as the type that a network takes."""
    if dtype == "float16":
        return struct.pack("<%de" % (len(content) // 4), *_values(content, "float32"))
    return content


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of sorted values, between two of them by proportion."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        digest.update(stream.read())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
