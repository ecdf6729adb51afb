"""Section: pictures with their labels and the predictions of three networks side by side."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mosegedge.report.html import Attributes, Markup, missing, paragraph, reading, section, table, tag
from mosegedge.report.predictions import Predictions, ShownPicture
from mosegedge.report.run import Missing

_WIDEST = 512
_JPEG_QUALITY = 85
_TITLE = "Pictures"


def pictures_section(predictions: Predictions | Missing) -> Markup:
    """Photos, truth and predictions."""
    if isinstance(predictions, Missing):
        return section("pictures", _TITLE, missing(f"No pictures are shown: {predictions.reason}"))
    return section(
        "pictures",
        _TITLE,
        reading(_reading(predictions)),
        _legend(predictions),
        *(_row(predictions, picture) for picture in predictions.pictures),
        paragraph(
            f"From {predictions.data}, spread evenly over it. Pixels without a label are black in the ground truth."
        ),
        _table(predictions),
    )


def mask_png(mask: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A mask as a PNG with its class numbers as pixels and the palette's colours; everything else is black."""
    known = np.where(mask < len(palette), mask, len(palette)).astype(np.uint8)
    image = _narrowed(Image.fromarray(known, mode=None), Image.Resampling.NEAREST)
    image.putpalette(np.vstack([palette, np.zeros((1, 3), np.uint8)]).tobytes())
    return _encoded(image, "PNG")


def photo_jpeg(image: NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    """A photo as a JPEG at the size of its labels."""
    photo = Image.fromarray(image)
    if photo.size != (size[1], size[0]):
        photo = photo.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    return _encoded(_narrowed(photo, Image.Resampling.LANCZOS), "JPEG")


def _narrowed(image: Image.Image, method: Image.Resampling) -> Image.Image:
    if image.width <= _WIDEST:
        return image
    return image.resize((_WIDEST, max(1, round(image.height * _WIDEST / image.width))), method)


def _encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "JPEG":
        image.save(stream, kind, quality=_JPEG_QUALITY)
    else:
        image.save(stream, kind, optimize=True)
    return stream.getvalue()


def _row(predictions: Predictions, picture: ShownPicture) -> Markup:
    height, width = picture.sample.mask.shape
    palette, name = predictions.palette, f"picture {picture.index}"
    photo = photo_jpeg(picture.sample.image, (height, width))
    cells = [
        _cell("image/jpeg", photo, f"Photo of {name}.", name),
        _cell("image/png", mask_png(picture.sample.mask, palette), f"Ground truth of {name}.", "ground truth"),
    ]
    for k, mask, share in zip(predictions.networks, picture.masks, picture.accuracies, strict=True):
        alt = f"Prediction of network {k} for {name}: {share:.1%} of the labelled pixels are right."
        cells.append(_cell("image/png", mask_png(mask, palette), alt, f"network {k}: {share:.1%} right"))
    return tag("div", {"class": "pictures"}, *cells)


def _cell(kind: str, content: bytes, alt: str, caption: str) -> Markup:
    source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return tag("figure", None, tag("img", {"src": source, "alt": alt}), tag("figcaption", None, caption))


def _legend(predictions: Predictions) -> Markup:
    entries = []
    for name, colour in zip(predictions.classes, predictions.palette, strict=True):
        red, green, blue = (int(channel) for channel in colour)
        square: Attributes = {
            "x": 2,
            "y": 1,
            "width": 16,
            "height": 14,
            "fill": f"#{red:02x}{green:02x}{blue:02x}",
            "class": "swatch",
        }
        view = {"class": "symbol", "viewBox": "0 0 20 16", "aria-hidden": "true"}
        entries.append(tag("span", {"class": "entry"}, tag("svg", view, tag("rect", square)), name))
    return tag("p", {"class": "legend"}, *entries)


def _means(predictions: Predictions) -> list[float]:
    return [float(np.mean(shares)) for shares in zip(*(p.accuracies for p in predictions.pictures), strict=True)]


def _reading(predictions: Predictions) -> str:
    means = _means(predictions)
    first, last = predictions.networks[0], predictions.networks[-1]
    count = f"On these {len(predictions.pictures)} pictures"
    if first == last:
        return f"{count} network {first} gives {means[0]:.1%} of the labelled pixels their class."
    return (
        f"{count} the fastest chosen network ({first}) gives {means[0]:.1%} of the labelled pixels their class, "
        f"the most accurate one ({last}) {means[-1]:.1%}."
    )


def _table(predictions: Predictions) -> Markup:
    columns = ("picture", *(f"network {k}" for k in predictions.networks))
    rows = [(str(p.index), *(f"{share:.1%}" for share in p.accuracies)) for p in predictions.pictures]
    rows.append(("mean", *(f"{share:.1%}" for share in _means(predictions))))
    return table("Labelled pixels that are right", columns, rows)
