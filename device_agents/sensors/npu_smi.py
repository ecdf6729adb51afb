"""Temperature, power, load and health of an Ascend chip, by npu-smi.

Follows the form documented for the Atlas 200I A2: lines of `key : value`, found by the text of the key. Whether the
Atlas 200 DK has the command is not documented, so its absence is no failure: what is not there is left out.
"""

import re
from typing import Any, Callable, Dict, List

from device_agents.runner import Finished

_TIMEOUT_S = 5.0
_NUMBERS = {
    "temperature(c)": "temperature_c",
    "power dissipation(w)": "power_w",
    "aicore usage rate(%)": "aicore_percent",
    "memory usage rate(%)": "npu_memory_percent",
}
_HEALTH = {"ok": "OK", "warning": "Warning", "alarm": "Alarm", "critical": "Critical", "unknown": "UNKNOWN"}


class NpuSmi:
    """The command for one chip; asked no more once it turned out to be absent or to hang.

    Args:
        run: Runs a program: its arguments, then the seconds that it may take.
        device_id: Number of the chip.
    """

    def __init__(self, run: Callable[[List[str], float], Finished], device_id: int) -> None:
        self._run = run
        self._device = str(device_id)
        self.present = True

    def conditions(self) -> Dict[str, Any]:
        """temperature_c, power_w, aicore_percent, npu_memory_percent and health, as far as they are told."""
        common = self.fields("common")
        found: Dict[str, Any] = {}
        for key, name in _NUMBERS.items():
            number = _number(common.get(key, ""))
            if number is not None:
                found[name] = number
        for key, value in self.fields("health").items():
            if "health" in key and value.lower() in _HEALTH:
                found["health"] = _HEALTH[value.lower()]
        return found

    def chip_name(self) -> str:
        """As "310B4", or empty."""
        return self.fields("common").get("chip name", "")

    def nve_level(self) -> str:
        """Power and clock level, as "8T_1.0GHz"; empty where there are no levels."""
        return self._told(["-t", "nve-level", "-i", self._device, "-c", "0"]).get("nve level", "")

    def fields(self, kind: str) -> Dict[str, str]:
        """What `npu-smi info -t KIND` says: keys in lower case, without blanks around brackets."""
        return self._told(["-t", kind, "-i", self._device])

    def _told(self, arguments: List[str]) -> Dict[str, str]:
        if not self.present:
            return {}
        finished = self._run(["npu-smi", "info"] + arguments, _TIMEOUT_S)
        self.present = not (finished.missing or finished.timed_out)
        return parse(finished.output) if self.present and finished.status == 0 else {}


def parse(text: str) -> Dict[str, str]:
    """Fields of `key : value` lines; of a key that comes more than once, as with several chips, the first counts."""
    fields: Dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip():
            fields.setdefault(re.sub(r"\s*\(", "(", key.strip().lower()), value.strip())
    return fields


def _number(text: str) -> Any:
    """The number at the beginning of a value, None for "NA" and the like."""
    found = re.match(r"-?\d+(?:\.\d+)?", text)
    return float(found.group()) if found else None
