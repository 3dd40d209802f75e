"""FER2013 (Goodfellow et al., 2013): 48x48 grey faces from a web search, seven expressions.

Two forms are read: the npz file with ``images``, ``labels``, ``split`` and ``duplicate_of_train``,
and Kaggle's ``fer2013.csv``.
"""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np

from expression_ros.training.faces import DataError, FaceSet
from expression_ros.vocabulary import FER2013_ORDER

SIDE = 48  # px

_TRAIN, _PUBLIC_TEST = 0, 1  # numbers of `split` in the npz file
_USAGE = {"Training": _TRAIN, "PublicTest": _PUBLIC_TEST}


def load_fer2013(path: str | Path) -> tuple[FaceSet, FaceSet]:
    """Return the training faces and the test faces (public test).

    Test images that are pixel copies of a training image are left out: they flatter the score.

    Raises:
        DataError: the file is missing or is not FER2013.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no FER2013 file at {path}; give fer2013.npz or Kaggle's fer2013.csv")
    images, numbers, split, repeated = _read_csv(path) if path.suffix == ".csv" else _read_npz(path)
    if images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
        raise DataError(f"{path}: FER2013 images are (N, 48, 48) uint8, these are {images.shape}")
    if not len(images) == len(numbers) == len(split) == len(repeated):
        raise DataError(f"{path}: images, labels and split differ in length")
    if numbers.min(initial=0) < 0 or numbers.max(initial=0) >= len(FER2013_ORDER):
        raise DataError(f"{path}: FER2013 has the classes 0..6, this file others too")
    labels = np.array(FER2013_ORDER)[numbers]
    train, test = split == _TRAIN, (split == _PUBLIC_TEST) & ~repeated
    if not train.any() or not test.any():
        raise DataError(f"{path}: it needs training images and public test images")
    return FaceSet(images[train], labels[train]), FaceSet(images[test], labels[test])


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as data:
            images, numbers, split = data["images"], data["labels"], data["split"]
            repeated = (
                data["duplicate_of_train"].astype(bool)
                if "duplicate_of_train" in data.files
                else _repeated(images, split)
            )
    except KeyError as error:
        raise DataError(f"{path}: no array {error.args[0]}; see docs/training.md") from error
    except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no readable npz file ({error})") from error
    return images, numbers.astype(int), split, repeated


def _read_csv(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    images, numbers, split = [], [], []
    try:
        with path.open(newline="", encoding="ascii") as file:
            for row in csv.DictReader(file):
                if row["Usage"] not in _USAGE:  # the private test stays unseen
                    continue
                images.append(np.array(row["pixels"].split(), np.uint8).reshape(SIDE, SIDE))
                numbers.append(int(row["emotion"]))
                split.append(_USAGE[row["Usage"]])
    except (KeyError, ValueError, OverflowError, AttributeError, OSError, csv.Error) as error:
        raise DataError(
            f"{path} is no FER2013 csv with emotion, pixels, Usage ({error})"
        ) from error
    if not images:
        raise DataError(f"{path} holds no FER2013 images")
    stacked, splits = np.stack(images), np.array(split)
    return stacked, np.array(numbers), splits, _repeated(stacked, splits)


def _repeated(images: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Return (N,) bool: test images that are pixel copies of a training image."""
    seen = {image.tobytes() for image in images[split == _TRAIN]}
    return np.array(
        [s != _TRAIN and i.tobytes() in seen for i, s in zip(images, split, strict=True)]
    )
