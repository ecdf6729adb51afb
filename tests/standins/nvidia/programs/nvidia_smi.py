"""Stand-in for nvidia-smi of driver 560; STANDIN_SMI = "old" knows neither compute_cap nor event reasons."""
# ruff: noqa: T201 - it is a command

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "common"))
from standin_names import NAMES

VALUES = {
    "name": "NVIDIA GeForce RTX 3090 (stand-in)",
    "uuid": "GPU-11111111-2222-3333-4444-555555555555",
    "driver_version": "560.35.03",
    "memory.total": "24576",
    "persistence_mode": "Disabled",
    "compute_cap": "8.6",
    "temperature.gpu": "71",
    "clocks.current.sm": "1695",
    "clocks.current.memory": "9751",
    "clocks.max.sm": "2100",
    "power.draw": "215.30",
    "power.limit": "[N/A]",
    "pstate": "P2",
}


def main():
    if os.environ.get("STANDIN_GPU", "ok") != "ok":
        print("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
        return 9
    options = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
    assert options.get("format") == "csv,noheader,nounits"
    if options.get("id", "0000:65:00.0") != "0000:65:00.0":
        print("No devices were found")
        return 6
    if "query-compute-apps" in options:
        assert set(options["query-compute-apps"].split(",")) <= set(NAMES["nvidia-smi apps"])
        print("\n".join(os.environ.get("STANDIN_PROCESSES", "").split()))
        return 0
    active = os.environ.get("STANDIN_ACTIVE", "").split()
    row = []
    for field in options["query-gpu"].split(","):
        old = os.environ.get("STANDIN_SMI") == "old" and (field.startswith("clocks_event") or field == "compute_cap")
        if field not in NAMES["nvidia-smi"] or old:
            print(f'Field "{field}" is not a valid field to query.\n')
            return 2
        is_reason = field.split(".")[0] in ("clocks_event_reasons", "clocks_throttle_reasons")
        row.append(("Active" if field in active else "Not Active") if is_reason else VALUES[field])
    print(", ".join(row))
    return 0


sys.exit(main())
