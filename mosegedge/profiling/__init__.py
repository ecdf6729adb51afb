"""What networks cost on a device: from a search space and a device to a profile and a latency model.

In: a `SearchSpace` and a `Device`. Out: a `Profile` on disk, and from it a `LatencyModel` that predicts the latency of
any network of the space. The search and the export call it.

    plan.py         which layers and which whole networks are measured
    collect.py      plan + device -> journal of raw samples, resumable at any point (collector.py, journal.py)
    models.py       the files that a device gets, in the form and precision that it takes
    fingerprint.py  whether a device is still the one that a journal was begun on
    measurement.py  raw samples -> value, spread and grade of one model
    formula.py      how layers add up to networks; fit.py chooses and fits its terms
    latency.py      LatencyModel: codes -> milliseconds with a standard deviation
    profile.py      Profile: everything above with its provenance (sections.py: its parts; profile_text.py: its file)
    store.py        where profiles are; migrations.py reads older ones
    run.py          profile_device: all steps in one
    merge.py        merge_profiles: two measurements become one profile (combine.py: entry by entry)
    rebase.py       rebase_profile: a profile of a device that has changed (rebase_plan, rebase_verdict, rebased)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mosegedge.profiling.latency import LatencyModel
    from mosegedge.profiling.measurement import Measurement, measure
    from mosegedge.profiling.plan import Plan, ProfileSettings, make_plan
    from mosegedge.profiling.profile import Profile
    from mosegedge.profiling.run import profile_device
    from mosegedge.profiling.store import list_profiles, load_profile, save_profile

_HOMES = {
    "LatencyModel": "latency",
    "Measurement": "measurement",
    "Plan": "plan",
    "Profile": "profile",
    "ProfileSettings": "plan",
    "list_profiles": "store",
    "load_profile": "store",
    "make_plan": "plan",
    "measure": "measurement",
    "profile_device": "run",
    "save_profile": "store",
}

__all__ = [
    "LatencyModel",
    "Measurement",
    "Plan",
    "Profile",
    "ProfileSettings",
    "list_profiles",
    "load_profile",
    "make_plan",
    "measure",
    "profile_device",
    "save_profile",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: reading a profile needs pydantic, importing the package does not."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
