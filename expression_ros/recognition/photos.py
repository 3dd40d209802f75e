"""Reading photo files as grey frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


class PhotoError(ValueError):
    """A file that is not there or is no picture OpenCV can read."""


def read_photo(path: Path) -> np.ndarray:
    """Return a picture file as (H, W) uint8 grey, turned upright as its EXIF data say.

    Raises:
        PhotoError: there is no such file, or OpenCV cannot read it as a picture.
    """
    if not path.is_file():
        raise PhotoError(f"{path}: no such file")
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        image = None  # an empty file
    if image is None:
        raise PhotoError(f"{path}: not a picture that OpenCV can read (jpeg, png, bmp, tiff, webp)")
    return image
