"""What Fisherfaces are taught: the data's own labels, what people see on the faces, portraits.

A studio's smile with closed lips is fainter than those of a web search, and few portraits are not
many people. So each is cut out several times, the box moved and sized as detectors and trackers do,
and how well such faces are read is told by models that learnt half of the people and are asked
about the other half.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.training.data.faces import DataError, FaceSet, class_numbers
from expression_ros.training.data.image_archives import Portrait, portraits_of
from expression_ros.training.data.people_votes import VOTE_NAMES, known_or_none, majority_of
from expression_ros.training.fisherfaces.settings import MAJORITY, SINGLE
from expression_ros.training.networks.faces import resembles

_SIDE = 48  # px, of faces that can be searched for copies

# Of portraits.
_VOTES = 10  # everybody asked would say what the portrait is labelled as
_ZOOM, _SHIFT = 0.12, 0.06  # of the box: log of its size, share of its side, at most


@dataclass(frozen=True)
class TrainingSet:
    """Faces and what is to be learnt of them.

    Attributes:
        faces: N faces.
        labels: the label of each class number.
        numbers: (N,) int, the class of each face.
        votes: (N, C) int, how many people see each class, at least one; None where the numbers
            alone are learnt.
    """

    faces: FaceSet
    labels: list[str]
    numbers: np.ndarray
    votes: np.ndarray | None = None

    def take(self, which: np.ndarray) -> TrainingSet:
        """Return the training set of a mask or of an index array of the faces."""
        votes = None if self.votes is None else self.votes[which]
        return TrainingSet(self.faces.take(which), self.labels, self.numbers[which], votes)


def training_set_of(faces: FaceSet, learn: str, leave_out: Collection[str] = ()) -> TrainingSet:
    """Return what is to be learnt of faces; those it cannot be said of are left out.

    Args:
        faces: with votes, unless the data's own labels are learnt.
        learn: one of LEARN_CHOICES. "votes" takes the faces on which half of all people or more
            see one of the labels, "majority" those on which more than half see the same.
        leave_out: labels that are not learnt.

    Raises:
        DataError: there are no votes, or fewer than two labels.
    """
    if learn == SINGLE:
        kept = faces.take(~np.isin(faces.labels, sorted(leave_out)))
        return TrainingSet(kept, *class_numbers(kept.labels))
    if faces.votes is None:
        raise DataError(f"--learn {learn} needs people's votes; give --votes ferplus_votes.npz")
    seen = seen_by_most(faces)
    if learn == MAJORITY:
        which = np.array([label != "" and label not in leave_out for label in seen])
        kept = FaceSet(faces.images[which], seen[which], faces.votes[which])
        return TrainingSet(kept, *class_numbers(kept.labels))
    # A label that nobody sees on most faces of its own is none: a class needs faces.
    labels, _ = class_numbers(seen[[label != "" and label not in leave_out for label in seen]])
    counts = faces.votes[:, [VOTE_NAMES.index(label) for label in labels]]
    which = (faces.votes.min(axis=1) >= 0) & (2 * counts.sum(axis=1) >= faces.votes.sum(axis=1))
    which &= counts.sum(axis=1) > 0
    return TrainingSet(faces.take(which), labels, counts[which].argmax(axis=1), counts[which])


def seen_by_most(faces: FaceSet) -> np.ndarray:
    """Return (N,) str, what more than half of all people see on each face; "" without majority."""
    if faces.votes is None:
        return np.full(len(faces), "", "<U16")
    known = [known_or_none(row) for row in faces.votes]
    return np.array(["" if row is None else majority_of(row) for row in known], "<U16")


def truth_of(faces: FaceSet, learn: str, labels: Collection[str]) -> tuple[FaceSet, np.ndarray]:
    """Return the faces of which a right answer is known and can be said, and these answers.

    Args:
        faces: any.
        learn: one of LEARN_CHOICES: the data's own label is right, or what most people see.
        labels: those that can be said.
    """
    truth = faces.labels if learn == SINGLE else seen_by_most(faces)
    which = np.isin(truth, sorted(labels))
    return faces.take(which), truth[which]


def without_copies(faces: FaceSet, others: FaceSet) -> FaceSet:
    """Return the faces that resemble none of the others (see networks.faces.resembles).

    Raises:
        DataError: the faces are of another size than 48 px.
    """
    if faces.images.shape[1:] != (_SIDE, _SIDE) or others.images.shape[1:] != (_SIDE, _SIDE):
        raise DataError("--without-copies needs faces of 48 px; prepare them with --size 48")
    return faces.take(~resembles(faces.images, others.images))


@dataclass(frozen=True)
class LearntPortraits:
    """Portraits and the faces cut out of them.

    Attributes:
        portraits: P of them.
        count: how many there were in all; in the others no face was found.
        faces: (P * copies) crops, those of one portrait after each other.
        copies: crops of each.
    """

    portraits: list[Portrait]
    count: int
    faces: FaceSet
    copies: int

    @property
    def people(self) -> np.ndarray:
        """(P,) str, who is on each, by what its file's name begins with."""
        stems = (PurePath(portrait.name).stem for portrait in self.portraits)
        return np.array([re.split(r"[^0-9A-Za-z]", stem)[0] for stem in stems])

    def halves(self, seed: int) -> Iterator[np.ndarray]:
        """Yield (P,) bool twice: which portraits are of one half of the people, then the others.

        Raises:
            DataError: they are all of one person.
        """
        people = np.unique(self.people)
        if len(people) < 2:
            raise DataError("portraits of one person cannot be judged on anybody else")
        chosen = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
        first = np.isin(self.people, chosen)
        yield first
        yield ~first

    def crops_of(self, which: np.ndarray) -> np.ndarray:
        """Return (P * copies,) bool: the crops of these portraits, (P,) bool."""
        return np.repeat(which, self.copies)


