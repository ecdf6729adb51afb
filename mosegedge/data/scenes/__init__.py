"""Procedural street scenes with the 19 Cityscapes classes.

In: the number of a picture. Out: the picture and its mask, the same ones everywhere, since every draw comes from the
raw words of PCG64 and every operation on them is exactly rounded. The data registry calls it.

    Dice -> plan_street -> Street -> paint_* on a Canvas -> photograph
"""

from __future__ import annotations

from mosegedge.data.scenes.scene import SceneSet, draw_scene

__all__ = ["SceneSet", "draw_scene"]
