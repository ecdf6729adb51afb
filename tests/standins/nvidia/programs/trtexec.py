"""Stand-in for trtexec 8.5, 8.6, 10 and 11 (STANDIN_TENSORRT): its options by version, markers and JSON files.

Knows STANDIN_FAIL = build, marker (exit status 0 without PASSED), silent (no banner), hang (a build without end, whose
process number is in STANDIN_CALLS). STANDIN_CALLS names a file that
gets one line a call.
"""
# ruff: noqa: T201 - it is a command

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "common"))
import standin_gpu
import standin_plan

VERSION = os.environ["STANDIN_TENSORRT"]
COMMAND = " ".join(["trtexec", *sys.argv[1:]])


def banner():
    major, minor, patch = (int(part) for part in VERSION.split("."))
    number = major * 1000 + minor * 100 + patch if major < 10 else major * 10000 + minor * 100 + patch
    return f"TensorRT.trtexec [TensorRT v{number}]"


def fail(text):
    print(f"[11/24/2026-07:00:00] [E] {text}")
    print(f"&&&& FAILED {banner()} # {COMMAND}")
    return 1


def main():
    if not standin_gpu.fails("silent"):
        print(f"&&&& RUNNING {banner()} # {COMMAND}")
    options = dict((argument + "=").split("=", 2)[:2] for argument in sys.argv[1:])
    for name in options:
        if not standin_gpu.documented("trtexec", name, VERSION):
            return fail(f"Unknown option: {name} {options[name]}")
    if "--help" in options:
        print("=== Model Options ===")
        return 0
    if os.environ.get("STANDIN_CALLS"):
        with Path(os.environ["STANDIN_CALLS"]).open("a") as stream:
            stream.write(COMMAND + "\n")
    if "--onnx" in options:
        if standin_gpu.fails("hang"):
            Path(os.environ["STANDIN_CALLS"]).write_text(str(os.getpid()))
            time.sleep(600)
        if standin_gpu.fails("build"):
            return fail("Error[10]: Could not find any implementation for node encoder.stem.conv1.conv.Conv.")
        for name, operator in standin_plan.unsupported(Path(options["--onnx"]).read_bytes()):
            print(f"[11/24/2026-07:00:00] [E] [TRT] In node 0 with name: {name} and operator: {operator}: UNSUPPORTED")
            return fail("Failed to parse onnx file")
        build(options)
    else:
        facts, model = standin_plan.unpack(Path(options["--loadEngine"]).read_bytes())
        if facts.get("version") != VERSION:
            return fail("Error[1]: Serialization assertion stdVersionRead == serializationVersion failed.")
        measure(options, facts, standin_plan.Model(facts, model))
    if standin_gpu.fails("marker"):
        return 0
    print(f"&&&& PASSED {banner()} # {COMMAND}")
    return 0


def build(options):
    cache = Path(options["--timingCacheFile"])
    cache.write_bytes((cache.read_bytes() if cache.exists() else b"timing") + b"+")
    assert "--skipInference" in options or "--buildOnly" in options
    flags = [name for option, name in (("--fp16", "FP16"), ("--int8", "INT8")) if option in options]
    flags += [] if "--noTF32" in options else ["TF32"]
    facts = {
        "version": VERSION,
        "gpu": standin_gpu.NAME,
        "flags": flags,
        "detailed": options.get("--profilingVerbosity") == "detailed",
        "level": options.get("--builderOptimizationLevel"),
        "workspace": options.get("--memPoolSize"),
        "aux": 0,
    }
    Path(options["--saveEngine"]).write_bytes(standin_plan.pack(facts, Path(options["--onnx"]).read_bytes()))


def measure(options, facts, model):
    old = standin_gpu.number(VERSION) < (11, 0)
    plain = not old or {"--useCudaGraph", "--useSpinWait", "--noDataTransfers"} <= set(options)
    runs = int(options.get("--iterations", "10"))
    copies_ms = 0.0 if plain else 0.5
    profiled = "--exportProfile" in options
    if "--exportTimes" in options and not (old and profiled and "--separateProfileRun" not in options):
        Path(options["--exportTimes"]).write_text(times(model, runs, copies_ms))
    if profiled:
        rows = [{"count": runs}]
        rows += [
            {
                "name": layer.name,
                "timeMs": layer.duration_ns * runs / 1e6,
                "averageMs": layer.duration_ns / 1e6,
                "medianMs": layer.duration_ns / 1e6,
                "percentage": 1.0,
            }
            for layer in model.layers
        ]
        Path(options["--exportProfile"]).write_text(listed(rows))
    if "--exportLayerInfo" in options:
        Path(options["--exportLayerInfo"]).write_text(standin_plan.information(model, facts))
    print("=== Performance summary ===")


def times(model, runs, copies_ms):
    rows = []
    for index in range(runs):
        start = index * 10.0
        compute_ms = model.duration_ns / 1e6 * (1 + index / 1000)
        row = {"startEnqMs": start, "endEnqMs": start + 0.001, "startH2dMs": start, "endH2dMs": start + copies_ms}
        row.update({"startComputeMs": start + copies_ms, "endComputeMs": start + copies_ms + compute_ms})
        end = start + copies_ms + compute_ms
        row.update({"startD2hMs": end, "endD2hMs": end + copies_ms, "h2dMs": copies_ms, "computeMs": compute_ms})
        row.update({"d2hMs": copies_ms, "latencyMs": compute_ms + 2 * copies_ms})
        rows.append(row)
    return listed(rows)


def listed(rows):
    """Objects with the comma in front, on the next line."""
    return "[\n  " + "\n, ".join(json.dumps(row) for row in rows) + "\n]\n"


sys.exit(main())
