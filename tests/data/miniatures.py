"""Miniature data sets in their official layouts, with pictures that hold next to nothing."""

import numpy as np
from PIL import Image
from scipy.io import savemat


def write_picture(path, size=(40, 30), colour=(10, 20, 30)):
    """A picture of one colour; the size is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write_mask(path, labels, size=(40, 30), palette=False):
    """Index labels: one value for all pixels, or rows of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(size[::-1], labels, np.uint8) if np.isscalar(labels) else np.asarray(labels, np.uint8)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette([channel for value in range(256) for channel in (value, 255 - value, 0)])
    image.save(path, compress_level=1)


def write_names(path, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def cityscapes(root, cities, labels=7, size=(2048, 1024)):
    """`cities` gives the number of pictures of each `PART/CITY`."""
    for place, count in cities.items():
        for number in range(count):
            name = f"{place}/{place.split('/')[1]}_{number:06d}_000019"
            write_picture(root / "leftImg8bit" / f"{name}_leftImg8bit.png", size)
            write_mask(root / "gtFine" / f"{name}_gtFine_labelIds.png", labels, size)
            (root / "gtFine" / f"{name}_gtFine_polygons.json").write_text("{}")
    return root


def voc(root, train=("2007_000032",), val=("2007_000033",), extra=("2008_000002", "2008_000003")):
    """VOC 2012; `extra` names have pictures only."""
    for name in (*train, *val, *extra):
        write_picture(root / "JPEGImages" / f"{name}.jpg")
    for name in (*train, *val):
        write_mask(root / "SegmentationClass" / f"{name}.png", 15, palette=True)
    write_names(root / "ImageSets" / "Segmentation" / "train.txt", train)
    write_names(root / "ImageSets" / "Segmentation" / "val.txt", val)
    return root


def boundaries(root, train, val, label=2):
    """The Semantic Boundaries Dataset."""
    for name in (*train, *val):
        (root / "cls").mkdir(parents=True, exist_ok=True)
        fields = {"Segmentation": np.full((30, 40), label, np.uint8), "CategoriesPresent": np.array([label])}
        savemat(root / "cls" / f"{name}.mat", {"GTcls": fields}, do_compression=True)
    write_names(root / "train.txt", train)
    write_names(root / "val.txt", val)
    return root


def cocostuff(root, train, test, labels, ending="mat"):
    for part, names in (("train", train), ("test", test)):
        for name in names:
            write_picture(root / "images" / f"{name}.jpg", (len(labels[0]), len(labels)))
            if ending == "mat":
                (root / "annotations").mkdir(parents=True, exist_ok=True)
                content = {"S": np.array(labels, np.uint8), "captions": np.array(["a street"], object)}
                savemat(root / "annotations" / f"{name}.mat", content, do_compression=True)
            else:
                write_mask(root / "annotations" / f"{name}.png", labels)
        write_names(root / "imageLists" / f"{part}.txt", names)
    return root


def own(root, train=6, val=2, classes=("road", "sky 70 130 180", "traffic light"), size=(40, 30)):
    """A data set of one's own."""
    write_names(root / "classes.txt", classes)
    for part, count in (("train", train), ("val", val)):
        for number in range(count):
            write_picture(root / "images" / part / f"{number:03d}.png", size)
            write_mask(root / "labels" / part / f"{number:03d}.png", number % 3, size)
    return root
