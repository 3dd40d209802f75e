"""Whole portraits, a folder per label, whose faces are found as at run time."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from expression_ros.progress import with_progress
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detection import FaceDetector
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.image_archives import pictures_of_archive


class Portrait(NamedTuple):
    """A picture of one person: label, (H, W) uint8 grey, where the face is, and the file's name."""

    label: str
    picture: np.ndarray
    box: Box
    name: str


def portraits_of(path: Path) -> tuple[list[Portrait], int]:
    """Return the portraits in which the cascades find one face, and how many there are in all.

    Args:
        path: a zip with a folder per label.

    Raises:
        DataError: it cannot be read, or no face is found in any.
    """
    detector = FaceDetector(selection="single")
    found: list[Portrait] = []
    count = 0
    for name, label, picture in with_progress(pictures_of_archive(path), f"reading {path.name}"):
        count += 1
        faces = detector.search_frame(picture)
        if len(faces) == 1:
            found.append(Portrait(label, picture, faces[0].box, name))
    if not found:
        raise DataError(f"{path}: no face was found in {count} pictures")
    return found, count
