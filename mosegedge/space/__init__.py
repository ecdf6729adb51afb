"""What can be built: codes, layers, search spaces, parameter and FLOPs counts.

In: the name of a preset. Out: `SearchSpace`, `Architecture` and the layers between them. Everything else calls it;
it calls nothing but numpy.
"""

from mosegedge.space.architecture import Architecture
from mosegedge.space.layers import BottleneckSpec, DecoderSpec, Layer, LayerSpec, StemSpec
from mosegedge.space.presets import Preset, shipped_presets
from mosegedge.space.space import SearchSpace

__all__ = [
    "Architecture",
    "BottleneckSpec",
    "DecoderSpec",
    "Layer",
    "LayerSpec",
    "Preset",
    "SearchSpace",
    "StemSpec",
    "shipped_presets",
]
