"""Scores of a network as text: the end of `mosegedge retrain`, and `mosegedge evaluate`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.data.scores import PartScores


def scores_text(scores: PartScores) -> str:
    """A table by class in per cent, and the scores of everything together."""
    from mosegedge.data.metrics import score_table

    whole = [f"mIoU {scores.matrix.miou:.4f}"]
    if scores.boundaries is not None:
        whole.append(f"boundary mIoU {scores.boundaries.miou:.4f} in {scores.boundaries.share:.1%} of the diagonal")
    whole.append(f"pixel accuracy {scores.matrix.pixel_accuracy:.4f}")
    lines = [score_table(scores.rows()), f"{', '.join(whole)}; {_pictures(scores)}"]
    if scores.absent:
        lines.append(f"Neither in labels nor in predictions, so in no mean: {', '.join(scores.absent)}.")
    unlabelled = [row.name for row in scores.rows() if not row.pixels and not math.isnan(row.iou)]
    if unlabelled:
        lines.append(f"In no label, though predicted, which counts as IoU 0: {', '.join(unlabelled)}.")
    return "\n".join(lines)


def _pictures(scores: PartScores) -> str:
    return f"{scores.pictures:,} picture{'s' if scores.pictures != 1 else ''}"
