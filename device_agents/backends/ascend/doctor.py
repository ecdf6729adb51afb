"""What can be wrong with an Ascend board, for the doctor: each finding with what to do about it.

Whatever needs a child process comes before AscendCL is opened, in the order of this file, and goes through the helper.
"""

import os
import sys
from typing import Dict, List, Tuple

from device_agents.backends.ascend import versions
from device_agents.backends.ascend.acl_session import import_acl
from device_agents.backends.ascend.atc import available_mib, free_disk_mib, is_missing
from device_agents.backends.ascend.board import Board
from device_agents.options import Options
from device_agents.protocol import RpcError

# Interpreters that CANN 5.0.4 to 6.x documents: first and last patch release of each.
_INTERPRETERS = {(3, 7): 11, (3, 8): 11, (3, 9): 7}
_LITTLE_MEMORY_MIB, _LITTLE_DISK_MIB = 1024, 1024
_LIBRARY = b"libascendcl"
_CHIPS_WITH_PAIRS = "Ascend310"


def findings(board: Board, options: Options) -> List[Dict[str, str]]:
    """All checks."""
    return [
        _interpreter(sys.version_info[:3]),
        _module(),
        _scripts(),
        _cann(),
        _pair(board.soc_version),
        _compiler(board, options),
        _memory(),
        _disk(),
        _sensors(board),
        _users("/proc"),
        _chip(board),
    ]


def _finding(name: str, status: str, found: str, fix: str = "") -> Dict[str, str]:
    return {"name": name, "status": status, "found": found, "fix": fix}


def _interpreter(version: Tuple[int, ...]) -> Dict[str, str]:
    shown = "Python %d.%d.%d (%s)" % (version[0], version[1], version[2], sys.executable)
    if version[2] <= _INTERPRETERS.get((version[0], version[1]), -1):
        return _finding("interpreter", "ok", shown)
    text = "CANN 5.0.4 to 6.x documents 3.7.0-3.7.11, 3.8.0-3.8.11 and 3.9.0-3.9.7; newer releases may take others."
    return _finding("interpreter", "warning", shown, text + " Set `interpreter` if pyACL does not work.")


def _module() -> Dict[str, str]:
    try:
        return _finding("pyACL", "ok", str(getattr(import_acl(), "__file__", "built in")))
    except RpcError as error:
        return _finding("pyACL", "failed", error.message, "Set `environment` to the set_env.sh of CANN.")


def _scripts() -> Dict[str, str]:
    found = versions.scripts(os.environ)
    if found:
        return _finding("set_env.sh", "ok", ", ".join(found))
    fix = "Install the CANN toolkit or nnrt, or set `environment` to its script if it is elsewhere."
    return _finding("set_env.sh", "warning", "none in the documented places", fix)


def _cann() -> Dict[str, str]:
    found = versions.cann(os.environ)
    kind = "toolkit" if versions.has_toolkit(os.environ) else "runtime"
    if found.version:
        return _finding("CANN", "ok", "%s %s (%s)" % (kind, found.version, found.path))
    fix = "Set `environment` to the set_env.sh of CANN; it sets ASCEND_TOOLKIT_HOME or ASCEND_NNRT_HOME."
    return _finding("CANN", "warning", "no file that names its version", fix)


def _pair(soc_version: str) -> Dict[str, str]:
    driver, cann = versions.driver(os.environ).version, versions.cann(os.environ).version
    shown = "driver %s, CANN %s" % (driver or "unknown", cann or "unknown")
    if soc_version != _CHIPS_WITH_PAIRS:
        return _finding("driver", "ok", shown + "; pairs are listed for the Atlas 200 DK only")
    if not driver or not cann:
        fix = "Compare them by hand with the vendor's table of versions for the Atlas 200 DK."
        return _finding("driver", "warning", shown, fix)
    if versions.listed_pair(driver, cann):
        return _finding("driver", "ok", shown + ", a listed pair")
    partners = [", ".join(partners) for name, partners in versions.PAIRS.items() if driver.lower().startswith(name)]
    fix = "Only listed pairs are supported. With this driver: %s." % (" ".join(partners) or "none is listed")
    return _finding("driver", "warning", shown + ", not a listed pair", fix)


