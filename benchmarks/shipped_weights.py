"""Makes the weights that ship with the package out of a training run: convolutions as float16, norms as float32.

Example: mosegedge train --space tiny --data scenes --steps 2400 --output runs/supernet
         python -m benchmarks.shipped_weights runs/supernet
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mosegedge.files import sha256_of_file
from mosegedge.supernet.checkpoint import SHIPPED, checkpoint_path, load_supernet, save_supernet


def main() -> None:
    """Writes the file into the package and prints its digest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    supernet, info = load_supernet(checkpoint_path(str(parser.parse_args().run)))
    target = checkpoint_path(SHIPPED)
    save_supernet(target, supernet, info, half=True)
    print(f"{target.name}: {target.stat().st_size / 2**20:.1f} MiB, SHA-256 {sha256_of_file(target)}")


if __name__ == "__main__":
    main()
