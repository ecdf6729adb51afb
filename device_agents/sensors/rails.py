"""Power of a board from an INA sensor on its input rail, as the Linux kernel tells it.

    hwmon   name "ina3221" or another "ina...", in1_label "VDD_IN", in1_input mV, curr1_input mA; or power1_input uW
    iio     rail_name_0 "VDD_IN" or "POM_5V_IN", in_power0_input mW   (kernels of older Jetson boards)

The input rail is everything that the board draws. Follows the documented files; has not run on such a board.
"""

import os
from typing import Callable, Iterator, List, Optional, Tuple

from device_agents.sensors.meter import Meter, NotMeasuredError, Sampled, read_number, read_text

HWMON, IIO = "/sys/class/hwmon", "/sys/bus/iio/devices"
INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0", "SYS_VIN_5V0")
_MOST_CHANNELS = 8
_PAUSE_S = 0.01


def meters(hwmon: str = HWMON, iio: str = IIO) -> List[Meter]:
    """The input rail, if there is one."""
    found = list(_in_hwmon(hwmon)) + list(_in_iio(iio))
    return [Sampled("INA sensor on %s" % rail, _known(power_w), _PAUSE_S) for rail, power_w in found[:1]]


def _in_hwmon(root: str) -> Iterator[Tuple[str, Callable[[], float]]]:
    for folder in _folders(root):
        if not read_text(folder + "/name").startswith("ina"):
            continue
        for number in range(1, _MOST_CHANNELS + 1):
            rail = read_text("%s/in%d_label" % (folder, number))
            if rail in INPUT_RAILS:
                yield rail, _of_channel(folder, number)


def _of_channel(folder: str, number: int) -> Callable[[], float]:
    power = "%s/power%d_input" % (folder, number)
    if os.path.exists(power):
        return lambda: read_number(power) / 1e6
    volts, amperes = "%s/in%d_input" % (folder, number), "%s/curr%d_input" % (folder, number)
    return lambda: read_number(volts) * read_number(amperes) / 1e6


def _in_iio(root: str) -> Iterator[Tuple[str, Callable[[], float]]]:
    for folder in _folders(root):
        for number in range(_MOST_CHANNELS):
            rail = read_text("%s/rail_name_%d" % (folder, number))
            if rail in INPUT_RAILS:
                yield rail, _of_milliwatts("%s/in_power%d_input" % (folder, number))


def _of_milliwatts(path: str) -> Callable[[], float]:
    return lambda: read_number(path) / 1e3


def _known(power_w: Callable[[], float]) -> Callable[[], Optional[float]]:
    """None where the file is gone or may not be read, as a sampled meter wants it."""

    def asked() -> Optional[float]:
        try:
            return power_w()
        except NotMeasuredError:
            return None

    return asked


def _folders(root: str) -> List[str]:
    return [os.path.join(root, name) for name in sorted(os.listdir(root))] if os.path.isdir(root) else []
