"""ONNX to OM by ATC, on the board or on the host; follows the documented interface of CANN 5.0 to 8.

A run counts as a success when the exit status is 0, the success line was printed, and a file that is not empty is
there: each of the three has been seen without the others.
"""

import glob
import os
import re
from typing import Callable, Dict, List, Optional, Tuple

from device_agents.backends.ascend.atc_errors import AtcError, explain, warnings_in
from device_agents.backends.ascend.onnx_inputs import read_inputs
from device_agents.protocol import BAD_MODEL, RpcError
from device_agents.runner import Finished

Run = Callable[[List[str], Optional[str], Optional[Dict[str, str]], float], Finished]

PRECISION_MODES = {"fp16": "force_fp16", "fp32": "force_fp32"}
_ONNX = "5"
_STARTED = "ATC start working now"
_SUCCEEDED = "ATC run success"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")
_LEAST_MEMORY_MIB = 768
_LEAST_DISK_MIB = 256
_ONE_PROCESS_MIB, _TWO_PROCESSES_MIB = 6 * 1024, 12 * 1024


class Atc:
    """A way to run ATC.

    Args:
        run: Runs a program: arguments, folder, additional environment, seconds.
        prefix: What stands before `atc`, as a shell that reads the vendor's environment first.
        timeout_s: How long one model may take.
    """

    def __init__(self, run: Run, prefix: Tuple[str, ...] = (), timeout_s: float = 840.0) -> None:
        self._run = run
        self._prefix = list(prefix)
        self._timeout_s = timeout_s

    def compile(self, onnx_path: str, om_path: str, soc_version: str, precision: str) -> List[str]:
        """Writes the OM of a model.

        Args:
            onnx_path: The model.
            om_path: Where the OM goes, `<prefix>.om`; everything else that ATC writes stays in its folder.
            soc_version: The chip, as Ascend310.
            precision: fp16 or fp32.

        Returns:
            Notes: the precision mode that was chosen, and the warnings of ATC.
        """
        folder = os.path.dirname(os.path.abspath(om_path))
        with open(onnx_path, "rb") as stream:
            content = stream.read()
        options = arguments(onnx_path, om_path, soc_version, precision, content)
        check_room(folder, len(content), available_mib("MemAvailable"), free_disk_mib(folder))
        finished = self._run(self._prefix + options, folder, environment(available_mib("MemTotal")), self._timeout_s)
        self._judge(finished, om_path, soc_version)
        return _notes(precision) + warnings_in(finished.output)

    def starts(self) -> Finished:
        """Whether there is an ATC that starts: its help."""
        return self._run(self._prefix + ["atc", "--help"], None, None, 60.0)

    def _judge(self, finished: Finished, om_path: str, soc_version: str) -> None:
        if finished.timed_out:
            raise AtcError(
                "ATC did not finish within %.0f s and was ended, with all its processes." % self._timeout_s,
                _last_line(finished.output),
                "Start it by hand to see where it hangs.",
                elsewhere=True,
            )
        if is_missing(finished):
            raise AtcError(
                "atc was not found.",
                finished.output.strip(),
                "Install the CANN toolkit there (nnrt has no ATC) and name its set_env.sh.",
                elsewhere=True,
            )
        succeeded = _SUCCEEDED in finished.output
        if finished.status != 0 or not succeeded:
            if finished.status == 0 and not re.search(r"^E", finished.output, re.MULTILINE):
                raise AtcError(
                    "ATC ended with status 0 but without its success line.", _last_line(finished.output), _look()
                )
            raise explain(finished.status, finished.output, soc_version, log_folder())
        _settle(om_path)


