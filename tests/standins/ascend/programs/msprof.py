"""A stand-in for msprof of CANN 5.1 and 6.0: `--export=on --output=DIR` makes the documented tables of raw data.

It fuses every Conv with a Relu behind it, as ATC would. ASCEND_STANDIN_AI_CPU names an operator type that falls to the
AI CPU; ASCEND_STANDIN_MSPROF=broken makes no tables.
"""

# ruff: noqa: PTH103, PTH118, PTH120, PTH123, PTH207, T201, UP031 - written like what it stands in for

import csv
import glob
import json
import os
import sys

HEADERS = {
    "5.1": "Model ID,Task ID,Stream ID,Op Name,OP Type,Task Type,Task Start Time,Task Duration(us),Task Wait Time(us),"
    "Block Dim",
    "6.0": "Model Name,Model ID,Task ID,Stream ID,Infer ID,Op Name,OP Type,Task Type,Task Start Time,Task Duration(us),"
    "Task Wait Time(us),Block Dim,Input Shapes,aicore_time(us),total_cycles",
}


def fused(nodes):
    found = []
    for node in nodes:
        if found and node.endswith(".Relu") and found[-1][-1].endswith(".Conv"):
            found[-1].append(node)
        else:
            found.append([node])
    return found


def write(path, header, rows):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows([row.get(name, "N/A") for name in header] for row in rows)


def export(raw_path):
    with open(raw_path) as stream:
        raw = json.load(stream)
    summary = os.path.join(os.path.dirname(os.path.dirname(raw_path)), "summary")
    os.makedirs(summary, exist_ok=True)
    slow = os.environ.get("ASCEND_STANDIN_AI_CPU", "Nothing")
    operators = fused(raw["nodes"])
    rows = [{"Op Name": "trans_TransData_0", "OP Type": "TransData", "Task Type": "AI_CORE", "us": 3.5}]
    for index, members in enumerate(operators):
        kind = members[0].rsplit(".", 1)[-1]
        task = "AI_CPU" if kind == slow else "AI_CORE"
        rows.append({"Op Name": "".join(members), "OP Type": kind, "Task Type": task, "us": 10.0 + index})
    for index, row in enumerate(rows):
        row.update({"Model ID": "1", "Task ID": str(index), "Stream ID": "3", "Infer ID": "1", "Block Dim": "2"})
        row.update({"Task Start Time": "%d\t" % (1000 + index), "Task Duration(us)": "%.1f\t" % row["us"]})
    write(os.path.join(summary, "op_summary_0_1_1.csv"), HEADERS[raw["cann"]].split(","), rows)
    fusion = [{"Model ID": "1", "Fusion Op": "".join(m), "Original Ops": ",".join(m)} for m in operators]
    header = ["Model Name", "Model ID", "Fusion Op", "Original Ops", "Memory Total(KB)"]
    write(os.path.join(summary, "fusion_op_0_1.csv"), header, fusion)


arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
assert arguments["--export"] == "on", arguments
if os.environ.get("ASCEND_STANDIN_MSPROF") == "broken":
    print("[ERROR] The data were collected by another version (stand-in).")
    sys.exit(1)
for found in glob.glob(os.path.join(arguments["--output"], "PROF_*", "device_*", "data", "raw.standin")):
    export(found)
print("[INFO] Export all data done (stand-in).")
