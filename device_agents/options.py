"""How models are built and run: the same for a whole conversation."""

from typing import Any, Dict


class Options:
    """What the host decided about a device.

    Attributes:
        threads: Threads inside one operator.
        precision: Number format of weights and activations: fp32, fp16, bf16, int8.
        settings: What only this backend knows, by name; the host has checked the names and filled in the defaults.
    """

    def __init__(self, threads: int, precision: str, settings: Dict[str, str]) -> None:
        self.threads = threads
        self.precision = precision
        self.settings = settings

    def record(self) -> Dict[str, Any]:
        """As plain values, for keys and logs."""
        return {"threads": self.threads, "precision": self.precision, "settings": self.settings}