def arguments(onnx_path: str, om_path: str, soc_version: str, precision: str, content: bytes) -> List[str]:
    """The command line; every option is one argument without blanks.

    Raises:
        RpcError: The precision, the paths or the model's inputs are none that ATC takes.
    """
    if precision not in PRECISION_MODES:
        text = "ATC has no switch for %s: use %s; int8 needs a model that was quantised before."
        raise RpcError(BAD_MODEL, text % (precision, " or ".join(PRECISION_MODES)))
    for path in (onnx_path, om_path):
        if not _PLAIN_PATH.fullmatch(path):
            raise AtcError(
                "ATC cannot be given the path %r." % path,
                "Only letters, digits and _ . / - are documented.",
                "Set `cache` of the device to a folder without other characters.",
            )
    shapes = ["%s:%s" % (name, ",".join(str(side) for side in shape)) for name, shape in read_inputs(content)]
    return [
        "atc",
        "--model=" + onnx_path,
        "--framework=" + _ONNX,
        "--output=" + om_path[: -len(".om")],
        "--soc_version=" + soc_version,
        "--input_format=NCHW",
        "--input_shape=" + ";".join(shapes),
        "--precision_mode=" + PRECISION_MODES[precision],
        "--log=error",
    ]


def environment(memory_mib: Optional[int]) -> Dict[str, str]:
    """Fewer compile processes where memory is small; what the user has set stays."""
    if memory_mib is None or "TE_PARALLEL_COMPILER" in os.environ or memory_mib > _TWO_PROCESSES_MIB:
        return {}
    return {"TE_PARALLEL_COMPILER": "1" if memory_mib <= _ONE_PROCESS_MIB else "2"}


def check_room(folder: str, model_bytes: int, memory_mib: Optional[int], disk_mib: int) -> None:
    """Refuses to start where it could only fail later, with a worse message.

    How much ATC really needs is not documented; these limits are far below what a compiler can do with.
    """
    if memory_mib is not None and memory_mib < _LEAST_MEMORY_MIB:
        raise AtcError(
            "There are %d MiB of memory available, too few for ATC." % memory_mib,
            "At least %d MiB are asked for." % _LEAST_MEMORY_MIB,
            "Stop other programs there.",
            elsewhere=True,
        )
    needed_mib = _LEAST_DISK_MIB + 4 * model_bytes // 2**20
    if disk_mib < needed_mib:
        raise AtcError(
            "There are %d MiB free in %s, too few for ATC." % (disk_mib, folder),
            "This model needs about %d MiB." % needed_mib,
            "Free some space, or set `cache` of the device to another disk.",
        )


def available_mib(field: str) -> Optional[int]:
    """A figure of /proc/meminfo in MiB, None where there is none."""
    try:
        with open("/proc/meminfo") as stream:
            found = re.search(r"^%s:\s*(\d+) kB" % field, stream.read(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) // 1024 if found else None


def free_disk_mib(folder: str) -> int:
    """What this user may still write there."""
    status = os.statvfs(folder)
    return int(status.f_bavail * status.f_frsize // 2**20)


def is_missing(finished: Finished) -> bool:
    """Whether a run ended because there is no such program: told by the system, or by a shell in front of it."""
    return finished.missing or (finished.status in (126, 127) and _STARTED not in finished.output)


def log_folder() -> str:
    """Where CANN writes its logs."""
    return os.path.join(os.path.expanduser("~"), "ascend", "log")


def _settle(om_path: str) -> None:
    """Moves the file to its place: recent versions add `_<os>_<arch>` to its name."""
    stem = om_path[: -len(".om")]
    candidates = [om_path] if os.path.isfile(om_path) else sorted(glob.glob(glob.escape(stem) + "_*.om"))
    if len(candidates) != 1 or os.path.getsize(candidates[0]) == 0:
        beside = ", ".join(sorted(os.listdir(os.path.dirname(om_path)))) or "nothing"
        raise AtcError("ATC reported success and wrote no OM file.", "It left behind: %s." % beside, _look())
    os.replace(candidates[0], om_path)


def _notes(precision: str) -> List[str]:
    notes = ["ATC was run with precision_mode=%s" % PRECISION_MODES[precision]]
    if precision == "fp32":
        notes.append("whether convolutions of this chip really run in FP32 is not documented")
    return notes


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return "Its last line: %s" % lines[-1] if lines else "It printed nothing."


def _look() -> str:
    return "Look into the logs in %s." % log_folder()
