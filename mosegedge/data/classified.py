"""Pictures sorted into one folder a class, as ImageNet is unpacked, and their endless stream for pretraining."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mosegedge.data.batches import Batch, sample_indices
from mosegedge.data.decode import open_image
from mosegedge.data.parallel import spare_cores
from mosegedge.data.transforms import normalise
from mosegedge.errors import DataError

_SUFFIXES = (".jpg", ".jpeg", ".png")
_VIEW = 2  # distinguishes this stream of random numbers from those that order pictures
_SMALLEST_AREA, _WIDEST = 0.25, 4 / 3
_LEAST_AHEAD = 2
_LAYOUT = "A class is a folder of .jpg or .png pictures: DIR/train/CLASS/NAME.jpg, or DIR/CLASS/NAME.jpg."


@dataclass(frozen=True)
class ClassFolders:
    """Pictures with one class each.

    Attributes:
        root: The folder.
        classes: Names of the classes, sorted.
        files: The pictures.
        labels: Class number of each.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: tuple[int, ...]

    name = "pictures by class"

    @classmethod
    def open(cls, root: Path) -> ClassFolders:
        """Lists the pictures of a folder, or of its `train` folder.

        Raises:
            DataError: It has fewer than two classes, or a class without a picture.
        """
        folder = root / "train" if (root / "train").is_dir() else root
        classes = sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
        if len(classes) < 2:
            raise DataError(
                f"{folder} has {len(classes)} class folders.", known=_LAYOUT, fix="Name the folder: --data-root DIR."
            )
        files: list[Path] = []
        labels: list[int] = []
        for label, entry in enumerate(classes):
            found = sorted(path for path in entry.iterdir() if path.suffix.lower() in _SUFFIXES)
            if not found:
                raise DataError(f"The class folder {entry} holds no picture.", known=_LAYOUT, fix="Fill or remove it.")
            files += found
            labels += [label] * len(found)
        return cls(root, tuple(entry.name for entry in classes), tuple(files), tuple(labels))

    def __len__(self) -> int:
        return len(self.files)

    def view(self, index: int, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A random part of a picture, flipped or not, size x size x 3.

        Raises:
            DataError: The file is no picture.
        """
        area = rng.uniform(_SMALLEST_AREA, 1.0)
        aspect = float(np.exp(rng.uniform(-np.log(_WIDEST), np.log(_WIDEST))))
        along, across, flip = rng.random(), rng.random(), rng.random() < 0.5
        whole = open_image(self.files[index]).convert("RGB")
        width = min(whole.width, np.sqrt(area * whole.width * whole.height * aspect))
        height = min(whole.height, np.sqrt(area * whole.width * whole.height / aspect))
        left, top = along * (whole.width - width), across * (whole.height - height)
        part = whole.resize((size, size), Image.Resampling.BILINEAR, (left, top, left + width, top + height))
        pixels = np.asarray(part)
        return pixels[:, ::-1] if flip else pixels


class ClassStream:
    """Batches of random views from a step on, for ever; threads prepare the next ones meanwhile.

    A view depends on the seed and its place in the stream alone, so one of several processes makes only its own.

    Args:
        pictures: Where they come from.
        size: Height and width of the views.
        batch_size: Pictures a step, over all processes.
        seed: Names the whole stream.
        start_step: The first step.
        rows: The part of each batch that is made.
        workers: Threads that make batches, each one whole; by default one for each core but one, eight at most.
    """

    def __init__(
        self,
        pictures: ClassFolders,
        *,
        size: int,
        batch_size: int,
        seed: int,
        start_step: int,
        rows: slice,
        workers: int | None = None,
    ) -> None:
        self._pictures, self._size, self._batch_size, self._seed = pictures, size, batch_size, seed
        self._rows, self._steps = rows, count(start_step)
        threads = spare_cores() if workers is None else workers
        ahead = max(_LEAST_AHEAD, threads)  # fewer would leave threads without work
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._ready: deque[Future[Batch]] = deque(
            self._pool.submit(self._make, next(self._steps)) for _ in range(ahead)
        )

    def __enter__(self) -> ClassStream:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __next__(self) -> Batch:
        batch = self._ready.popleft().result()
        self._ready.append(self._pool.submit(self._make, next(self._steps)))
        return batch

    def _make(self, step: int) -> Batch:
        places = range(step * self._batch_size, (step + 1) * self._batch_size)[self._rows]
        indices = sample_indices(len(self._pictures), step, self._batch_size, self._seed)[self._rows]
        views = [
            self._pictures.view(index, self._size, self._generator(place))
            for index, place in zip(indices, places, strict=True)
        ]
        images = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float()
        labels = torch.tensor([self._pictures.labels[index] for index in indices])
        return Batch(step, normalise(images), labels)

    def _generator(self, place: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(entropy=self._seed, spawn_key=(_VIEW, place)))
