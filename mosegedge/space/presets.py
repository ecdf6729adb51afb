"""Presets: the numbers that make the 29 digits a concrete family of networks, read from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from mosegedge.errors import SpaceError
from mosegedge.space.layers import Upsampling

_STRIDE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderPreset:
    """Widths of the decoder; `spatial = 0` replaces the spatial path by a 1x1 convolution on the 1/8 features."""

    heads: int
    spatial: int
    fusion: int
    output: int
    upsampling: Upsampling

    def __post_init__(self) -> None:
        if self.upsampling not in get_args(Upsampling):
            raise SpaceError(f"decoder.upsampling is {self.upsampling!r}.", known="It can be 'bilinear' or 'shuffle'.")
        for name in ("heads", "fusion", "output"):
            _positive(f"decoder.{name}", getattr(self, name))
        if self.spatial:
            _positive("decoder.spatial", self.spatial)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Numbers of one family of networks; the preset files explain them by their names.

    Attributes:
        name: Short name, letters, digits and `_`.
        stem_width: Stem output width at multiplier 1.
        stage_widths: Output widths of stages 1 to 4 at multiplier 1.
        width_multipliers: The three choices of a width digit.
        expansion_ratios: The three choices of an expansion digit: hidden width over output width.
        channel_multiple: Every width is rounded to a multiple of this.
        crop: Reference input size (height, width) that scale factor 1 stands for.
        classes: Number of classes.
        scale_factors: The five choices of the scale digit, relative to the crop, as fractions.
        decoder: Widths of the decoder.
    """

    name: str
    stem_width: int
    stage_widths: tuple[int, int, int, int]
    width_multipliers: tuple[float, float, float]
    expansion_ratios: tuple[float, float, float]
    channel_multiple: int
    crop: tuple[int, int]
    classes: int
    scale_factors: tuple[str, str, str, str, str]
    decoder: DecoderPreset

    def __post_init__(self) -> None:
        if not self.name.replace("_", "").isalnum():
            raise SpaceError(f"The preset's name {self.name!r} may hold only letters, digits and '_'.")
        for name, length in (("stage_widths", 4), ("width_multipliers", 3), ("expansion_ratios", 3), ("crop", 2)):
            if len(getattr(self, name)) != length:
                raise SpaceError(f"{name} has {len(getattr(self, name))} values, it needs {length}.")
        for name in ("stem_width", "channel_multiple", "classes"):
            _positive(name, getattr(self, name))
        for name in ("stage_widths", "width_multipliers", "expansion_ratios"):
            for value in getattr(self, name):
                _positive(name, value)
        for name in ("width_multipliers", "expansion_ratios"):
            if list(getattr(self, name)) != sorted(set(getattr(self, name))):
                raise SpaceError(
                    f"{name} is {list(getattr(self, name))}; its values must rise.",
                    known="The largest choice holds the shared weights.",
                )
        if len(self.scale_factors) != 5:
            raise SpaceError(f"scale_factors has {len(self.scale_factors)} values, it needs 5.")
        sizes = [self.scaled_size(scale) for scale in range(5)]
        if len(set(sizes)) != 5:
            shown = ", ".join(f"{h}x{w}" for h, w in sizes)
            raise SpaceError(
                f"The five scales of crop {self.crop[0]}x{self.crop[1]} become {shown}: two are the same size.",
                fix=f"Choose a larger crop or other scale_factors; sizes are rounded to multiples of {_STRIDE}.",
            )
        self._check_widths()

    def _check_widths(self) -> None:
        stem = [self.stem_channels(width) for width in range(3)]
        if len(set(stem)) != 3:
            raise SpaceError(f"The stem widths {stem} are not distinct after rounding.", fix="Widen stem_width.")
        for stage in range(4):
            for width in range(3):
                hidden = [self.hidden_channels(stage, width, ratio) for ratio in range(3)]
                if len(set(hidden)) != 3:
                    raise SpaceError(
                        f"In stage {stage + 1} at width {self.stage_channels(stage, width)} the expansion ratios "
                        f"give the hidden widths {hidden}, which are not distinct after rounding.",
                        fix="Choose other expansion_ratios, a smaller channel_multiple or wider stages.",
                    )

    @classmethod
    def load(cls, name: str) -> Preset:
        """Reads a shipped preset by its name, or a user's preset from the path of a TOML file.

        Raises:
            SpaceError: There is no such preset, or the file does not describe one.
        """
        if name.endswith(".toml"):
            path = Path(name)
            if not path.is_file():
                raise SpaceError(f"There is no preset file {name}.", known=f"Shipped presets: {_shipped_text()}.")
            return cls._from_toml(path.read_bytes(), str(path))
        if name not in shipped_presets():
            raise SpaceError(
                f"There is no preset named {name!r}.",
                known=f"Shipped presets: {_shipped_text()}.",
                fix="A preset of your own is named by its file: --space my_space.toml.",
            )
        return cls._from_toml((_folder() / f"{name}.toml").read_bytes(), name)

    @classmethod
    def _from_toml(cls, content: bytes, source: str) -> Preset:
        try:
            table = tomllib.loads(content.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SpaceError(f"The preset {source} is not valid TOML: {error}.") from error
        return cls.from_json(table, source)

    @classmethod
    def from_json(cls, table: dict[str, Any], source: str = "of the file") -> Preset:
        """The preset with these fields; inverse of `to_json`.

        Args:
            table: Field names and values, the decoder's as a table of their own.
            source: Where they come from, for messages.

        Raises:
            SpaceError: A field is unknown, missing, or has a value that cannot be used.
        """
        decoder = table.get("decoder")
        if not isinstance(decoder, dict):
            raise SpaceError(f"The preset {source} has no table [decoder].", fix=_EXAMPLE)
        _check_names(cls, table, source)
        _check_names(DecoderPreset, decoder, f"{source}, table [decoder]")
        try:
            values: dict[str, Any] = {key: _frozen(value) for key, value in table.items()}
            return cls(**{**values, "decoder": DecoderPreset(**decoder)})
        except SpaceError as error:
            message = f"The preset {source} cannot be used: {error.what}"
            raise SpaceError(message, known=error.known, fix=error.fix) from error
        except (TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
            message = f"The preset {source} holds a value of the wrong type: {error}."
            raise SpaceError(message, fix=_EXAMPLE) from error

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values, in the order of their definition."""
        return asdict(self)

    def stem_channels(self, width: int) -> int:
        """Output width of the stem at a width digit."""
        return round_channels(self.stem_width * self.width_multipliers[width], self.channel_multiple)

    def stem_middle_channels(self, width: int) -> int:
        """Width of the first stem convolutions at a width digit."""
        return round_channels(self.stem_channels(width) / 2, self.channel_multiple)

    def stage_channels(self, stage: int, width: int) -> int:
        """Output width of a stage (0 to 3) at a width digit."""
        return round_channels(self.stage_widths[stage] * self.width_multipliers[width], self.channel_multiple)

    def hidden_channels(self, stage: int, width: int, ratio: int) -> int:
        """Hidden width of a layer at a width digit and a ratio index (expansion digit minus 1)."""
        wanted = round(self.stage_channels(stage, width) * self.expansion_ratios[ratio])
        return round_channels(wanted, self.channel_multiple)

    def scaled_size(self, scale: int) -> tuple[int, int]:
        """Input height and width at a scale digit: factor times crop, rounded to a multiple of 32."""
        factor = Fraction(self.scale_factors[scale])
        height, width = (max(_STRIDE, _nearest_multiple(side * factor, _STRIDE)) for side in self.crop)
        return height, width


def shipped_presets() -> tuple[str, ...]:
    """Names of the presets that come with the package."""
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))
    )


def round_channels(wanted: float, multiple: int) -> int:
    """Nearest multiple (ties up), at least one multiple, one more if that loses over 10 % of the wanted width."""
    rounded = max(multiple, _nearest_multiple(Fraction(wanted), multiple))
    return rounded + multiple if rounded < 0.9 * wanted else rounded


def _nearest_multiple(value: Fraction, multiple: int) -> int:
    return int(value / multiple + Fraction(1, 2)) * multiple


def _folder() -> resources.abc.Traversable:
    return resources.files("mosegedge.space") / "presets"


def _shipped_text() -> str:
    return ", ".join(shipped_presets())


def _positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise SpaceError(f"{name} is {value!r}; it must be a positive number.")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_names(kind: type, table: dict[str, Any], source: str) -> None:
    known = [field.name for field in fields(kind)]
    for name in table:
        if name not in known:
            raise SpaceError(f"{source} has the unknown field {name!r}.", known=f"Fields: {', '.join(known)}.")
    missing = [name for name in known if name not in table]
    if missing:
        raise SpaceError(f"{source} lacks the field {missing[0]!r}.", known=f"Fields: {', '.join(known)}.")


_EXAMPLE = "The shipped presets in mosegedge/space/presets are examples."
