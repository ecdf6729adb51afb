"""acl.prof of the stand-in: it writes raw data that only the stand-in of msprof can read."""

# ruff: noqa: PTH103, PTH117, PTH118, PTH123 - written like what it stands in for

import json
import os

from acl.standin_state import STATE, call, log

_FOLDER = {}


def _init(folder):
    status = call("acl.prof.init")
    if STATE.held.get("model"):
        log("WRONG acl.prof.init comes after a model was loaded")
        return 148047
    if not os.path.isabs(folder):
        return 100010
    _FOLDER["path"] = folder
    return status


def _create_config(device_ids, aicore_metrics, aicore_events, data_type):
    if call("acl.prof.create_config") or not data_type & 0x2:
        return 0
    return STATE.keep("profiler configuration", (device_ids, aicore_metrics, aicore_events, data_type))


def _start(config):
    if STATE.profiling is not None:
        return 100042
    STATE.profiling = {"runs": 0}
    return call("acl.prof.start")


def _stop(config):
    if STATE.profiling is None:
        return 100043
    nodes = [name for model in STATE.held["model"].values() for name in model.get_modelmeta().description.split("|")]
    folder = os.path.join(_FOLDER["path"], "PROF_000001_20260101_STANDIN", "device_0", "data")
    os.makedirs(folder)
    with open(os.path.join(folder, "raw.standin"), "w") as stream:
        json.dump({"runs": STATE.profiling["runs"], "nodes": nodes, "cann": STATE.cann}, stream)
    STATE.profiling = None
    return call("acl.prof.stop")


FUNCTIONS = {
    "init": _init,
    "create_config": _create_config,
    "start": _start,
    "stop": _stop,
    "destroy_config": lambda config: STATE.drop("profiler configuration", config, call("acl.prof.destroy_config")),
    "finalize": lambda: call("acl.prof.finalize"),
}
