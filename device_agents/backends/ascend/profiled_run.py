"""A process of its own that runs a model under the profiler; follows the documented order of calls.

The profiler has to be initialised before the model is loaded, so this cannot be done where the model already is.
Arguments: OM file, chip, number of the chip, folder, runs. What went wrong is the content of `failure.txt` there.
"""

import os
import sys
from typing import Any

from device_agents.backends.ascend.acl_model import Model
from device_agents.backends.ascend.acl_session import Session
from device_agents.protocol import BACKEND_FAILED, RpcError

FAILURE = "failure.txt"
# Numbers that pyACL leaves to its user: what is collected, and which counters of the AI core.
_TASK_TIME, _AICORE_METRICS = 0x2, 0x4
_PIPE = 1
_WARM_UP_RUNS = 5


def main() -> int:
    """Does what the arguments say; returns the exit status."""
    path, soc_version, device_id, folder, runs = sys.argv[-5:]
    try:
        _profiled(path, soc_version, int(device_id), os.path.abspath(folder), int(runs))
    except RpcError as error:
        with open(os.path.join(folder, FAILURE), "w") as stream:
            stream.write(error.message)
        return 1
    return 0


def _profiled(path: str, soc_version: str, device_id: int, folder: str, runs: int) -> None:
    session = Session(soc_version, device_id)
    try:
        acl = session.acl
        if not hasattr(acl, "prof"):
            raise RpcError(BACKEND_FAILED, "This release of pyACL has no acl.prof: layers cannot be timed with it.")
        session.done("acl.prof.init", acl.prof.init(folder))
        session.at_end("acl.prof.finalize", acl.prof.finalize)
        model = Model(session, path)
        try:
            # The first runs load kernels; they are over before the profiler starts.
            for _ in range(_WARM_UP_RUNS):
                model.execute()
            _collect(session, device_id, model, runs)
        finally:
            model.close()
    finally:
        session.close()


def _collect(session: Session, device_id: int, model: Any, runs: int) -> None:
    prof = session.acl.prof
    config = prof.create_config([device_id], _PIPE, 0, _TASK_TIME | _AICORE_METRICS)
    session.given("acl.prof.create_config", config)
    try:
        session.done("acl.prof.start", prof.start(config))
        try:
            for _ in range(runs):
                model.execute()
        finally:
            status = prof.stop(config)
        session.done("acl.prof.stop", status)
    finally:
        status = prof.destroy_config(config)
    session.done("acl.prof.destroy_config", status)
