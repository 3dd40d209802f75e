"""Whether moving the vote towards a person helps, by cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from expression_ros.recognition.adapted_vote import ProjectedVote
from expression_ros.recognition.person import PersonError

# How many faces a general mean counts as. Over the people of tools/measure_calibration.py anything
# from 1 to 10 is about as good; choosing it for each person costs more than it gains.
STRENGTH = 3.0
BLOCKS = 5  # of one session: faces that follow each other are left out together
MIN_FACES = 4  # of an emotion
MIN_EMOTIONS = 2


@dataclass(frozen=True)
class Fit:
    """What cross-validation says about adapting to a person.

    Attributes:
        faces: how many were read.
        errors_before: faces that the general models read wrong.
        errors_after: the same for the adapted ones, each face read by a vote that has not seen it,
            nor any face of its fold.
        right_before: mean probability of the right label, 0..1.
        right_after: the same, adapted.
        by_label: errors before and after and number of faces of each emotion.
        folds: "session" or "block": what was left out together.
    """

    faces: int
    errors_before: int
    errors_after: int
    right_before: float
    right_after: float
    by_label: dict[str, tuple[int, int, int]]
    folds: str

    @property
    def helps(self) -> bool:
        """Return whether the adapted vote is better: fewer errors, or as few and surer."""
        if self.errors_after != self.errors_before:
            return self.errors_after < self.errors_before
        return self.right_after > self.right_before


def fit(
    vote: ProjectedVote, vectors: np.ndarray, labels: Sequence[str], sessions: np.ndarray
) -> Fit:
    """Measure before and after.

    Args:
        vote: the general models.
        vectors: (N, D), the person's described faces, in the order in which they were taken.
        labels: N emotions.
        sessions: (N,) int.

    Raises:
        PersonError: there are too few faces.
    """
    names = np.array(labels)
    _check_enough(vote, names)
    projected = vote.project(vectors)
    folds, kind = _folds(names, np.asarray(sessions))
    before = _said(vote, projected, names, vote.means)
    after = np.zeros((len(names), 2))
    for test, train in _splits(folds):
        means = vote.moved_means(_rows(projected, train), names[train], STRENGTH)
        after[test] = _said(vote, _rows(projected, test), names[test], means)
    by_label = {
        str(label): (
            int((before[names == label, 0] == 0).sum()),
            int((after[names == label, 0] == 0).sum()),
            int((names == label).sum()),
        )
        for label in np.unique(names)
    }
    return Fit(
        faces=len(names),
        errors_before=int((before[:, 0] == 0).sum()),
        errors_after=int((after[:, 0] == 0).sum()),
        right_before=float(before[:, 1].mean()),
        right_after=float(after[:, 1].mean()),
        by_label=by_label,
        folds=kind,
    )


def _check_enough(vote: ProjectedVote, names: np.ndarray) -> None:
    if unknown := sorted(set(names.tolist()) - set(vote.labels)):
        raise PersonError(f"this model cannot say {', '.join(unknown)}; leave that out")
    few = [str(label) for label in np.unique(names) if (names == label).sum() < MIN_FACES]
    if few or len(np.unique(names)) < MIN_EMOTIONS:
        what = f"of {', '.join(few)} " if few else ""
        raise PersonError(
            f"too few clear faces {what}were taken; at least {MIN_FACES} of each of at least "
            f"{MIN_EMOTIONS} emotions are needed: better light, face the camera, and hold still"
        )


def _folds(names: np.ndarray, sessions: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the number of the fold of each face: its session, or a block of its emotion."""
    kinds, numbers = np.unique(sessions, return_inverse=True)
    if len(kinds) > 1:
        return numbers, "session"
    folds = np.zeros(len(names), int)
    for label in np.unique(names):
        rows = np.flatnonzero(names == label)
        folds[rows] = np.arange(len(rows)) * min(BLOCKS, len(rows)) // len(rows)
    return folds, "block"


def _splits(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for fold in np.unique(folds):
        yield np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)


def _said(
    vote: ProjectedVote,
    projected: Sequence[np.ndarray],
    names: np.ndarray,
    means: Sequence[np.ndarray],
) -> np.ndarray:
    """Return (N, 2): whether the right label is said, and its probability."""
    predictions = vote.predict(projected, means)
    return np.array(
        [
            (float(one.label == name), one.scores[name])
            for one, name in zip(predictions, names.tolist(), strict=True)
        ]
    ).reshape(len(names), 2)


def _rows(projected: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    return [faces[rows] for faces in projected]
