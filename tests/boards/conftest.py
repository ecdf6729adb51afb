"""The server, its keys and the user's home are those of the tests of the connection."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location("fixtures_of_ssh", Path(__file__).parents[1] / "ssh" / "conftest.py")
_SSH = sys.modules[_SPEC.name] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_SSH)
keys, home, sshd = _SSH.keys, _SSH.home, _SSH.sshd
