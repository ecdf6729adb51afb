"""Time of each layer: a run under the profiler in a process of its own, then its raw data made into tables.

Follows the documented interface. Making tables needs the toolkit of the same release; a board with the runtime alone,
and an Atlas 200I A2 as root complex, cannot do it: then the raw data stay, and the failure says where.
"""

import glob
import os
import shutil
import sys
from typing import Any, Dict, List, Mapping, Optional

from device_agents import runner as programs
from device_agents.backends.ascend import op_summary, profiled_run
from device_agents.backends.ascend.acl_session import ON_DEVICE
from device_agents.protocol import BACKEND_FAILED, RpcError
from device_agents.runner import Runner

FOLDER = "ascend-profile"
_RUN_S, _EXPORT_S = 240.0, 300.0
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from device_agents.backends.ascend.profiled_run import main; sys.exit(main())"
)
_TOOL = "tools/profiler/bin/msprof"
_OLD_TOOL = "tools/profiler/profiler_tool/analysis/msprof/msprof.py"
_LAST_CHARACTERS = 300


def time_layers(
    runner: Runner, path: str, soc_version: str, device_id: int, runs: int, run_mode: int
) -> List[Dict[str, Any]]:
    """Time of each operator of an OM.

    Args:
        runner: Starts the other process.
        path: The OM.
        soc_version: The chip.
        device_id: Its number.
        runs: Runs under the profiler.
        run_mode: Whether the board's own processor is the host.
    """
    folder = os.path.join(os.path.dirname(path), FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    _run(runner, path, soc_version, device_id, runs, folder)
    if not glob.glob(os.path.join(glob.escape(folder), "PROF_*")):
        raise RpcError(BACKEND_FAILED, "The profiler reported success and wrote no PROF_* folder into %s." % folder)
    if not op_summary.tables(folder):
        _export(runner, folder, soc_version, run_mode)
    layers = op_summary.layers_of(folder, runs)
    shutil.rmtree(folder, ignore_errors=True)
    return layers


def exporters(environment: Mapping[str, str], folder: str) -> List[List[List[str]]]:
    """Ways to make tables of raw data, best first: each a list of commands."""
    home = environment.get("ASCEND_TOOLKIT_HOME", "")
    found = []
    tool = _existing(os.path.join(home, _TOOL) if home else "", shutil.which("msprof") or "")
    if tool is not None:
        found.append([[tool, "--export=on", "--output=" + folder]])
    old = _existing(os.path.join(home, _OLD_TOOL) if home else "")
    if old is not None:
        commands = []
        for raw in sorted(glob.glob(os.path.join(glob.escape(folder), "PROF_*"))):
            commands.append([sys.executable, old, "import", "-dir", raw])
            commands.append([sys.executable, old, "export", "summary", "-dir", raw, "--format", "csv"])
        found.append(commands)
    return found


def _run(runner: Runner, path: str, soc_version: str, device_id: int, runs: int, folder: str) -> None:
    arguments = [sys.executable, "-c", _BOOT, programs.package_root(), path, soc_version, str(device_id), folder]
    finished = runner.run(arguments + [str(runs)], timeout_s=_RUN_S)
    if finished.timed_out:
        raise RpcError(BACKEND_FAILED, "The run under the profiler did not end within %.0f s." % _RUN_S)
    if finished.status != 0:
        said = _read(os.path.join(folder, profiled_run.FAILURE)) or finished.output[-_LAST_CHARACTERS:].strip()
        raise RpcError(BACKEND_FAILED, "The run under the profiler failed: %s" % (said or finished.status))


def _export(runner: Runner, folder: str, soc_version: str, run_mode: int) -> None:
    where = "The raw data are in %s on the device: copy PROF_* and make tables of them with the toolkit of the same "
    where = (where + "release, `msprof --export=on --output=DIR`.") % folder
    if run_mode == ON_DEVICE and soc_version.startswith("Ascend310B"):
        text = "This board cannot make tables of the profiler's raw data itself (documented for the 200I A2). "
        raise RpcError(BACKEND_FAILED, text + where)
    ways = exporters(os.environ, folder)
    if not ways:
        raise RpcError(BACKEND_FAILED, "There is no msprof on the device: it belongs to the toolkit. " + where)
    said = ""
    for commands in ways:
        for command in commands:
            finished = runner.run(command, timeout_s=_EXPORT_S)
            said = finished.output[-_LAST_CHARACTERS:].strip() or "status %d" % finished.status
        if op_summary.tables(folder):
            return
    raise RpcError(BACKEND_FAILED, "msprof made no op_summary table of the raw data; it said: %s. %s" % (said, where))


def _existing(*paths: str) -> Optional[str]:
    return next((path for path in paths if path and os.path.isfile(path)), None)


def _read(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read().strip()
    except OSError:
        return ""
