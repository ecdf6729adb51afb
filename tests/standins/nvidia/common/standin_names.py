"""Names of NVIDIA's that the stand-ins know and the agent may use: both parts of names.json, a table for each kind."""

import json
from pathlib import Path

PARTS = json.loads((Path(__file__).parents[1] / "names.json").read_text())
NAMES = {}
for table, names in PARTS["reference"].items():
    more = PARTS["elsewhere"].get(table, {"names": type(names)()})["names"]
    NAMES[table] = {**names, **more} if isinstance(names, dict) else [*names, *more]
