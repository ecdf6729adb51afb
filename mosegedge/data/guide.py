"""Fixed rules that hold training pictures out to guide a search. They read names alone and draw no random numbers."""

from __future__ import annotations

from collections.abc import Sequence

from mosegedge.data.layout import HoldOut


def spread(count: int) -> HoldOut:
    """Pictures spread evenly over the sorted names, for data sets whose pictures have nothing to do with each other.

    Args:
        count: How many; of a smaller set than twice as many, a fifth.
    """

    def choose(names: Sequence[str]) -> frozenset[str]:
        wanted = count if len(names) >= 2 * count else len(names) // 5
        ordered = sorted(names)
        return frozenset(ordered[(2 * place + 1) * len(ordered) // (2 * wanted)] for place in range(wanted))

    described = f"{count} training pictures, of fewer than {2 * count} a fifth, spread evenly over their sorted names"
    return HoldOut(described=described, choose=choose)


def last_of_each_sequence(share: float) -> HoldOut:
    """The last frames of each sequence; names are `SEQUENCE_frame` and sort by time.

    Frames of a sequence are a second apart and look alike, so single frames drawn at random would nearly all have
    neighbours left in `train`, and a search led by them would reward memory; whole stretches leave one border a
    sequence.
    """

    def choose(names: Sequence[str]) -> frozenset[str]:
        sequences: dict[str, list[str]] = {}
        for name in sorted(names):
            sequences.setdefault(name.split("_")[0], []).append(name)
        held_out = [frames[len(frames) - round(len(frames) * share) :] for frames in sequences.values()]
        return frozenset(name for frames in held_out for name in frames)

    return HoldOut(described=f"the last {share:.0%} of the frames of each training sequence", choose=choose)


def folders(*chosen: str) -> HoldOut:
    """All pictures of some folders, where names are `FOLDER/picture`."""

    def choose(names: Sequence[str]) -> frozenset[str]:
        return frozenset(name for name in names if name.split("/")[0] in chosen)

    return HoldOut(described=f"the training pictures of {', '.join(chosen)}", choose=choose)
