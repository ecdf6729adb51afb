"""Makes the weights that ship with the project out of training runs: convolutions as float16, norms as float32.

A supernet becomes the one that the package brings as `demo`; a network becomes the file that --output names.

Example: mosegedge train --space tiny --data scenes --steps 2400 --output runs/supernet
         python -m benchmarks.shipped_weights runs/supernet
         mosegedge retrain CODE --supernet runs/camvid --recipe camvid --data-root CamVid --output runs/network
         python -m benchmarks.shipped_weights runs/network --output benchmarks/data/camvid/search-2.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mosegedge.files import sha256_of_file
from mosegedge.supernet.checkpoint import SHIPPED, checkpoint_path, load_supernet, save_supernet
from mosegedge.supernet.network import load_network, network_path, save_network


def main() -> None:
    """Writes the file and prints its digest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, metavar="FILE", help="for a network")
    arguments = parser.parse_args()
    network = network_path(str(arguments.run))
    if bool(network) != bool(arguments.output):
        parser.error(f"{arguments.run}: --output FILE is needed for a network and means nothing for a supernet")
    target = arguments.output or checkpoint_path(SHIPPED)
    if network:
        found = load_network(network)
        save_network(target, found.subnet, found.info, half=True)
    else:
        supernet, info = load_supernet(checkpoint_path(str(arguments.run)))
        save_supernet(target, supernet, info, half=True)
    print(f"{target.name}: {target.stat().st_size / 2**20:.1f} MiB, SHA-256 {sha256_of_file(target)}")


if __name__ == "__main__":
    main()
