"""A stand-in for ATC of CANN 5.1 and 6.0: texts, exit statuses and files as documented; an OM is the ONNX with a head.

ASCEND_STANDIN_ATC chooses what happens: nothing for success, an error code (E19010, ...) for that failure, or one of
hang, disk, nofile, empty, suffix, silent, killed, warn.
"""

# ruff: noqa: PTH103, PTH109, PTH123, T201, UP031 - written like what it stands in for

import json
import os
import signal
import subprocess
import sys
import time

CANN = os.environ.get("ASCEND_STANDIN_CANN", "6.0")
MODE = os.environ.get("ASCEND_STANDIN_ATC", "")
CHIPS = {"5.1": ("Ascend310", "Ascend310P3"), "6.0": ("Ascend310", "Ascend310P3", "Ascend310B1", "Ascend310B4")}[CANN]
OPTIONS = (
    *("--model", "--framework", "--output", "--soc_version", "--input_format", "--input_shape", "--precision_mode"),
    *("--op_select_implmode", "--insert_op_conf", "--out_nodes", "--output_type", "--log", "--mode", "--check_report"),
)
MODES = ("force_fp16", "force_fp32", "allow_mix_precision", "allow_fp32_to_fp16", "must_keep_origin_dtype")
TEXTS = {
    "E19010": "No parser is registered for Op [custom, optype [Strange]].",
    "E16005": "The model has 2 [domain_version] fields, but only one is allowed.",
    "EZ3003": "No supported Ops kernel and engine are found for [x], optype [Y].",
    "E10016": "Opname [decoder] of parameter [--out_nodes] not found in the model.",
    "E77777": "Something that no table knows.",
}


def fail(lines, status=255):
    print("ATC run failed, Please check the detail log, Try 'atc --help' for more information")
    print("\n".join(lines))
    print("        TraceBack (most recent call last):\n        stand-in[FUNC:main][FILE:atc.py][LINE:1]")
    sys.exit(status)


def wrong(value, name):
    mark = "Value %s for parameter %s" if CANN != "5.1" else "Value [%s] for parameter [%s]"
    fail(["E10001: %s is invalid. Reason: stand-in." % (mark % (value, name))])


def main():
    if sys.argv[1:] == ["--help"]:
        print("usage: atc <args> (stand-in)")
        return
    if os.environ.get("ASCEND_STANDIN_ATC_LOG"):
        record = {"arguments": sys.argv[1:], "folder": os.getcwd(), "te": os.environ.get("TE_PARALLEL_COMPILER")}
        with open(os.environ["ASCEND_STANDIN_ATC_LOG"], "a") as stream:
            stream.write(json.dumps(record) + "\n")
    print("ATC start working now, please wait for a moment.", flush=True)
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    for name, value in given.items():
        if name not in OPTIONS or value != value.strip() or not value:
            wrong(value, name)
    if given["--soc_version"] not in CHIPS:
        wrong(given["--soc_version"], "--soc_version")
    if given["--framework"] != "5" or given["--precision_mode"] not in MODES:
        wrong(given["--precision_mode"], "--precision_mode")
    for leftover in ("check_result.json", "fusion_result.json"):
        with open(leftover, "w") as stream:
            stream.write("{}")
    os.makedirs("kernel_meta", exist_ok=True)
    act(given)


def act(given):
    prefix = given["--output"]
    if MODE == "hang":
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        with open(os.environ["ASCEND_STANDIN_HANG"], "w") as stream:
            stream.write("%d %d" % (os.getpid(), child.pid))
        time.sleep(600)
    if MODE == "disk":
        open(prefix + ".om", "wb").close()
        fail(["E19999: Inner Error!", "        Write file failed: No space left on device"])
    if MODE == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if MODE.startswith("E"):
        fail(["%s: %s" % (MODE, TEXTS[MODE])])
    if MODE not in ("nofile", "empty"):
        with open(given["--model"], "rb") as stream:
            onnx = stream.read()
        header = json.dumps({"soc": given["--soc_version"], "precision": given["--precision_mode"]}).encode()
        with open(prefix + ("_linux_aarch64.om" if MODE == "suffix" else ".om"), "wb") as stream:
            stream.write(b"STANDIN-OM\n" + header + b"\n" + onnx)
    if MODE == "empty":
        open(prefix + ".om", "wb").close()
    if MODE != "silent":
        print("ATC run success, welcome to the next use.")
    if MODE == "warn":
        print("W11001: Op [x] does not hit the high-priority operator information library.")


main()
