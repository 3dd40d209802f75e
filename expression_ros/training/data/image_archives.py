"""Zip files of face images in one folder per label, ``any/path/<label>/name.jpg``.

The London Set (DeBruine and Jones, 2017) and the muxspace faces come in this form.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np

from expression_ros.progress import with_progress
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detection import FaceDetector
from expression_ros.training.data.faces import DataError, FaceSet
from expression_ros.vocabulary import UnknownLabelError, canonical_label

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


def images_of_archive(path: str | Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield the name, the label and the (H, W) uint8 grey pixels of every image in a zip file.

    Nothing is unpacked to disk.

    Raises:
        DataError: the file is missing or broken, an image is unreadable, a folder names no label.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                place = PurePosixPath(name)
                if place.suffix.lower() in _SUFFIXES:
                    yield name, _label(path, place), _decoded(path, place, archive.read(name))
    except FileNotFoundError:
        raise DataError(f"no archive at {path}") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path} is not a readable zip file ({error})") from error


def load_cropped_archive(path: str | Path, side: int = 48) -> FaceSet:
    """Return the images of an archive that are face crops already, resized to a square.

    Raises:
        DataError: see images_of_archive; or there are no images.
    """
    labels, images = [], []
    for _, label, image in images_of_archive(path):
        labels.append(label)
        images.append(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))
    if not images:
        raise DataError(f"{path} holds no images")
    return FaceSet(np.stack(images), np.array(labels))


class Portrait(NamedTuple):
    """An image of one person: label, (H, W) uint8 grey, where the face is, and the file's name."""

    label: str
    image: np.ndarray
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
    for name, label, image in with_progress(images_of_archive(path), f"reading {path.name}"):
        count += 1
        faces = detector.search_frame(image)
        if len(faces) == 1:
            found.append(Portrait(label, image, faces[0].box, name))
    if not found:
        raise DataError(f"{path}: no face was found in {count} images")
    return found, count


def _label(path: str | Path, place: PurePosixPath) -> str:
    try:
        return canonical_label(place.parent.name)
    except UnknownLabelError as error:
        raise DataError(f"{path}: folder of {place}: {error}") from error


def _decoded(path: str | Path, place: PurePosixPath, content: bytes) -> np.ndarray:
    image = None
    if content:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path}: {place} is not a readable image")
    return image
