"""State of the stand-in: what is held, what has been called, what is to fail."""

# ruff: noqa: PTH123, UP031 - written like what it stands in for

import os


class _State:
    def __init__(self):
        self.cann = os.environ.get("ASCEND_STANDIN_CANN", "6.0")
        self.soc = os.environ.get("ASCEND_STANDIN_SOC", "Ascend310")
        self.run_mode = int(os.environ.get("ASCEND_STANDIN_RUN_MODE", "0"))
        self.memory_kind = int(os.environ.get("ASCEND_STANDIN_MEMORY", "0"))
        pairs = [item.split("=") for item in os.environ.get("ASCEND_STANDIN_FAIL", "").split(",") if item]
        self.fail = {name: int(number) for name, number in pairs}
        self.initialised = self.was_initialised = self.on_device = self.failed = False
        self.profiling = None
        self.device_ms = 0.0
        self.model_bytes = {}
        law = os.environ.get("ASCEND_STANDIN_MS_PER_MB")
        self.ms_per_mb = float(law) if law else None
        self.next = 1000
        self.held = {}

    def keep(self, kind, value):
        self.next += 1
        self.held.setdefault(kind, {})[self.next] = value
        return self.next

    def drop(self, kind, handle, status=0):
        if handle not in self.held.get(kind, {}):
            log("WRONG %s %s is given back and was never held" % (kind, handle))
            return 100000
        del self.held[kind][handle]
        return status


def log(line):
    path = os.environ.get("ASCEND_STANDIN_LOG")
    if path:
        with open(path, "a") as stream:
            stream.write(line + "\n")


def call(name):
    """Records a call; returns the status that it is to have."""
    log(name)
    if name in STATE.fail:
        STATE.failed = True
        return STATE.fail[name]
    needs_init = name not in ("acl.init", "acl.finalize")
    return 100001 if needs_init and not STATE.initialised else 0


STATE = _State()
