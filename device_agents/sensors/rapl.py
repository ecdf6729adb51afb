"""Energy of processor packages as the Linux kernel tells it: RAPL, of Intel and AMD alike.

    /sys/class/powercap/intel-rapl:0/name                  package-0
    /sys/class/powercap/intel-rapl:0/energy_uj             microjoules, back to 0 after
    /sys/class/powercap/intel-rapl:0/max_energy_range_uj   this many

Folders below a package (`intel-rapl:0:0`) are its parts, and `psys` is the whole machine: neither is added. Since 2020
kernels let only root read `energy_uj`. Virtual machines have none of it.
"""

import os
import re
from typing import Dict, List

from device_agents.sensors.meter import Meter, NotMeasuredError, read_number, read_text

ROOT = "/sys/class/powercap"
_PACKAGE = re.compile(r"(?:intel|amd)-rapl:\d+")


class Rapl(Meter):
    """The sum over all packages; everything that runs on the processor counts, not only the model.

    Args:
        root: Where the kernel keeps them.
    """

    def __init__(self, root: str = ROOT) -> None:
        self.name = "RAPL, processor packages"
        self._root = root
        self._folders: List[str] = []
        self._latest_uj: Dict[str, int] = {}
        self._range_uj: Dict[str, int] = {}
        self._total_uj = 0

    def start(self) -> None:
        """Finds the packages."""
        names = sorted(os.listdir(self._root)) if os.path.isdir(self._root) else []
        folders = [os.path.join(self._root, name) for name in names if _PACKAGE.fullmatch(name)]
        self._folders = [folder for folder in folders if read_text(folder + "/name").startswith("package")]
        if not self._folders:
            raise NotMeasuredError(
                "there is no %s/intel-rapl:*: the kernel or the virtual machine has no RAPL" % self._root
            )
        for folder in self._folders:
            self._range_uj[folder] = read_number(folder + "/max_energy_range_uj")
            self._latest_uj[folder] = read_number(folder + "/energy_uj")
        self._total_uj = 0

    def read_mj(self) -> float:
        """Millijoules since the start."""
        for folder in self._folders:
            now_uj = read_number(folder + "/energy_uj")
            spent_uj = now_uj - self._latest_uj[folder]
            if spent_uj < 0:
                # It began again at 0; a package does not go round twice between two readings.
                spent_uj += self._range_uj[folder]
            if spent_uj < 0:
                raise NotMeasuredError("%s/energy_uj went back further than its range" % folder)
            self._latest_uj[folder] = now_uj
            self._total_uj += spent_uj
        return self._total_uj / 1e3
