"""What the training commands of all classifiers share about labelled faces."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from expression_ros.progress import with_progress
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation, prepare_crop
from expression_ros.training.data.data_sets import load_split_faces
from expression_ros.training.data.faces import DataError, FaceSet
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER

# FER2013's numbering first, so that models trained on it all number their classes alike.
_CLASS_ORDER = (*FER2013_ORDER, *(label for label in EMOTIONS if label not in FER2013_ORDER))


class CropClassifier(Protocol):
    """A classifier that can also be asked about a face that was cut out and prepared before."""

    face: FacePreparation

    def predict(self, face: np.ndarray) -> Prediction:
        """Return the expression of a prepared face, (S, S) uint8."""
        ...


def load_labelled_faces(path: Path, votes: Path | None = None) -> tuple[FaceSet, FaceSet]:
    """Return faces to train on and faces to test on, of any data set whose pictures are crops.

    Args:
        path: of the data set.
        votes: file with what people see on its faces, see data_sets.open_data_set.

    Raises:
        DataError: it is missing, holds no labelled faces, or its faces must be found first; or the
            votes are not about it.
    """
    return load_split_faces(path, votes=votes)


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
    return faces.take(chosen)


def share_right(classifier: CropClassifier, faces: FaceSet) -> float:
    """Return the share of faces whose label the classifier says, 0..1."""
    images = with_progress(faces.images, f"measuring on {len(faces):,} faces")
    said = [classifier.predict(prepare_crop(image, classifier.face)).label for image in images]
    return float(np.mean(np.array(said) == faces.labels))
