"""Pictures with labels: data sets by name, batches for training, scores.

In: the name of a data set and a split. Out: `Sample`s (uint8 picture and mask), which `transforms` and `batches` turn
into torch tensors and `metrics` scores. Training, evaluation, verification and the report call it. Only `transforms`,
`batches` and `averaging` need torch, so they are imported by name.

    layout (how it lies on disk: `cityscapes`, `voc`, ...) -> places (is it there?) -> walk -> filed -> Sample
"""

from mosegedge.data.dataset import SPLITS, Cached, DataGeometry, Sample, SegmentationSet, Split, cached
from mosegedge.data.labels import IGNORE, colorize, overlay
from mosegedge.data.metrics import ConfusionMatrix
from mosegedge.data.registry import as_split, geometry, load, located, names, space_for

__all__ = [
    "IGNORE",
    "SPLITS",
    "Cached",
    "ConfusionMatrix",
    "DataGeometry",
    "Sample",
    "SegmentationSet",
    "Split",
    "as_split",
    "cached",
    "colorize",
    "geometry",
    "load",
    "located",
    "names",
    "overlay",
    "space_for",
]
