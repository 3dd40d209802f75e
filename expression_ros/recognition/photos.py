"""Reading photo files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from expression_ros.images.files import PictureFileError, read_picture


class PhotoError(ValueError):
    """A file that is not there or is no picture OpenCV can read."""


def read_photo(path: str | Path) -> np.ndarray:
    """Return a picture file as (H, W) uint8 grey, turned upright as its EXIF data say.

    Raises:
        PhotoError: it cannot be read, is cut short or has too many pixels; one line.
    """
    return _read(path, colour=False)


def read_colour_photo(path: str | Path) -> np.ndarray:
    """Return a picture file as (H, W, 3) uint8 BGR, upright as the grey one is.

    Raises:
        PhotoError: as for read_photo.
    """
    return _read(path, colour=True)


def _read(path: str | Path, *, colour: bool) -> np.ndarray:
    try:
        return read_picture(Path(path), colour=colour)
    except PictureFileError as error:
        raise PhotoError(str(error)) from None
