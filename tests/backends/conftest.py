"""Where the stand-ins for GPUs are."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "standins" / "cuda_runtime"))
