"""SearchSpace: a preset, a reference crop and a number of classes, and the one walk from a code to its layers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import SpaceError
from mosegedge.space import codes as code_arrays
from mosegedge.space.architecture import SCALE, STAGES, STEM_DEPTH, STEM_WIDTH, Architecture
from mosegedge.space.codes import Codes
from mosegedge.space.counting import flops_of, params_of
from mosegedge.space.layers import BottleneckSpec, DecoderSpec, Layer, LayerSpec, StemSpec
from mosegedge.space.presets import Preset

SCALES = 5
_WIDTHS = _RATIOS = 3
_EXPANSIONS = [position for stage in STAGES for position in stage.expansions]
_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True)
class SearchSpace:
    """All networks that one preset can express for one input size and one set of classes.

    Args:
        preset: The numbers of the family, with the crop and the classes of this space filled in.
    """

    preset: Preset

    @classmethod
    def load(cls, name: str, *, crop: tuple[int, int] | None = None, classes: int | None = None) -> SearchSpace:
        """Loads a space by name.

        Args:
            name: A shipped preset (`tiny`), the path of a preset file (`mine.toml`), or either followed by a crop and
                a number of classes (`tiny:192x256:11`), which is also the form of `SearchSpace.name`.
            crop: Reference height and width; the preset's own by default.
            classes: Number of classes; the preset's own by default.

        Raises:
            SpaceError: There is no such preset, or it cannot be used with this crop.

        Example:
            >>> SearchSpace.load("tiny").size
            4098191328270
        """
        base, *rest = name.split(":")
        preset = Preset.load(base)
        if rest:
            named_crop, named_classes = _parse_suffix(name, rest)
            crop, classes = crop or named_crop, classes or named_classes
        return cls(replace(preset, crop=crop or preset.crop, classes=classes or preset.classes))

    @property
    def name(self) -> str:
        """The preset's name, crop and number of classes, as `tiny:192x384:19`."""
        height, width = self.preset.crop
        return f"{self.preset.name}:{height}x{width}:{self.preset.classes}"

    @property
    def slug(self) -> str:
        """Name for files: `tiny` where crop and classes are those of the shipped preset, else `tiny-192x256-11`."""
        try:
            shipped = Preset.load(self.preset.name) == self.preset
        except SpaceError:
            shipped = False
        return self.preset.name if shipped else self.name.replace(":", "-")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every number of the space; equal digests mean equal layers."""
        text = json.dumps(self.preset.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.preset.classes

    @property
    def size(self) -> int:
        """Number of distinct networks."""
        choices = [_WIDTHS * sum(int(_RATIOS ** (stage.base_depth + d)) for d in range(3)) for stage in STAGES]
        return SCALES * 2 * _WIDTHS * prod(choices)

    @property
    def smallest(self) -> Architecture:
        """Every digit at its lowest."""
        return self.decode(code_arrays.repair(code_arrays.LOWER_BOUNDS[None], np.random.default_rng(0)))[0]

    @property
    def largest(self) -> Architecture:
        """Every digit at its highest: the network that holds the shared weights."""
        return self.decode(code_arrays.UPPER_BOUNDS[None])[0]

    def uniform(self, scale: int, width: int, expansion: int = 2, depth: int = 1) -> Architecture:
        """The network with the same width, depth and expansion digit everywhere: the baseline of a search."""
        code = np.full((1, len(code_arrays.UPPER_BOUNDS)), expansion)
        code[:, [SCALE, STEM_DEPTH, STEM_WIDTH]] = scale, min(depth, 1), width
        for stage in STAGES:
            code[:, [stage.depth, stage.width]] = depth, width
        return self.decode(code_arrays.repair(code, np.random.default_rng(0)))[0]

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """N x 29 canonical codes with uniformly random digits."""
        return code_arrays.sample(count, rng)

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Canonical form of codes whose digits are inside their bounds."""
        return code_arrays.repair(codes, rng)

    def encode(self, architectures: list[Architecture]) -> Codes:
        """N x 29 array of architectures."""
        return code_arrays.encode(architectures)

    def decode(self, codes: Codes) -> list[Architecture]:
        """Architectures of an N x 29 array."""
        return code_arrays.decode(codes)

    def one_hot(self, codes: Codes) -> NDArray[np.float32]:
        """N x 96 one-hot form."""
        return code_arrays.one_hot(codes)

    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the picture that the network takes."""
        return self.preset.scaled_size(architecture.scale)

    def layers_of(self, architecture: Architecture) -> tuple[Layer, ...]:
        """The layers of a network in the order of execution: stem, bottlenecks, decoder."""
        row = self.entries_of(code_arrays.encode([architecture]))[0]
        return tuple(Layer(self.slots[slot], self.entries[entry]) for slot, entry in enumerate(row) if entry >= 0)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """Names of the places that layers can take: `encoder.stem`, `encoder.stage1.0`, ..., `decoder`."""
        layers = [f"encoder.stage{s}.{i}" for s, stage in enumerate(STAGES, 1) for i in range(stage.max_depth)]
        return ("encoder.stem", *layers, "decoder")

    @cached_property
    def entries(self) -> tuple[LayerSpec, ...]:
        """Every row of the exact look-up table, scale by scale; layers of one stage may repeat a specification."""
        return tuple(spec for scale in range(SCALES) for spec in self._entries_at(scale))

    @cached_property
    def entry_parts(self) -> NDArray[np.int64]:
        """Part of the network that each entry belongs to: 0 the stem, 1 to 4 the stages, 5 the decoder."""
        stages = [(_WIDTHS + stage.max_depth - 1) * _WIDTHS * _RATIOS for stage in STAGES]
        known = [2 * _WIDTHS, *stages]
        counts = [*known, len(self.entries) // SCALES - sum(known)]
        return np.tile(np.repeat(np.arange(len(counts)), counts), SCALES)

    @cached_property
    def entry_params(self) -> NDArray[np.int64]:
        """Parameters of each entry."""
        return np.array([params_of(spec) for spec in self.entries])

    @cached_property
    def entry_flops(self) -> NDArray[np.int64]:
        """Multiply-adds of each entry."""
        return np.array([flops_of(spec) for spec in self.entries])

    def entries_of(self, codes: Codes) -> NDArray[np.int64]:
        """For each code the entry at each slot: N x len(slots), -1 where a layer is switched off.

        This is the one place that knows how a code becomes layers; everything else goes through it.
        """
        factors, starts = self._walk
        table = (codes @ factors + starts).astype(np.int64)  # exact: the numbers are small integers
        layers = table[:, 1:-1]
        layers[codes[:, _EXPANSIONS] == 0] = -1
        return table

    @cached_property
    def _walk(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By how much each digit moves the entry of each slot, 29 x slots, and the entries where all digits are 0.

        The options of a slot are numbered digit by digit, so an entry is linear in the digits.
        """
        factors = np.zeros((len(code_arrays.UPPER_BOUNDS), len(self.slots)))
        starts = np.zeros(len(self.slots))
        factors[[STEM_DEPTH, STEM_WIDTH], 0] = _WIDTHS, 1
        start, incoming, slot = 2 * _WIDTHS, STEM_WIDTH, 1
        for stage in STAGES:
            for layer, position in enumerate(stage.expansions):
                factors[[stage.width, position], slot] = _RATIOS, 1
                starts[slot] = start - 1  # expansion digits count from 1
                if layer == 0:
                    factors[incoming, slot] = _WIDTHS * _RATIOS
                start += _WIDTHS * _RATIOS * (_WIDTHS if layer == 0 else 1)
                slot += 1
            incoming = stage.width
        c8, c16, c32 = (stage.width for stage in STAGES[1:])
        factors[[c16, c32], slot] = _WIDTHS, 1
        factors[c8, slot] = 0 if self.preset.decoder.spatial else _WIDTHS * _WIDTHS
        starts[slot] = start
        factors[SCALE] = len(self.entries) // SCALES
        return factors, starts

    def params(self, codes: Codes) -> NDArray[np.int64]:
        """Parameters of each code, auxiliary heads left out."""
        return self.total(codes, self.entry_params)

    def flops(self, codes: Codes) -> NDArray[np.int64]:
        """Multiply-adds of each code at its own scale, batch 1."""
        return self.total(codes, self.entry_flops)

    def total(self, codes: Codes, table: NDArray[_Number]) -> NDArray[_Number]:
        """Sum over the layers of each code of a value per entry.

        Args:
            codes: N x 29.
            table: One value per row of `entries`.
        """
        padded = np.append(table, table.dtype.type(0))
        return np.asarray(padded[self.entries_of(codes)].sum(axis=1), dtype=table.dtype)

    def _entries_at(self, scale: int) -> list[LayerSpec]:
        preset, (height, width) = self.preset, self.preset.scaled_size(scale)
        specs: list[LayerSpec] = [
            StemSpec(preset.stem_middle_channels(m), preset.stem_channels(m), bool(d), height, width)
            for d in range(2)
            for m in range(_WIDTHS)
        ]
        height, width = height // 4, width // 4
        incoming = [preset.stem_channels(m) for m in range(_WIDTHS)]
        for number, stage in enumerate(STAGES):
            outgoing = [preset.stage_channels(number, m) for m in range(_WIDTHS)]
            stride = 1 if number == 0 else 2
            for layer in range(stage.max_depth):
                for given in incoming if layer == 0 else [0]:
                    specs += [
                        BottleneckSpec(
                            given or outgoing[m],
                            preset.hidden_channels(number, m, ratio),
                            outgoing[m],
                            stride if layer == 0 else 1,
                            layer == 0,
                            height,
                            width,
                        )
                        for m in range(_WIDTHS)
                        for ratio in range(_RATIOS)
                    ]
                if layer == 0:
                    height, width = height // stride, width // stride
            incoming = outgoing
        return specs + self._decoders_at(scale)

    def _decoders_at(self, scale: int) -> list[LayerSpec]:
        preset, decoder = self.preset, self.preset.decoder
        height, width = preset.scaled_size(scale)
        eighth = [0] if decoder.spatial else [preset.stage_channels(1, m) for m in range(_WIDTHS)]
        return [
            DecoderSpec(
                c8=c8,
                c16=preset.stage_channels(2, m16),
                c32=preset.stage_channels(3, m32),
                heads=decoder.heads,
                spatial=decoder.spatial,
                fusion=decoder.fusion,
                output=decoder.output,
                classes=preset.classes,
                upsampling=decoder.upsampling,
                height=height,
                width=width,
            )
            for c8 in eighth
            for m16 in range(_WIDTHS)
            for m32 in range(_WIDTHS)
        ]


def _parse_suffix(name: str, parts: list[str]) -> tuple[tuple[int, int], int | None]:
    try:
        height, width = (int(side) for side in parts[0].split("x"))
        classes = int(parts[1]) if len(parts) > 1 else None
        if len(parts) > 2 or min(height, width) <= 0:
            raise ValueError(name)
    except ValueError as error:
        raise SpaceError(
            f"The space {name!r} cannot be read.",
            fix="Write preset:HEIGHTxWIDTH:CLASSES, as tiny:192x256:11.",
        ) from error
    return (height, width), classes
