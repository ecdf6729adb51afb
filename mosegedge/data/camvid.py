"""CamVid road scenes in the SegNet folder layout: 11 classes, 480 x 360."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mosegedge.data.dataset import Sample, Split, check_index
from mosegedge.data.labels import CAMVID, IGNORE, palette_of
from mosegedge.errors import DataError

HEIGHT, WIDTH = 360, 480
VOID = 11
_SUFFIXES = (".png", ".jpg", ".jpeg")
_GUIDE_SHARE = 0.18
_LAYOUT = (
    "The SegNet layout has the folders train, trainannot, val, valannot (and test, testannot, which are not read); "
    "a picture train/NAME.png or .jpg has its labels in trainannot/NAME.png, 0 to 10 for the classes and 11 for void."
)


class CamVid:
    """A split of CamVid.

    `val` is the val folder. `guide` is held out from the train folder: the last 18 % of the frames of each sequence.
    Frames of a sequence are a second apart and look alike, so single frames drawn at random would nearly all have
    neighbours left in `train`, and a search led by them would reward memory; whole stretches leave one border a
    sequence.

    Args:
        split: Which part.
        root: The folder that holds `train`, `trainannot`, `val`, `valannot`.

    Raises:
        DataError: A folder is missing, or a picture has no labels or the other way round.
    """

    name = "camvid"
    classes = tuple(CAMVID)
    label_size = (HEIGHT, WIDTH)

    def __init__(self, split: Split, root: Path) -> None:
        self.split = split
        pairs = _pairs(root, "val" if split == "val" else "train")
        if split != "val":
            held_out = _guide_names([picture.stem for picture, _ in pairs])
            pairs = [pair for pair in pairs if (pair[0].stem in held_out) == (split == "guide")]
        self._pairs = pairs

    @property
    def palette(self) -> NDArray[np.uint8]:
        """11 x 3 colours."""
        return palette_of(CAMVID)

    @property
    def names(self) -> list[str]:
        """Names of the pictures, in the order of their indices."""
        return [picture.stem for picture, _ in self._pairs]

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int) -> Sample:
        """Decodes a picture and its labels.

        Raises:
            DataError: A file is no picture, has another size, or holds a label above 11.
        """
        picture, labels = self._pairs[check_index(self, index)]
        return Sample(_decode(picture, "RGB"), _mask(labels))


def _pairs(root: Path, part: str) -> list[tuple[Path, Path]]:
    pictures, labels = root / part, root / f"{part}annot"
    for folder in (root, pictures, labels):
        if not folder.is_dir():
            raise DataError(f"CamVid needs the folder {folder}, which does not exist.", known=_LAYOUT, fix=_FIX)
    found = {path.stem: path for path in sorted(pictures.iterdir()) if path.suffix.lower() in _SUFFIXES}
    masks = {path.stem: path for path in sorted(labels.iterdir()) if path.suffix.lower() == ".png"}
    if not found:
        raise DataError(f"CamVid's folder {pictures} holds no .png or .jpg picture.", known=_LAYOUT, fix=_FIX)
    for lonely, where, missing in (
        (sorted(found.keys() - masks.keys()), labels, "labels"),
        (sorted(masks.keys() - found.keys()), pictures, "a picture"),
    ):
        if lonely:
            raise DataError(
                f"{len(lonely)} of the {len(found | masks)} frames of CamVid's {part} lack {missing}; "
                f"the first is {lonely[0]}, expected in {where}.",
                known=_LAYOUT,
                fix="Copy the missing files, or remove their partners.",
            )
    return [(found[name], masks[name]) for name in sorted(found)]


def _guide_names(names: list[str]) -> set[str]:
    """The last part of each sequence; names are `SEQUENCE_frame` and sort by time."""
    sequences: dict[str, list[str]] = {}
    for name in sorted(names):
        sequences.setdefault(name.split("_")[0], []).append(name)
    held_out: set[str] = set()
    for frames in sequences.values():
        held_out.update(frames[len(frames) - round(len(frames) * _GUIDE_SHARE) :])
    return held_out


def _decode(path: Path, mode: str) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            size, held = image.size, image.mode
            pixels = np.array(image.convert(mode) if mode == "RGB" else image)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} cannot be read as a picture: {error}.", known=_LAYOUT, fix=_COPY) from error
    if size != (WIDTH, HEIGHT):
        raise DataError(
            f"{path} is {size[0]}x{size[1]}.", known=f"CamVid's files are {WIDTH}x{HEIGHT} in this layout.", fix=_COPY
        )
    if pixels.ndim != (3 if mode == "RGB" else 2) or pixels.dtype != np.uint8:
        raise DataError(
            f"{path} holds pixels of the kind {held!r}.", known="Labels are 8-bit with one channel.", fix=_COPY
        )
    return pixels


def _mask(path: Path) -> NDArray[np.uint8]:
    labels = _decode(path, "L")
    highest = int(labels.max())
    if highest > VOID:
        raise DataError(
            f"{path} holds the label {highest}.",
            known=f"Labels are 0 to {VOID - 1} for {', '.join(CAMVID)}, and {VOID} for void.",
            fix=_COPY,
        )
    return np.where(labels == VOID, np.uint8(IGNORE), labels)


_FIX = "Name the folder that holds them: --data-root DIR."
_COPY = "Copy the file again from the data set."
