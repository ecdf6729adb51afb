"""The endless stream of training batches. A batch depends on the seed and its step alone, so a run resumes exactly."""

from __future__ import annotations

import itertools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.parallel import spare_cores
from mosegedge.data.reduced import Reduced
from mosegedge.data.transforms import augment, normalise
from mosegedge.errors import DataError

_ORDER, _VIEW = 0, 1


@dataclass(frozen=True, eq=False)
class Batch:
    """What one training step sees.

    Attributes:
        step: Its number.
        images: N x 3 x h x w, normalised.
        masks: N x h x w int64, 255 where no class is given.
    """

    step: int
    images: torch.Tensor
    masks: torch.Tensor


def batch_at(dataset: SegmentationSet, *, step: int, crop: tuple[int, int], batch_size: int, seed: int) -> Batch:
    """The batch of a step: samples come in shuffled epochs without replacement, each in a random view."""
    rng = _generator(seed, _VIEW, step)
    views = [augment(dataset.read(index), crop, rng) for index in sample_indices(len(dataset), step, batch_size, seed)]
    images = normalise(torch.cat([image for image, _ in views]))
    masks = torch.from_numpy(np.stack([mask for _, mask in views]).astype(np.int64))
    return Batch(step, images, masks)


def sample_indices(size: int, step: int, batch_size: int, seed: int) -> list[int]:
    """Which samples of a data set of a size the batch of a step holds."""
    orders: dict[int, NDArray[np.int64]] = {}
    indices = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, place = divmod(position, size)
        if epoch not in orders:
            orders[epoch] = _generator(seed, _ORDER, epoch).permutation(size)
        indices.append(int(orders[epoch][place]))
    return indices


def _generator(seed: int, purpose: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(purpose, number))))


class BatchStream:
    """Iterates over batches from a step on, for ever; threads prepare the next ones meanwhile.

    It is a context manager; leaving it, or `close`, ends the threads. An error while a batch is made is raised where
    that batch would have come.
    """

    def __init__(
        self,
        dataset: SegmentationSet,
        *,
        crop: tuple[int, int],
        batch_size: int,
        seed: int,
        start_step: int = 0,
        prefetch: int = 2,
        workers: int | None = None,
    ) -> None:
        if not len(dataset):
            raise DataError(f"{dataset.name}/{dataset.split} is empty; there is nothing to train on.")
        # A view reduces large pictures anyway; here they are kept so, and need not be read again.
        self._dataset = Reduced(dataset, crop)
        self._crop, self._batch_size, self._seed = crop, batch_size, seed
        self._steps = itertools.count(start_step)
        threads = spare_cores() if workers is None else workers
        self._ahead = max(prefetch, threads) if prefetch else 0
        self._ready: deque[Future[Batch]] = deque()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batches") if prefetch else None
        self._closed = False
        self._fill()

    def __iter__(self) -> BatchStream:
        return self

    def __next__(self) -> Batch:
        if self._closed:
            raise StopIteration
        try:
            batch = self._ready.popleft().result() if self._ready else self._make(next(self._steps))
        except BaseException:
            self.close()
            raise
        self._fill()
        return batch

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads and the iteration."""
        self._closed = True
        self._ready.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _fill(self) -> None:
        while self._pool is not None and len(self._ready) < self._ahead:
            self._ready.append(self._pool.submit(self._make, next(self._steps)))

    def _make(self, step: int) -> Batch:
        return batch_at(self._dataset, step=step, crop=self._crop, batch_size=self._batch_size, seed=self._seed)


def batches(
    dataset: SegmentationSet,
    *,
    crop: tuple[int, int],
    batch_size: int,
    seed: int,
    start_step: int = 0,
    prefetch: int = 2,
    workers: int | None = None,
) -> BatchStream:
    """An endless stream of training batches.

    Args:
        dataset: Samples; wrap it in `cached` where reading is slow.
        crop: Height and width of the pictures.
        batch_size: Pictures a batch.
        seed: Names the whole stream.
        start_step: The first step; the batches from there on are those that a stream from 0 would give.
        prefetch: Batches that are kept ready, and no fewer than there are threads; 0 makes them when asked. The batches
            are the same.
        workers: Threads that make batches, each one whole; by default one for each core but one, eight at most.
    """
    return BatchStream(
        dataset,
        crop=crop,
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
        prefetch=prefetch,
        workers=workers,
    )
