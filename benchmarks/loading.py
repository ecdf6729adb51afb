"""Does reading pictures hold up training?

Makes folders in the layouts and sizes of real data sets, filled with drawn scenes and noise so that files are about as
large as real ones, and measures on them, in pictures a second: reading, making a random view of a picture that was
read, and both together as training does it, by number of threads. There are few pictures, so the latter is what a
training sees after its first epoch, when pictures much larger than the crop are kept reduced. Against them stands the
training of one network of a space at its input size, the fastest training there is: on batches that are ready, and
while the batches are being made.

    python -m benchmarks.loading --space tiny --pictures 16 --seconds 6
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from mosegedge.data import SegmentationSet, load, space_for
from mosegedge.data.batches import Batch, batches
from mosegedge.data.parallel import spare_cores
from mosegedge.data.scenes import SceneSet
from mosegedge.data.transforms import augment
from mosegedge.networks.subnet import SubNet
from mosegedge.networks.weights import build_with_weights
from mosegedge.space import Architecture, SearchSpace

_BATCH = 8
_REPEATS = 3
_NOISE = 3.0
_JPEG_QUALITY = 92


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Pictures a second, the median of three stretches of time with the lowest and the highest.

    Attributes:
        name: What was done.
        median: Of the three.
        lowest: Of the three.
        highest: Of the three.
    """

    name: str
    median: float
    lowest: float
    highest: float


