"""Where colours come from. Classes share these distributions on purpose: colour alone must not tell them apart."""

from __future__ import annotations

from mosegedge.data.scenes.dice import Dice

Colour = tuple[float, float, float]


def from_hue(hue_degrees: float, saturation: float, value: float) -> Colour:
    """RGB of a hue, a saturation and a value."""
    sector = (hue_degrees % 360.0) / 60.0

    def channel(shift: float) -> float:
        place = (sector + shift) % 6.0
        return value * (1.0 - saturation * max(0.0, min(place, 4.0 - place, 1.0)))

    return channel(5.0), channel(3.0), channel(1.0)


def mineral(dice: Dice, darkest: float = 0.25, brightest: float = 0.85) -> Colour:
    """Stone, plaster, concrete, brick: buildings, walls, pavements, some fences."""
    value = dice.uniform(darkest, brightest)
    if dice.chance(0.25):
        return from_hue(dice.uniform(5.0, 30.0), dice.uniform(0.2, 0.55), value)
    return from_hue(dice.choice((dice.uniform(20.0, 55.0), dice.uniform(200.0, 240.0))), dice.uniform(0.0, 0.2), value)


def paint(dice: Dice) -> Colour:
    """Painted metal and cloth: vehicles, clothes, fences, shutters."""
    if dice.chance(0.6):
        return from_hue(dice.uniform(0.0, 360.0), dice.uniform(0.0, 0.12), dice.uniform(0.06, 0.9))
    return from_hue(dice.uniform(0.0, 360.0), dice.uniform(0.35, 0.9), dice.uniform(0.2, 0.8))


def plant(dice: Dice) -> Colour:
    """Leaves and grass, from spring to autumn."""
    hue = dice.uniform(25.0, 60.0) if dice.chance(0.2) else dice.uniform(65.0, 125.0)
    return from_hue(hue, dice.uniform(0.25, 0.65), dice.uniform(0.18, 0.5))


def soil(dice: Dice) -> Colour:
    """Ground that is not paved: grass, or bare earth and gravel."""
    if dice.chance(0.6):
        return plant(dice)
    return from_hue(dice.uniform(20.0, 50.0), dice.uniform(0.1, 0.45), dice.uniform(0.25, 0.6))


def asphalt(dice: Dice) -> Colour:
    """Road surface; its bright end is the dark end of pavements."""
    return from_hue(dice.choice((30.0, 220.0)), dice.uniform(0.0, 0.1), dice.uniform(0.2, 0.5))


def skin(dice: Dice) -> Colour:
    """Faces and hands."""
    return from_hue(dice.uniform(12.0, 30.0), dice.uniform(0.3, 0.6), dice.uniform(0.25, 0.85))


def metal(dice: Dice) -> Colour:
    """Bare or grey painted metal: poles, frames, the backs of signs."""
    return from_hue(dice.choice((40.0, 140.0, 210.0)), dice.uniform(0.0, 0.2), dice.uniform(0.1, 0.65))


def scaled(colour: Colour, factor: float) -> Colour:
    """A colour made brighter or darker."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two; `share` is that of the second."""
    keep = 1.0 - share
    return tuple(keep * a + share * b for a, b in zip(first, second, strict=True))  # type: ignore[return-value]
