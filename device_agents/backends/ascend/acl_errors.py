"""Error numbers of AscendCL as sentences; follows the documented numbers, others are shown as they are."""

from typing import Any, Dict, Tuple

from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

_BUSY = "Check that no other program uses the chip and that this user may open it (HwHiAiUser or its group)."
_CANN = "Compile with a CANN that is not newer than the board's, for exactly this chip."
_LOGS = "Look into ~/ascend/log on the device."
_BUG = "This is a mistake of the agent: please report it."

MEANINGS: Dict[int, Tuple[str, str]] = {
    100000: ("a parameter is wrong", _BUG),
    100001: ("AscendCL is not initialised", _BUG),
    100002: ("AscendCL was initialised twice in one process", _BUG),
    100003: ("the file is wrong", _CANN),
    100010: ("the configuration of the profiler is wrong", _LOGS),
    100011: ("there is no model of this number", _BUG),
    100012: ("the model could not be read", _CANN),
    100037: ("AscendCL was finalised twice", _BUG),
    100042: ("the profiler is running already", "End the other profiling on this chip."),
    100043: ("the profiler is not running", _BUG),
    148047: ("two ways of profiling exclude each other", "Remove the profiler section of acl.json."),
    200000: ("memory could not be allocated", "Stop other programs on the device, or use a smaller model."),
    200007: ("the profiler does not support these modules", "Use a CANN version that has acl.prof."),
    500000: ("an internal error", _LOGS),
    500001: ("a failure inside", _LOGS),
    500002: ("a failure of the graph engine", _LOGS),
    500003: ("a failure of the runtime", _LOGS),
    500004: ("a failure of the driver", "Check that the driver is loaded and belongs to this CANN version."),
    500005: ("a failure of the profiler", _LOGS),
    507008: ("the model was compiled for another chip", "Correct soc_version of the device and compile again."),
    507011: ("the model could not be executed", _LOGS),
    507014: ("an AI core did not finish in time", _LOGS),
    507015: ("an AI core failed", _LOGS),
    507017: ("an AI CPU did not finish in time", _LOGS),
    507018: ("an AI CPU failed", _LOGS),
    507033: ("the chip could not be set up: it is not up, rights are missing, or a second user has it", _BUSY),
    507899: ("an internal error of the driver", "Restart the board; check that driver and CANN belong together."),
}
_MODEL = (100003, 100011, 100012, 507008)


def failure(call: str, number: Any, acl: Any) -> RpcError:
    """The error of a call that did not return 0.

    Args:
        call: Its name, as acl.rt.set_device.
        number: What it returned.
        acl: The module, which may know more.
    """
    sentence, fix = MEANINGS.get(number, ("the number is not in the table of documented ones", _LOGS))
    told = acl.get_recent_err_msg() if hasattr(acl, "get_recent_err_msg") else None
    more = " It said: %s." % told.strip().rstrip(".") if isinstance(told, str) and told.strip() else ""
    text = "%s returned %s: %s.%s %s" % (call, number, sentence, more, fix)
    return RpcError(BAD_MODEL if number in _MODEL else BACKEND_FAILED, text)