def main() -> None:
    """Prints a table on stderr, JSON on stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--network", choices=("smallest", "largest"), default="smallest", help="which one is trained")
    parser.add_argument("--data", default="camvid,cityscapes,folder", help="layouts to write and read")
    parser.add_argument("--pictures", type=int, default=16, help="training pictures that are written")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each stretch of time")
    parser.add_argument("--workers", default=f"{spare_cores()}", help="numbers of threads, as 1,2,4")
    parser.add_argument("--device", default="cpu", help="where the network is trained")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    workers = [int(number) for number in arguments.workers.split(",")]
    results = {}
    for name in arguments.data.split(","):
        with tempfile.TemporaryDirectory() as folder:
            size, picture_bytes = WRITERS[name](Path(folder), arguments.pictures)
            space = space_for(arguments.space, name, Path(folder))
            dataset = load(name, "train", Path(folder))
            rates = list(_rates(dataset, space, arguments, workers))
        results[name] = {"size": size, "picture_bytes": picture_bytes, "space": space.name}
        results[name]["rates"] = [asdict(rate) for rate in rates]
        sys.stderr.write(
            f"\n{name}: {size}, {picture_bytes / 1e6:.2f} MB a picture; {space.name}, {arguments.network} network\n"
        )
        for rate in rates:
            sys.stderr.write(f"  {rate.name:<44}{rate.median:>9.1f}  ({rate.lowest:.1f} to {rate.highest:.1f})\n")
    print(json.dumps(results, indent=1))


def _rates(
    dataset: SegmentationSet, space: SearchSpace, arguments: argparse.Namespace, workers: list[int]
) -> Iterator[Rates]:
    architecture = space.smallest if arguments.network == "smallest" else space.largest
    crop, rng = space.input_size(architecture), np.random.default_rng(0)
    indices, sample = cycle(range(len(dataset))), dataset.read(0)
    yield _timed("read and decode, one thread", lambda: dataset.read(next(indices)), 1, arguments.seconds)
    yield _timed("random view, one thread", lambda: augment(sample, crop, rng), 1, arguments.seconds)
    for count in workers:
        with batches(dataset, crop=crop, batch_size=_BATCH, seed=0, workers=count) as stream:
            yield _timed(f"batches, {count} threads", lambda: next(stream), _BATCH, arguments.seconds)
    step = _training_step(space, architecture, arguments.device)
    with batches(dataset, crop=crop, batch_size=_BATCH, seed=0) as stream:
        ready = cycle([next(stream) for _ in range(4)])
    yield _timed(f"training {arguments.network}, batches ready", lambda: step(next(ready)), _BATCH, arguments.seconds)
    for count in workers:
        with batches(dataset, crop=crop, batch_size=_BATCH, seed=0, workers=count) as stream:
            name = f"training {arguments.network}, {count} threads read"
            yield _timed(name, lambda: step(next(stream)), _BATCH, arguments.seconds)


def _timed(name: str, work: Callable[[], object], pictures: int, seconds: float) -> Rates:
    work()
    found = []
    for _ in range(_REPEATS):
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / _REPEATS:
            work()
            done += pictures
        found.append(done / (time.perf_counter() - start))
    return Rates(name=name, median=statistics.median(found), lowest=min(found), highest=max(found))


def _training_step(space: SearchSpace, architecture: Architecture, device: str) -> Callable[[Batch], float]:
    """Forward, backward and update of one network of its own, without a supernet around it."""
    network = build_with_weights(lambda: SubNet(space, architecture), torch.Generator().manual_seed(0)).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step(batch: Batch) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(batch.images.to(device)), batch.masks.to(device), ignore_index=255)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    return step


def _scenes(count: int, size: tuple[int, int]) -> Iterator[tuple[Image.Image, NDArray[np.uint8]]]:
    """Pictures of a size (width, height) with the texture of a photograph, and their labels."""
    scenes, rng = SceneSet("train", count), np.random.default_rng(0)
    for index in range(count):
        sample = scenes.read(index)
        pixels = np.array(Image.fromarray(sample.image).resize(size, Image.Resampling.BICUBIC), np.float32)
        pixels += rng.normal(0.0, _NOISE, pixels.shape[:2]).astype(np.float32)[..., None]
        mask = Image.fromarray(sample.mask).resize(size, Image.Resampling.NEAREST)
        yield Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)), np.array(mask)


def _write(
    root: Path, count: int, size: tuple[int, int], paths: Callable[[str, int], tuple[str, str]], top: int
) -> tuple[str, int]:
    """Writes `count` training pictures and one for val; labels above `top` become `top`."""
    written = []
    for number, (picture, mask) in enumerate(_scenes(count + 1, size)):
        picture_path, mask_path = (root / path for path in paths("train" if number < count else "val", number))
        for path in (picture_path, mask_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(picture_path, quality=_JPEG_QUALITY)
        Image.fromarray(np.minimum(mask, top).astype(np.uint8)).save(mask_path)
        written.append(picture_path.stat().st_size)
    return f"{size[0]}x{size[1]}", round(statistics.mean(written))


def _cityscapes(root: Path, count: int) -> tuple[str, int]:
    def paths(part: str, number: int) -> tuple[str, str]:
        name = f"{part}/bochum/bochum_000000_{number:06d}"
        return f"leftImg8bit/{name}_leftImg8bit.png", f"gtFine/{name}_gtFine_labelIds.png"

    return _write(root, count, (2048, 1024), paths, 33)


def _camvid(root: Path, count: int) -> tuple[str, int]:
    def paths(part: str, number: int) -> tuple[str, str]:
        return f"{part}/0006R0_{number:05d}.png", f"{part}annot/0006R0_{number:05d}.png"

    return _write(root, count, (480, 360), paths, 11)


def _folder(root: Path, count: int) -> tuple[str, int]:
    """JPEG files of the size that VOC and COCO have."""
    (root / "classes.txt").write_text("\n".join(f"class {number}" for number in range(19)))

    def paths(part: str, number: int) -> tuple[str, str]:
        return f"images/{part}/{number:05d}.jpg", f"labels/{part}/{number:05d}.png"

    return _write(root, count, (640, 480), paths, 18)


WRITERS = {"camvid": _camvid, "cityscapes": _cityscapes, "folder": _folder}


if __name__ == "__main__":
    main()
