"""The processor's energy by whichever sensor there is: its own counter, or that of the board."""

from typing import List

from device_agents.sensors import rails
from device_agents.sensors.meter import Meter
from device_agents.sensors.rapl import Rapl


def meters() -> List[Meter]:
    """What may tell the energy of models that run on the processor, best first."""
    return [Rapl(), *rails.meters()]
