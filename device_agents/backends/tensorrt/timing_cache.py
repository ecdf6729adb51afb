"""The builder's timing cache as a file: how fast each kernel was on this GPU, kept from build to build."""

import hashlib
import os
import tempfile
from typing import Any, List

from device_agents import leftovers


class TimingCacheFile:
    """One file for a GPU, its driver and CUDA, and a version of TensorRT: a cache is bound to all of them.

    Args:
        folder: Where compiled models are kept.
        identity: All that it is bound to.
    """

    def __init__(self, folder: str, identity: List[str]) -> None:
        key = hashlib.sha256("\n".join(identity).encode("utf-8")).hexdigest()
        self.path = os.path.join(folder, "timing-%s.cache" % key[:16])

    def attach(self, config: Any) -> str:
        """Gives the builder what is known already; returns a note for the artefact."""
        content = self._read()
        if content:
            timing_cache = config.create_timing_cache(content)
            if timing_cache is not None and config.set_timing_cache(timing_cache, False):
                return "timing cache continued"
        config.set_timing_cache(config.create_timing_cache(b""), False)
        return "timing cache was rejected and begun anew" if content else "timing cache begun"

    def keep(self, config: Any) -> None:
        """Writes what the builder knows now; the file appears whole or not at all."""
        timing_cache = config.get_timing_cache()
        serialized = timing_cache.serialize() if timing_cache is not None else None
        if serialized is None:
            return
        descriptor, unfinished = tempfile.mkstemp(prefix=leftovers.prefix("timing"), dir=os.path.dirname(self.path))
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(bytes(serialized))
            os.replace(unfinished, self.path)
        except BaseException:
            os.remove(unfinished)
            raise

    def _read(self) -> bytes:
        try:
            with open(self.path, "rb") as stream:
                return stream.read()
        except OSError:  # There is none yet.
            return b""
