"""What the training commands of all classifiers share about labelled faces."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation, prepare_crop
from expression_ros.training.faces import DataError, FaceSet, report_progress
from expression_ros.training.fer2013 import load_fer2013
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER

# FER2013's numbering first, so that models trained on it all number their classes alike.
_CLASS_ORDER = (*FER2013_ORDER, *(label for label in EMOTIONS if label not in FER2013_ORDER))


class CropClassifier(Protocol):
    """A classifier that can also be asked about a face that was cut out and prepared before."""

    face: FacePreparation

    def predict(self, face: np.ndarray) -> Prediction: ...


def load_labelled_faces(path: Path) -> tuple[FaceSet, FaceSet]:
    """Return faces to train on and faces to test on.

    Raises:
        DataError: the file is missing or holds no labelled faces.
    """
    return load_fer2013(path)


def naming_files(
    command: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """Return a command whose errors about files are DataErrors, in one line with the file."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}") from error

    return run


def class_numbers(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the labels that occur, in the order of their class numbers, and (N,) int numbers.

    Raises:
        DataError: fewer than two labels occur.
    """
    occurring = set(labels.tolist())
    present = [label for label in _CLASS_ORDER if label in occurring]
    if len(present) < 2:
        raise DataError(f"training needs faces with two labels or more, not {sorted(occurring)}")
    return present, np.array([present.index(label) for label in labels])


def at_most(faces: FaceSet, count: int, seed: int) -> FaceSet:
    """Return ``count`` faces chosen at random, or all if there are fewer."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(faces))[:count])
    return FaceSet(faces.images[chosen], faces.labels[chosen])


def share_right(classifier: CropClassifier, faces: FaceSet) -> float:
    """Return the share of faces whose label the classifier says, 0..1."""
    report_progress(f"measuring on {len(faces):,} faces")
    said = [classifier.predict(prepare_crop(image, classifier.face)).label
            for image in faces.images]  # fmt: skip
    return float(np.mean(np.array(said) == faces.labels))
