"""The methods `energy` and `memory` of the protocol: what models cost besides time."""

from typing import Any, Callable, Dict, List

from device_agents.energy import Sensor, opened, reading
from device_agents.options import Options
from device_agents.protocol import Params
from device_agents.sensors.meter import NotMeasuredError

NO_MEMORY = "the backend has no way to measure memory"


class Costs:
    """What one conversation asks of the sensors.

    Args:
        vendor: Gives the backend.
        options: Gives the options of the conversation.
        loaded: Gives a loaded model by its digest.
        built: Gives the file that `load` takes, by digest and format of what the host sent.
        lock: Takes the device.
    """

    def __init__(
        self,
        vendor: Callable[[], Any],
        options: Callable[[], Options],
        loaded: Callable[[str], Any],
        built: Callable[[str, str], str],
        lock: Callable[[], Any],
    ) -> None:
        self._vendor = vendor
        self._options = options
        self._loaded = loaded
        self._built = built
        self._lock = lock

    def energy(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Energy of one run of loaded models, one after the other; without models only what the sensor is.

        The reply has `sensor` and `rest_w` (before the first model and after the last), and a reading a model; where
        there is none, `reason` says why.
        """
        params = Params("energy", values)
        order = params.texts("models")
        params.end()
        if order:
            self._lock()
        vendor = self._vendor()
        candidates = list(vendor.meters(self._options())) if hasattr(vendor, "meters") else []
        try:
            sensor = opened(candidates)
        except NotMeasuredError as reason:
            return {"sensor": None, "reason": str(reason), "rest_w": [], "readings": []}
        try:
            return self._read(sensor, order)
        finally:
            sensor.meter.stop()

    def memory(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Memory that one model needs, which need not be loaded: `mib` and `how`, or `reason` where it is not known."""
        params = Params("memory", values)
        digest = params.text("model")
        model_format = params.text("format")
        params.end()
        self._lock()
        vendor = self._vendor()
        if not hasattr(vendor, "memory_of"):
            return {"mib": None, "reason": NO_MEMORY}
        try:
            return dict(vendor.memory_of(self._built(digest, model_format), self._options()))
        except NotMeasuredError as reason:
            return {"mib": None, "reason": str(reason)}

    def _read(self, sensor: Sensor, order: List[str]) -> Dict[str, Any]:
        readings: List[Dict[str, Any]] = []
        found: Dict[str, Any] = {"sensor": sensor.record(), "reason": "", "rest_w": [], "readings": readings}
        try:
            rest_w = [sensor.rest_w()]
            for digest in order:
                model = self._loaded(digest)
                readings.append(dict(reading(sensor, self._run_of(model)), model=digest))
            found["rest_w"] = rest_w + ([sensor.rest_w()] if order else [])
        except NotMeasuredError as reason:
            found["reason"] = str(reason)
        return found

    def _run_of(self, model: Any) -> Callable[[], Any]:
        vendor = self._vendor()
        return lambda: vendor.run(model, None)
