"""Portraits to learn from, and what was learnt of them judged on people who were not.

A studio's smile with closed lips is fainter than those of a web search, and few portraits are not
many people. So each is cut out several times, the box moved and sized as detectors and trackers do,
and how well such faces are read is told by models that learnt half of the people and are asked
about the other half.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.training.data.faces import DataError, FaceSet
from expression_ros.training.data.image_archives import Portrait, portraits_of
from expression_ros.training.data.people_votes import VOTE_NAMES
from expression_ros.training.fisherfaces.lessons import Lesson

_VOTES = 10  # everybody asked would say what the portrait is labelled as
_ZOOM, _SHIFT = 0.12, 0.06  # of the box: log of its size, share of its side, at most


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
        prepare_face(portrait.picture, _moved(portrait.box, rng) if copy else portrait.box, face)
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


def with_portraits(lesson: Lesson, portraits: LearntPortraits) -> Lesson:
    """Return the lesson and then the crops of the portraits.

    Raises:
        DataError: a portrait has a label that is not learnt.
    """
    faces = portraits.faces
    if strange := sorted(set(faces.labels.tolist()) - set(lesson.labels)):
        raise DataError(f"portraits of {strange[0]}: the data has {', '.join(lesson.labels)}")
    numbers = np.array([lesson.labels.index(label) for label in faces.labels])
    votes = None
    if lesson.votes is not None:
        own = _VOTES * np.eye(len(lesson.labels), dtype=lesson.votes.dtype)[numbers]
        votes = np.concatenate([lesson.votes, own])
    numbers = np.concatenate([lesson.numbers, numbers])
    return Lesson(lesson.faces.plus(faces), lesson.labels, numbers, votes)


def read_by_strangers(
    portraits: LearntPortraits, seed: int, reader: Callable[[np.ndarray], Callable[..., Prediction]]
) -> list[Prediction]:
    """Return what is said of each portrait by models that learnt nobody who is on it.

    Args:
        portraits: P of them.
        seed: same seed, same halves.
        reader: trains on all other faces and on the crops of some portraits, (P * copies,) bool,
            and returns what reads a picture and a box.
    """
    said: dict[int, Prediction] = {}
    for learnt in portraits.halves(seed):
        read = reader(portraits.crops_of(learnt))
        for k in np.flatnonzero(~learnt):
            said[int(k)] = read(portraits.portraits[k].picture, portraits.portraits[k].box)
    return [said[k] for k in range(len(portraits.portraits))]


def take_rows(lesson: Lesson, vectors: np.ndarray, which: np.ndarray) -> tuple[Lesson, np.ndarray]:
    """Return some faces of a lesson, and their rows of (2N, D): of faces and of mirrored ones."""
    return lesson.take(which), vectors[np.tile(which, 2)]
