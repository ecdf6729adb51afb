"""Find and deploy the most accurate segmentation network that meets a frame budget on your own board.

    SearchSpace                                 what can be built            mosegedge.space
    Device -> connect -> agent                  where it can be measured     mosegedge.devices
    profile_device -> Profile -> LatencyModel   what it costs there          mosegedge.profiling
    train_supernet -> Supernet -> evaluate      how good it is               mosegedge.supernet, mosegedge.data
    search_for_device -> Archive -> front       the best trade-offs          mosegedge.search
    export_inherited -> Bundle -> verify_bundle the product                  mosegedge.export

Public names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Architecture": "mosegedge.space",
    "Bundle": "mosegedge.export.bundle",
    "Device": "mosegedge.devices",
    "LatencyModel": "mosegedge.profiling",
    "MosegedgeError": "mosegedge.errors",
    "Profile": "mosegedge.profiling",
    "ProfileSettings": "mosegedge.profiling",
    "Scoring": "mosegedge.search.scoring",
    "Search": "mosegedge.search.loop",
    "SearchConfig": "mosegedge.search.config",
    "SearchSpace": "mosegedge.space",
    "SubNet": "mosegedge.networks.subnet",
    "Supernet": "mosegedge.supernet.model",
    "TrainConfig": "mosegedge.supernet.schedule",
    "build_report": "mosegedge.report.page",
    "export_inherited": "mosegedge.export.inherit",
    "load_bundle": "mosegedge.export.bundle",
    "load_device": "mosegedge.devices",
    "load_profile": "mosegedge.profiling",
    "load_supernet": "mosegedge.supernet.checkpoint",
    "open_agent": "mosegedge.devices",
    "profile_device": "mosegedge.profiling",
    "search_for_device": "mosegedge.search.targeted",
    "train_supernet": "mosegedge.supernet.train",
    "verify_bundle": "mosegedge.export.verify",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