def learnt_portraits(
    path: Path, size: int, margin: float, copies: int, seed: int
) -> LearntPortraits:
    """Find the faces of portraits and cut each out several times.

    Args:
        path: a zip with a folder per label.
        size: px, side of the crops.
        margin: around a box, as a share of its side.
        copies: crops of each, the first of them the box as it was found.
        seed: same seed, same crops.

    Raises:
        DataError: see portraits_of.
    """
    portraits, count = portraits_of(path)
    face = FacePreparation(size=size, margin=margin)
    rng = np.random.default_rng(seed)
    images = [
        prepare_face(portrait.image, _moved(portrait.box, rng) if copy else portrait.box, face)
        for portrait in portraits
        for copy in range(copies)
    ]
    labels = np.repeat([portrait.label for portrait in portraits], copies)
    votes = np.zeros((len(images), len(VOTE_NAMES)), np.int16)
    votes[np.arange(len(images)), [VOTE_NAMES.index(label) for label in labels]] = _VOTES
    return LearntPortraits(portraits, count, FaceSet(np.stack(images), labels, votes), copies)


def _moved(box: Box, rng: np.random.Generator) -> Box:
    side = round(box.w * float(np.exp(rng.uniform(-_ZOOM, _ZOOM))))
    dx, dy = rng.uniform(-_SHIFT, _SHIFT, 2) * box.w
    x, y = box.centre
    return Box(round(x + dx - side / 2), round(y + dy - side / 2), side, side)


def with_portraits(training_set: TrainingSet, portraits: LearntPortraits) -> TrainingSet:
    """Return the training set and then the crops of the portraits.

    Raises:
        DataError: a portrait has a label that is not learnt.
    """
    faces = portraits.faces
    if strange := sorted(set(faces.labels.tolist()) - set(training_set.labels)):
        raise DataError(f"portraits of {strange[0]}: the data has {', '.join(training_set.labels)}")
    numbers = np.array([training_set.labels.index(label) for label in faces.labels])
    votes = None
    if training_set.votes is not None:
        own = _VOTES * np.eye(len(training_set.labels), dtype=training_set.votes.dtype)[numbers]
        votes = np.concatenate([training_set.votes, own])
    numbers = np.concatenate([training_set.numbers, numbers])
    return TrainingSet(training_set.faces.plus(faces), training_set.labels, numbers, votes)


def read_by_strangers(
    portraits: LearntPortraits, seed: int, reader: Callable[[np.ndarray], Callable[..., Prediction]]
) -> list[Prediction]:
    """Return what is said of each portrait by models that learnt nobody who is on it.

    Args:
        portraits: P of them.
        seed: same seed, same halves.
        reader: trains on all other faces and on the crops of some portraits, (P * copies,) bool,
            and returns what reads an image and a box.
    """
    said: dict[int, Prediction] = {}
    for learnt in portraits.halves(seed):
        read = reader(portraits.crops_of(learnt))
        for k in np.flatnonzero(~learnt):
            said[int(k)] = read(portraits.portraits[k].image, portraits.portraits[k].box)
    return [said[k] for k in range(len(portraits.portraits))]


def take_rows(
    training_set: TrainingSet, vectors: np.ndarray, which: np.ndarray
) -> tuple[TrainingSet, np.ndarray]:
    """Return some faces of a training set and their rows of (2N, D): faces, then mirrored ones."""
    return training_set.take(which), vectors[np.tile(which, 2)]