def _compiler(board: Board, options: Options) -> Dict[str, str]:
    if options.settings.get("atc", "board") == "host":
        return _finding("atc", "ok", "not needed here: models are compiled on the host")
    finished = board.atc.starts()
    if is_missing(finished):
        fix = "Install the CANN toolkit (nnrt has no ATC) and set `environment` to its set_env.sh, or set atc = host."
        return _finding("atc", "failed", finished.output.strip() or "not found", fix)
    if finished.timed_out or finished.status != 0:
        said = (finished.output.strip().splitlines() or ["nothing"])[-1]
        fix = "Run `atc --help` on the device: its Python packages or libraries may be missing."
        return _finding("atc", "failed", "it does not start (status %d): %s" % (finished.status, said), fix)
    return _finding("atc", "ok", "it starts")


def _memory() -> Dict[str, str]:
    found = available_mib("MemAvailable")
    if found is None:
        return _finding("memory", "warning", "unknown: there is no /proc/meminfo", "")
    if found < _LITTLE_MEMORY_MIB:
        fix = "Stop other programs, or compile on the host: atc = host."
        return _finding("memory", "warning", "%d MiB available" % found, fix)
    return _finding("memory", "ok", "%d MiB available" % found)


def _disk() -> Dict[str, str]:
    home = os.path.expanduser("~")
    found = free_disk_mib(home)
    if found < _LITTLE_DISK_MIB:
        return _finding("disk", "warning", "%d MiB free in %s" % (found, home), "Free some, or set `cache` elsewhere.")
    return _finding("disk", "ok", "%d MiB free in %s" % (found, home))


def _sensors(board: Board) -> Dict[str, str]:
    found = board.npu_smi.conditions()
    chip = board.npu_smi.chip_name()
    if found or chip:
        told = ["chip %s" % chip] if chip else []
        return _finding("npu-smi", "ok", ", ".join(told + ["%s %s" % (name, found[name]) for name in sorted(found)]))
    state = "there, and tells nothing" if board.npu_smi.present else "not there"
    return _finding("npu-smi", "ok", state + ": temperature and power are not recorded")


def _users(proc: str) -> Dict[str, str]:
    """Other processes that have the vendor's library loaded, as far as this user may see them."""
    others = []
    for name in sorted(os.listdir(proc) if os.path.isdir(proc) else []):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(os.path.join(proc, name, "maps"), "rb") as stream:
                if _LIBRARY in stream.read():
                    others.append(name)
        except OSError:  # It has ended, or belongs to someone else.
            continue
    if others:
        fix = "Stop them while you measure: one program at a time may use the chip then."
        return _finding("other users", "warning", "processes %s have AscendCL loaded" % ", ".join(others), fix)
    return _finding("other users", "ok", "none that can be seen")


def _chip(board: Board) -> Dict[str, str]:
    try:
        name = board.session().soc_name
    except RpcError as error:
        return _finding("chip", "failed", error.message, "See the message; then ask the doctor again.")
    told = board.npu_smi.chip_name()
    if not name and told and not _same_chip(told, board.soc_version):
        fix = "Correct soc_version under the settings of the device in devices.toml."
        found = "npu-smi says %s, the device is set to %s" % (told, board.soc_version)
        return _finding("chip", "failed", found, fix)
    sure = "" if name or told else " opens; its name cannot be asked for here, so check soc_version yourself"
    return _finding("chip", "ok", board.soc_version + sure)


def _same_chip(told: str, soc_version: str) -> bool:
    """npu-smi may leave the word Ascend out."""
    return told.replace(" ", "").lower().replace("ascend", "") == soc_version.lower().replace("ascend", "")
