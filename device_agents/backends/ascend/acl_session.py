"""AscendCL opened for one chip, once in a process; follows the documented interface of pyACL.

From `acl.init` on, this process must start no other. A call returns its status, or (value, status), or a bare value.
"""

import contextlib
import importlib
import platform
import sys
from typing import Any, Callable, Tuple

from device_agents.backends.ascend.acl_errors import failure
from device_agents.protocol import BACKEND_FAILED, RpcError

ON_DEVICE, ON_CARD = 0, 1
# Members of aclrtMemAttr, by the vendor's header acl_rt.h: a card has one kind of memory or the other.
_HBM_MEM, _DDR_MEM = 1, 0
_RUN_MODES = {0: "root complex: the board's own processor is the host", 1: "endpoint: a card in a host"}


class Session:
    """The open library.

    Args:
        soc_version: The chip that models are compiled for; another one is refused.
        device_id: Number of the chip.

    Attributes:
        acl: The module.
        stream: The stream that models run on.
        run_mode: 0 where the board's own processor is the host (RC), 1 for a card.
        soc_name: What the library says that the chip is; empty where it cannot tell.
    """

    def __init__(self, soc_version: str, device_id: int) -> None:
        self.acl = acl = import_acl()
        # Python's own facts about the system may come from a child process, so they are asked for, and kept, before.
        platform.platform()
        platform.processor()
        self._stack = contextlib.ExitStack()
        try:
            self.done("acl.init", acl.init())
            self.at_end("acl.finalize", acl.finalize)
            self.done("acl.rt.set_device", acl.rt.set_device(device_id))
            self.at_end("acl.rt.reset_device", acl.rt.reset_device, device_id)
            self.soc_name = self._soc_name(soc_version)
            context = self.value("acl.rt.create_context", acl.rt.create_context(device_id))
            self.at_end("acl.rt.destroy_context", acl.rt.destroy_context, context)
            self.stream = self.value("acl.rt.create_stream", acl.rt.create_stream())
            self.at_end("acl.rt.destroy_stream", acl.rt.destroy_stream, self.stream)
            self.run_mode = int(self.value("acl.rt.get_run_mode", acl.rt.get_run_mode()))
        except BaseException:
            self.close()
            raise

    @property
    def run_mode_text(self) -> str:
        """One line about who is host and who is device."""
        return _RUN_MODES.get(self.run_mode, "run mode %d" % self.run_mode)

    def memory_mib(self) -> Tuple[int, ...]:
        """Used and total memory of a card; empty where it cannot tell, and on a board, which has none of its own."""
        if self.run_mode != ON_CARD:
            return ()
        for attribute in (_HBM_MEM, _DDR_MEM):
            free, total, status = self.acl.rt.get_mem_info(attribute)
            # What it says of the kind that a card does not have is not documented: a failure, or nothing.
            if status == 0 and total > 0:
                return (total - free) // 2**20, total // 2**20
        return ()

    def done(self, call: str, status: Any) -> None:
        """Checks the status of a call."""
        if status != 0:
            raise failure(call, status, self.acl)

    def value(self, call: str, pair: Any) -> Any:
        """The value of a call that returns (value, status)."""
        value, status = pair
        self.done(call, status)
        return value

    def given(self, call: str, value: Any) -> Any:
        """The value of a call that returns nothing else; nothing or 0 is its failure."""
        if not value:
            raise RpcError(BACKEND_FAILED, "%s gave nothing." % call)
        return value

    def at_end(self, call: str, release: Callable[..., Any], *values: Any) -> None:
        """Registers a call for the end; the last one registered is made first."""
        self._stack.callback(released, call, release, *values)

    def close(self) -> None:
        """Gives everything back, in the opposite order."""
        self._stack.close()

    def _soc_name(self, soc_version: str) -> str:
        if not hasattr(self.acl, "get_soc_name"):
            return ""
        name = self.acl.get_soc_name()
        if not isinstance(name, str) or not name:
            return ""
        if name != soc_version:
            text = "The chip is %s, the device is set to %s: an OM for one does not run on the other. "
            fix = 'Set soc_version = "%s" under its settings in devices.toml.'
            raise RpcError(BACKEND_FAILED, (text + fix) % (name, soc_version, name))
        return name


def import_acl() -> Any:
    """The vendor's module.

    Raises:
        RpcError: It is not there, or its libraries are not.
    """
    try:
        return importlib.import_module("acl")
    except ImportError as error:
        text = (
            "`import acl` fails in %s: %s. Name the set_env.sh of CANN as `environment` of the device in devices.toml."
        )
        raise RpcError(BACKEND_FAILED, text % (sys.executable, error))


def released(call: str, release: Callable[..., Any], *values: Any) -> None:
    """Makes a call that gives something back. What fails then is said, but must not hide an earlier failure."""
    status = release(*values)
    if status != 0:
        sys.stderr.write("%s returned %s while things were given back.\n" % (call, status))
