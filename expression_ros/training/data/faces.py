"""A set of labelled faces, the form in which every data set reaches training and evaluation."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from expression_ros.progress import Progress
from expression_ros.recognition.descriptors import Descriptor
from expression_ros.recognition.face_preparation import FacePreparation, prepare_crop
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER

# FER2013's numbering first, so that models trained on it all number their classes alike.
_CLASS_ORDER = (*FER2013_ORDER, *(label for label in EMOTIONS if label not in FER2013_ORDER))
_TOGETHER = 512  # faces described between two looks at the clock
_VOTE_COLUMNS = 10  # people_votes.VOTE_NAMES


class DataError(ValueError):
    """A data set is missing or not what it should be; the message says what to do."""


@dataclass(frozen=True)
class FaceSet:
    """Faces with labels.

    Attributes:
        images: (N, S, S) uint8, cropped faces.
        labels: (N,) str, labels of the vocabulary.
        votes: (N, 10) int, what people see, see people_votes.VOTE_NAMES, -1 where nobody was asked;
            None if nobody was asked at all.
    """

    images: np.ndarray
    labels: np.ndarray
    votes: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.images.dtype != np.uint8:
            raise DataError(f"images must be (N, S, S) uint8, not {self.images.dtype} "
                            f"of {self.images.shape}")  # fmt: skip
        if self.labels.shape != (len(self.images),):
            raise DataError(f"{len(self.images)} images but labels of shape {self.labels.shape}")
        if self.votes is not None and len(self.votes) != len(self.images):
            raise DataError(f"{len(self.images)} images but votes on {len(self.votes)}")

    def __len__(self) -> int:
        return len(self.images)

    def mirrored(self) -> FaceSet:
        """Return the faces mirrored left to right: an expression stays the same."""
        return FaceSet(np.ascontiguousarray(self.images[:, :, ::-1]), self.labels, self.votes)

    def take(self, which: np.ndarray) -> FaceSet:
        """Return the faces of a mask or of an index array."""
        votes = None if self.votes is None else self.votes[which]
        return FaceSet(self.images[which], self.labels[which], votes)

    def at_most(self, count: int, seed: int) -> FaceSet:
        """Return ``count`` faces chosen at random, or all if there are fewer."""
        return self.take(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))

    def plus(self, other: FaceSet) -> FaceSet:
        """Return these faces and then the other ones, of the same size."""
        votes = None
        if self.votes is not None or other.votes is not None:
            votes = np.concatenate([_votes_or_unknown(self), _votes_or_unknown(other)])
        return FaceSet(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.labels, other.labels]),
            votes,
        )

    def only(self, labels: set[str]) -> FaceSet:
        """Return the faces with one of these labels."""
        return self.take(np.isin(self.labels, sorted(labels)))


def _votes_or_unknown(faces: FaceSet) -> np.ndarray:
    if faces.votes is not None:
        return faces.votes
    return np.full((len(faces), _VOTE_COLUMNS), -1, np.int16)


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


def need_scikit_learn(what: str) -> None:
    """Raise DataError if scikit-learn is missing, for "training" or "evaluation"."""
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(f"{what} needs scikit-learn: pip install scikit-learn ({error})") from None


def prepare_faces(images: np.ndarray, preparation: FacePreparation) -> np.ndarray:
    """Return (N, S, S) uint8 prepared faces of (N, H, W) uint8 pictures that are crops already."""
    faces = np.empty((len(images), preparation.size, preparation.size), np.uint8)
    for face, image in zip(faces, images, strict=True):
        face[:] = prepare_crop(image, preparation)
    return faces


def describe_faces(faces: np.ndarray, descriptor: Descriptor) -> np.ndarray:
    """Return the (N, D) float32 descriptors of (N, S, S) uint8 prepared faces."""
    batch = getattr(descriptor, "describe_batch", None)
    vectors = np.empty((len(faces), descriptor.size), np.float32)
    with Progress("describing faces", len(faces)) as progress:
        for begin in range(0, len(faces), _TOGETHER):
            part = faces[begin : begin + _TOGETHER]
            if batch is not None:
                vectors[begin : begin + len(part)] = batch(part)
            else:
                for vector, face in zip(vectors[begin:], part, strict=False):
                    vector[:] = descriptor.describe(face)[0]
            progress.advance(len(part))
    return vectors


def report_progress(text: str) -> None:
    """Write a line about the progress to stderr; results go to stdout."""
    print(text, file=sys.stderr, flush=True)
