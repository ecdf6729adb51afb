"""Reads one file of a data set: a picture, or the values of a label map."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mosegedge.data.layout import Values
from mosegedge.errors import DataError

COPY_AGAIN = "Copy the file again from the data set."
_INDEX_MODES = ("L", "P", "I", "I;16")
_COLOUR_MODES = ("RGB", "RGBA", "P")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as H x W x 3, RGB.

    Raises:
        DataError: It is missing or damaged.
    """
    return np.array(open_image(path).convert("RGB"))


def read_labels(path: Path, values: Values) -> NDArray[np.integer[Any]]:
    """The values of a label file, H x W: indices (of a palette too), or colours as one number each.

    Raises:
        DataError: It is missing, damaged, or of another kind.
    """
    if path.suffix.lower() == ".mat":
        return _from_mat(path, values)
    image = open_image(path)
    if image.mode not in (_COLOUR_MODES if values.coloured else _INDEX_MODES):
        raise DataError(
            f"{path} holds pixels of the kind {image.mode!r}.",
            known=f"It has to hold {'colours' if values.coloured else 'one number for each pixel'}. {values.described}",
            fix=COPY_AGAIN,
        )
    if not values.coloured:
        return np.array(image)
    colours = np.array(image.convert("RGB"), np.int32)
    return np.asarray(colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2])


def open_image(path: Path) -> Image.Image:
    """A picture, decoded.

    Raises:
        DataError: The file is damaged, no picture, or so large that Pillow takes it for an attack.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a picture: {error}.", fix=COPY_AGAIN) from error


def _from_mat(path: Path, values: Values) -> NDArray[np.integer[Any]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    variable, *fields = values.mat_field
    # What SciPy raises on files that are no matrices, cut short, or hold something else.
    damaged = (MatReadError, OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, zlib.error)
    try:
        found: Any = loadmat(path, variable_names=[variable])[variable]
        for field in fields:
            found = found[field].item() if found.shape == (1, 1) else found[field]
        labels = np.asarray(found)
    except damaged as error:
        wanted = ".".join(values.mat_field)
        raise DataError(
            f"{path} cannot be read: {error}.", known=f"A label map {wanted} was expected in it.", fix=COPY_AGAIN
        ) from error
    if labels.ndim != 2 or labels.dtype.kind not in "iuf":
        raise DataError(
            f"{path} holds {labels.dtype} values of the shape {labels.shape}.",
            known="A label map has one number for each pixel.",
            fix=COPY_AGAIN,
        )
    return labels if labels.dtype.kind in "iu" else np.rint(labels).astype(np.int64)
