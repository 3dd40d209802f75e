"""Reading photo files."""

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
    return _read(path, cv2.IMREAD_GRAYSCALE)


def read_colour_photo(path: Path) -> np.ndarray:
    """Return a picture file as (H, W, 3) uint8 BGR, upright as the grey one is.

    Raises:
        PhotoError: as for read_photo.
    """
    return _read(path, cv2.IMREAD_COLOR)


def _read(path: Path, mode: int) -> np.ndarray:
    if not path.is_file():
        raise PhotoError(f"{path}: no such file")
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), mode)
    except cv2.error:
        image = None  # an empty file, or one beyond OpenCV's size limit
    except OSError as error:
        raise PhotoError(f"{path}: cannot be read: {error.strerror}") from None
    if image is None:
        raise PhotoError(f"{path}: not a picture that OpenCV can read (jpeg, png, bmp, tiff, webp)")
    return image
