"""Versions of CANN and of the driver, read from the files that installations are known to leave.

Which of these files a release has is not documented for all of them: the first that exists and names a version counts.
"""

import glob
import os
import re
from typing import Dict, List, Mapping, NamedTuple, Tuple

HOMES = ("ASCEND_TOOLKIT_HOME", "ASCEND_NNRT_HOME", "ASCEND_HOME_PATH")
_FILES = (
    "version.info",
    "version.cfg",
    "*/ascend_toolkit_install.info",
    "*/ascend_nnrt_install.info",
    "*/version.info",
)
_INSTALL_INFO = "etc/Ascend/ascend_cann_install.info"
_DRIVER = "driver/version.info"
_SCRIPTS = ("ascend-toolkit/set_env.sh", "nnrt/set_env.sh", "nnae/set_env.sh", "cann/set_env.sh")
_OTHER_SCRIPT = "opt/ascend/nnrt/set_env.sh"

# The pairs that the vendor lists for the Atlas 200 DK: driver, then the beginnings of the CANN versions.
PAIRS: Dict[str, Tuple[str, ...]] = {
    "1.0.13.alpha": (
        "6.0.0.alpha001",
        "6.0.0.alpha002",
        "6.0.0.alpha003",
        "6.0.RC1.alpha001",
        "6.0.RC1.alpha002",
        "6.0.RC1.alpha003",
        "6.0.RC1.alpha004",
        "6.0.RC1.alpha005",
        "5.1.RC2.alpha001",
        "5.1.RC2.alpha008",
        "5.1.RC1.alpha005",
    ),
    "1.0.12.alpha": (
        "5.1.RC1.alpha001",
        "5.1.RC1.alpha002",
        "5.1.RC1.alpha003",
        "5.0.5.alpha001",
        "5.0.4.alpha002",
        "5.0.4.alpha003",
        "5.0.4.alpha005",
    ),
    "1.0.11.alpha": ("5.0.3.alpha005", "5.0.2.alpha005"),
    "1.0.10.alpha": ("5.0.2.alpha003",),
    "1.0.9.alpha": ("5.0.2.alpha001", "5.0.2.alpha002", "3.3.0", "3.2.0"),
    "1.0.8": ("3.1.0", "20.1"),
    "1.0.7": ("20.0.0", "20.0"),
}


class Found(NamedTuple):
    """A version and the file that says so; both empty where nothing does."""

    version: str
    path: str


def cann(environment: Mapping[str, str], root: str = "/") -> Found:
    """The CANN that the environment points to, else the one that is recorded as installed."""
    for home in _homes(environment, root):
        for pattern in _FILES:
            for path in sorted(glob.glob(os.path.join(glob.escape(home), pattern))):
                version = _version(path)
                if version:
                    return Found(version, path)
    return Found("", "")


def driver(environment: Mapping[str, str], root: str = "/") -> Found:
    """The NPU driver, where its file is known."""
    del environment
    folders = [os.path.join(root, "usr/local/Ascend"), _install_path(root)]
    for folder in folders:
        path = os.path.join(folder, _DRIVER) if folder else ""
        version = _version(path) if path else ""
        if version:
            return Found(version, path)
    return Found("", "")


def has_toolkit(environment: Mapping[str, str]) -> bool:
    """Whether the environment is that of a toolkit, which has ATC and msprof, and not of a runtime alone."""
    return bool(environment.get("ASCEND_TOOLKIT_HOME"))


def scripts(environment: Mapping[str, str], root: str = "/") -> List[str]:
    """The environment scripts that are there."""
    del environment
    bases = [os.path.join(root, "usr/local/Ascend"), os.path.join(os.path.expanduser("~"), "Ascend")]
    bases += [_install_path(root)] if _install_path(root) else []
    candidates = [os.path.join(base, script) for base in bases for script in _SCRIPTS]
    candidates.append(os.path.join(root, _OTHER_SCRIPT))
    return sorted({path for path in candidates if os.path.isfile(path)})


def listed_pair(driver_version: str, cann_version: str) -> bool:
    """Whether the vendor lists this driver with this CANN for the Atlas 200 DK."""
    partners = [cann_versions for name, cann_versions in PAIRS.items() if _starts(driver_version, name)]
    return any(_starts(cann_version, partner) for versions in partners for partner in versions)


def _starts(version: str, listed: str) -> bool:
    """Equal, or equal up to a further part, in any case: "1.0.9.alpha" does not begin "1.0.9.alpha1"."""
    found, wanted = version.lower(), listed.lower()
    return found == wanted or found.startswith(wanted + ".")


def _homes(environment: Mapping[str, str], root: str) -> List[str]:
    homes = [environment[name] for name in HOMES if environment.get(name)]
    installed = _install_path(root)
    if installed:
        homes += [os.path.join(installed, name, "latest") for name in ("ascend-toolkit", "nnrt", "nnae")]
    return homes


def _install_path(root: str) -> str:
    try:
        with open(os.path.join(root, _INSTALL_INFO), errors="replace") as stream:
            found = re.search(r"^Install_Path=(\S+)", stream.read(), re.MULTILINE | re.IGNORECASE)
    except OSError:
        return ""
    return found.group(1) if found else ""


def _version(path: str) -> str:
    """`version=...` where there is such a line, else the first thing in the file that looks like a version."""
    try:
        with open(path, errors="replace") as stream:
            text = stream.read()
    except OSError:
        return ""
    named = re.search(r"^\s*version\s*=\s*\[?([0-9][^\s\]]*)", text, re.MULTILINE | re.IGNORECASE)
    found = named or re.search(r"\b(\d+\.\d+(?:\.\w+)*)", text)
    return found.group(1) if found else ""
