"""A stand-in for pyACL of CANN 5.1 and 6.0: the documented names and return conventions, run by ONNX Runtime.

It knows nothing of a chip. What it does is set by variables:

    ASCEND_STANDIN_CANN      5.1 (no bytes functions, no soc name, no error texts) or 6.0
    ASCEND_STANDIN_SOC       the chip
    ASCEND_STANDIN_RUN_MODE  0 for a board (RC), 1 for a card
    ASCEND_STANDIN_MEMORY    0 for a card with DDR memory, 1 for HBM, anything else for one that cannot tell
    ASCEND_STANDIN_FAIL      calls that return a number instead of 0: "acl.rt.set_device=507033,acl.init=100001"
    ASCEND_STANDIN_MS_PER_MB a law of times: 0.05 ms and so much for each megabyte of model and input; else 1.25 ms
    ASCEND_STANDIN_LOG       file that gets one line a call, and what was done wrong

From `acl.init` on, a child process is a mistake: it raises, and is written to the log.
"""

# ruff: noqa: UP031 - written like what it stands in for

import os
import sys
from types import SimpleNamespace

from acl import standin_model, standin_prof
from acl.standin_state import STATE, call, log

os.write(1, b"[acl] noise of a C library on stdout\n")


def _watch(event, arguments):
    starts = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")
    if STATE.initialised and event in starts:
        log("FORBIDDEN %s" % event)
        raise RuntimeError("pyACL forbids child processes after acl.init")


sys.addaudithook(_watch)


def init(config=None):
    status = call("acl.init")
    if status == 0 and STATE.was_initialised:
        return 100002
    if status == 0:
        STATE.initialised = STATE.was_initialised = True
    return status


def finalize():
    status = call("acl.finalize")
    if not STATE.initialised:
        return 100037
    log("LEFT %s" % ",".join(sorted(kind for kind, held in STATE.held.items() if held)))
    return status


def create_data_buffer(place, size):
    call("acl.create_data_buffer")
    return STATE.keep("data buffer", (place, size))


def destroy_data_buffer(buffer):
    return STATE.drop("data buffer", buffer, call("acl.destroy_data_buffer"))


def get_data_buffer_addr(buffer):
    return STATE.held["data buffer"][buffer][0]


def get_data_buffer_size(buffer):
    return STATE.held["data buffer"][buffer][1]


rt = standin_model.RT
mdl = standin_model.MDL
util = standin_model.UTIL
prof = SimpleNamespace(**standin_prof.FUNCTIONS)

if STATE.cann != "5.1":

    def get_soc_name():
        return STATE.soc

    def get_recent_err_msg():
        return "EE9999: inner error of the stand-in\n" if STATE.failed else None
