"""A prepared set: grey crops of faces with labels, subjects and split, in one npz file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from expression_ros.recognition.face_preparation import FaceError, FacePreparation
from expression_ros.training.data.faces import DataError, FaceSet, read_arrays, write_arrays
from expression_ros.training.data.labelled_images import (
    CROPPED,
    FACES_CHOICES,
    SPLITS,
    DataSet,
    LabelledImage,
    held,
)
from expression_ros.training.data.people_votes import (
    NAMES_ARRAY,
    VOTE_NAMES,
    VOTES_ARRAY,
    known_or_none,
    votes_of_arrays,
)
from expression_ros.vocabulary import EMOTIONS

FORMAT = "expression_ros prepared set 1"
_COLUMNS = ("labels", "subjects", "split", "sources")


@dataclass(frozen=True)
class PreparedSet:
    """Faces cut out and labelled.

    Attributes:
        images: (N, S, S) uint8, prepared faces.
        labels: (N,) str, labels of the vocabulary.
        subjects: (N,) str, who it is; empty where unknown.
        split: (N,) str: "train", "validation", "test" or "private_test".
        sources: (N,) str, the file each came from.
        faces: how the faces were had: "cropped" or "detect".
        face: the face preparation they went through.
        votes: (N, 10) int, what people see, see people_votes.VOTE_NAMES, -1 where nobody was asked;
            None if nobody was asked at all.

    Raises:
        DataError: shapes or dtypes differ from these, or a label or split is unknown.
    """

    images: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    split: np.ndarray
    sources: np.ndarray
    faces: str
    face: FacePreparation
    votes: np.ndarray | None = None

    def __post_init__(self) -> None:
        size = self.face.size
        if self.images.dtype != np.uint8 or self.images.shape[1:] != (size, size):
            raise DataError(f"images must be (N, {size}, {size}) uint8, not {self.images.dtype} "
                            f"of {self.images.shape}")  # fmt: skip
        for name in _COLUMNS:
            column = getattr(self, name)
            if column.shape != (len(self.images),) or column.dtype.kind != "U":
                raise DataError(f"{name} must be {len(self.images)} texts, not {column.dtype} "
                                f"of {column.shape}")  # fmt: skip
        if self.votes is not None and self.votes.shape != (len(self.images), len(VOTE_NAMES)):
            raise DataError(f"votes must be ({len(self.images)}, {len(VOTE_NAMES)}), not "
                            f"{self.votes.shape}")  # fmt: skip
        if unknown := sorted(set(self.labels) - set(EMOTIONS)):
            raise DataError(f"unknown labels: {', '.join(unknown)}")
        if unknown := sorted(set(self.split) - set(SPLITS)):
            raise DataError(f"unknown splits: {', '.join(unknown)}; there are {', '.join(SPLITS)}")
        if self.faces not in FACES_CHOICES:
            raise DataError(f"faces must be one of {', '.join(FACES_CHOICES)}, not {self.faces!r}")

    def __len__(self) -> int:
        return len(self.images)

    def as_data_set(self, name: str) -> DataSet:
        """Return the set as images that are crops already."""
        columns = (self.images, *(getattr(self, column).tolist() for column in _COLUMNS))
        votes = [None if self.votes is None else known_or_none(self.votes[k])
                 for k in range(len(self))]  # fmt: skip
        images = [
            LabelledImage(source, label, held(image), subject, split, seen)
            for image, label, subject, split, source, seen in zip(*columns, votes, strict=True)
        ]
        return DataSet(name, images, [], CROPPED, self.face if self.faces != CROPPED else None)

    def as_face_set(self, which: np.ndarray) -> FaceSet:
        """Return the faces of a mask or of an index array, for training."""
        votes = None if self.votes is None else self.votes[which]
        return FaceSet(self.images[which], self.labels[which], votes)


def save_prepared_set(path: Path, prepared: PreparedSet) -> None:
    """Write a set as npz; the same set gives the same bytes. Raises OSError."""
    settings = {"faces": prepared.faces, "face": prepared.face.as_mapping()}
    votes = {}
    if prepared.votes is not None:
        votes = {VOTES_ARRAY: prepared.votes, NAMES_ARRAY: np.array(VOTE_NAMES)}
    write_arrays(
        path,
        {
            "format": np.array(FORMAT),
            "images": prepared.images,
            "labels": prepared.labels,
            "label_names": np.array(EMOTIONS),
            "subjects": prepared.subjects,
            "split": prepared.split,
            "sources": prepared.sources,
            "settings": np.array(json.dumps(settings)),
            **votes,
        },
    )


def load_prepared_set(path: Path) -> PreparedSet:
    """Read a set that ``save_prepared_set`` wrote.

    Raises:
        DataError: the file is missing, broken or no prepared set.
    """
    return prepared_set_of(read_arrays(path), path)


def preparation_for(path: Path, wanted: FacePreparation) -> FacePreparation:
    """Return how faces are cut out for a model: as a prepared set says, or else as is wanted.

    A model answers badly on other crops than it was trained on, so what ``prepare`` did to detected
    faces goes into the model's manifest.

    Args:
        path: of the data set.
        wanted: size, light and region are taken from it in any case.

    Raises:
        DataError: the light of the prepared faces was treated already.
    """
    recorded = _recorded_preparation(path)
    if recorded is None:
        return wanted
    if recorded.light != "none":
        raise DataError(
            f"{path} was prepared with --light {recorded.light}, which training would do again: "
            "prepare it without, and give --light to train"
        )
    return replace(recorded, size=wanted.size, light=wanted.light, region=wanted.region)


def _recorded_preparation(path: Path) -> FacePreparation | None:
    """Return how a prepared set's detected faces were cut out; None for cropped or other sets.

    Raises:
        DataError: it is a prepared set, but damaged.
    """
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    arrays = read_arrays(path, only=("format", "settings"))
    if not is_prepared_set(arrays):
        return None
    try:
        settings = json.loads(str(arrays["settings"]))
        face = FacePreparation.from_mapping(settings["face"])
        return face if settings["faces"] != CROPPED else None
    except (KeyError, FaceError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def is_prepared_set(arrays: Mapping[str, np.ndarray]) -> bool:
    """Return whether these are the arrays of a prepared set."""
    return "format" in arrays


def prepared_set_of(arrays: Mapping[str, np.ndarray], path: Path) -> PreparedSet:
    """Return the prepared set that the arrays of a file are; DataError if they are none."""
    if str(arrays.get("format")) != FORMAT:
        raise DataError(f"{path} is not a prepared set; write one: expression-ros prepare")
    try:
        settings = json.loads(str(arrays["settings"]))
        return PreparedSet(
            images=arrays["images"],
            labels=arrays["labels"],
            subjects=arrays["subjects"],
            split=arrays["split"],
            sources=arrays["sources"],
            faces=settings["faces"],
            face=FacePreparation.from_mapping(settings["face"]),
            votes=votes_of_arrays(arrays, path),
        )
    except KeyError as error:
        raise DataError(f"{path} is damaged: it has no {error.args[0]!r}") from error
    except (DataError, FaceError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
