"""Find and deploy the most accurate segmentation network that meets a frame budget on your own board.

    SearchSpace                                 what can be built            mosegedge.space
    Device -> connect -> agent                  where it can be measured     mosegedge.devices
    profile_device -> Profile -> LatencyModel   what it costs there          mosegedge.profiling
    train_supernet -> Supernet -> evaluate      how good it is               mosegedge.supernet, mosegedge.data
    Search -> Archive -> front                  the best trade-offs          mosegedge.search
    export_network -> Bundle -> verify_bundle   the product                  mosegedge.export

Public names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Architecture": "mosegedge.space",
    "MosegedgeError": "mosegedge.errors",
    "SearchSpace": "mosegedge.space",
    "SubNet": "mosegedge.networks.subnet",
    "Supernet": "mosegedge.supernet.model",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
