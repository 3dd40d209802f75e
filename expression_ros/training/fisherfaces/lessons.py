"""What Fisherfaces are taught: the data's own labels, or what people see on the faces."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from expression_ros.training.data.faces import DataError, FaceSet, class_numbers
from expression_ros.training.data.people_votes import VOTE_NAMES, known_or_none, majority_of
from expression_ros.training.fisherfaces.settings import MAJORITY, SINGLE
from expression_ros.training.networks.faces import resembles

_SIDE = 48  # px, of faces that can be searched for copies


@dataclass(frozen=True)
class Lesson:
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

    def take(self, which: np.ndarray) -> Lesson:
        """Return the lesson of a mask or of an index array of the faces."""
        votes = None if self.votes is None else self.votes[which]
        return Lesson(self.faces.take(which), self.labels, self.numbers[which], votes)


def lesson_of(faces: FaceSet, learn: str, leave_out: Collection[str] = ()) -> Lesson:
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
        return Lesson(kept, *class_numbers(kept.labels))
    if faces.votes is None:
        raise DataError(f"--learn {learn} needs people's votes; give --votes ferplus_votes.npz")
    seen = seen_by_most(faces)
    if learn == MAJORITY:
        which = np.array([label != "" and label not in leave_out for label in seen])
        kept = FaceSet(faces.images[which], seen[which], faces.votes[which])
        return Lesson(kept, *class_numbers(kept.labels))
    # A label that nobody sees on most faces of its own is none: a class needs faces.
    labels, _ = class_numbers(seen[[label != "" and label not in leave_out for label in seen]])
    counts = faces.votes[:, [VOTE_NAMES.index(label) for label in labels]]
    which = (faces.votes.min(axis=1) >= 0) & (2 * counts.sum(axis=1) >= faces.votes.sum(axis=1))
    which &= counts.sum(axis=1) > 0
    return Lesson(faces.take(which), labels, counts[which].argmax(axis=1), counts[which])


def seen_by_most(faces: FaceSet) -> np.ndarray:
    """Return (N,) str, what more than half of all people see on each face; "" without majority."""
    if faces.votes is None:
        return np.full(len(faces), "", "<U16")
    known = [known_or_none(row) for row in faces.votes]
    return np.array(["" if row is None else majority_of(row) for row in known], "<U16")


def judged_by(faces: FaceSet, learn: str, labels: Collection[str]) -> tuple[FaceSet, np.ndarray]:
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
