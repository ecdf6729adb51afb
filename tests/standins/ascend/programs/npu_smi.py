"""A stand-in for npu-smi as documented for the Atlas 200I A2; the Atlas 200 DK has none in the tests.

ASCEND_STANDIN_NPU_SMI=hang never answers.
"""

# ruff: noqa: T201 - written like what it stands in for

import os
import sys
import time

COMMON = """
    NPU ID                         : 0
    Chip Count                     : 1

    Chip ID                        : 0
    Memory Usage Rate(%)           : 14
    Aicore Usage Rate(%)           : 0
    Temperature(C)                 : 51
    Rated Power Dissipation(W)     : NA
    Chip Name                      : 310B4
    Power Dissipation(W)           : 8.7
"""
ANSWERS = {
    "common": COMMON,
    "health": "\tHealth                         : OK\n",
    "nve-level": "\tnve level                      : 8T_1.0GHz\n",
}

if os.environ.get("ASCEND_STANDIN_NPU_SMI") == "hang":
    time.sleep(600)
arguments = sys.argv[1:]
assert arguments[:2] == ["info", "-t"], arguments
assert arguments[3:5] == ["-i", "0"], arguments
print(ANSWERS[arguments[2]])
