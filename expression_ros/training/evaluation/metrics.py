"""Scores of a classifier on labelled faces, by labels, by people and by its own confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from expression_ros.training.data.faces import need_scikit_learn
from expression_ros.training.data.people_votes import majority_of
from expression_ros.vocabulary import EMOTIONS

BINS = 15
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(20))  # of min_confidence


@dataclass(frozen=True)
class LabelScore:
    """Scores of one label: precision, recall and F1 in 0..1, and how many faces have it."""

    precision: float
    recall: float
    f1: float
    faces: int


@dataclass(frozen=True)
class Evaluation:
    """How well predictions agree with the truth.

    Attributes:
        accuracy: share of right answers.
        macro_f1: mean F1 of the labels that occur in the truth.
        per_label: scores of each label.
        labels: the order of rows and columns of the confusion matrix.
        confusion: (L, L) int; row: true label, column: said label.
    """

    accuracy: float
    macro_f1: float
    per_label: Mapping[str, LabelScore]
    labels: tuple[str, ...]
    confusion: np.ndarray

    def as_mapping(self) -> dict[str, Any]:
        """Return the scores as plain values, fit for JSON."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "per_label": {name: vars(score) for name, score in self.per_label.items()},
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
        }


def evaluate(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> Evaluation:
    """Compare labels said with true labels.

    Args:
        truth: (N,) true labels, at least one.
        said: (N,) labels said.
        labels: every label that may occur in either.

    Raises:
        ValueError: the lengths differ, nothing was given, or a label is not among the labels.
        DataError: scikit-learn is missing.
    """
    if len(truth) != len(said) or len(truth) == 0:
        raise ValueError(f"{len(truth)} true labels and {len(said)} said ones cannot be compared")
    if unknown := sorted({str(label) for label in (*truth, *said)} - set(labels)):
        raise ValueError(f"labels not to be evaluated: {', '.join(unknown)}")
    need_scikit_learn("evaluation")
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    confusion = confusion_matrix(truth, said, labels=list(labels))
    columns = precision_recall_fscore_support(truth, said, labels=list(labels), zero_division=0)
    per_label = {
        label: LabelScore(float(precision), float(recall), float(f1), int(faces))
        for label, precision, recall, f1, faces in zip(labels, *columns, strict=True)
    }
    occurring = [score.f1 for score in per_label.values() if score.faces]
    return Evaluation(
        float(np.trace(confusion) / confusion.sum()),
        float(np.mean(occurring)),
        per_label,
        tuple(labels),
        confusion,
    )


def log_loss(probabilities: np.ndarray, numbers: np.ndarray) -> float:
    """Return the mean negative logarithm of what the true classes were given.

    scikit-learn's clips at the precision of the numbers' type, with which the models that are
    fitted by this would come out otherwise.

    Args:
        probabilities: (N, C) float, 0..1.
        numbers: (N,) int, the true classes.
    """
    of_truth = probabilities[np.arange(len(numbers)), numbers]
    return float(-np.mean(np.log(np.maximum(of_truth, 1e-12))))


@dataclass(frozen=True)
class Coverage:
    """What is left when nothing below a score is said.

    Attributes:
        threshold: the score, 0..1.
        said: share of the faces whose score reaches it, 0..1.
        right: share of right answers among those, 0..1; NaN where nothing is left.
    """

    threshold: float
    said: float
    right: float


def expected_calibration_error(scores: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Return the mean distance between score and share of right answers, over bins of the score.

    Guo et al., "On calibration of modern neural networks", 2017.

    Args:
        scores: (N,) float, 0..1, at least one.
        right: (N,) bool.
        bins: of equal width.
    """
    place = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    promised = np.bincount(place, scores, minlength=bins)
    kept = np.bincount(place, np.asarray(right, float), minlength=bins)
    return float(np.abs(promised - kept).sum() / counts.sum())


def coverage_curve(scores: np.ndarray, right: np.ndarray) -> list[Coverage]:
    """Return for every threshold how many of (N,) answers are said and how many of them right."""
    curve = []
    for threshold in THRESHOLDS:
        said = np.asarray(scores) >= threshold
        share = float(np.mean(right[said])) if said.any() else float("nan")
        curve.append(Coverage(threshold, float(said.mean()), share))
    return curve


def coverage_at(scores: np.ndarray, right: np.ndarray, wanted: float) -> float:
    """Return the largest share of answers, the surest first, of which so many are right; or 0.

    Answers with the same score are said together or not at all: no threshold parts them.

    Args:
        scores: (N,) float, at least one.
        right: (N,) bool.
        wanted: share of right answers, 0..1.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    ordered = np.asarray(scores)[order]
    counts = np.arange(1, len(order) + 1)
    shares = np.cumsum(np.asarray(right, float)[order]) / counts
    last = np.append(ordered[1:] < ordered[:-1], True)  # of its score
    enough = counts[last & (shares >= wanted - 1e-12)]
    return float(enough[-1] / len(order)) if len(enough) else 0.0


@dataclass(frozen=True)
class CalibrationBin:
    """The answers whose score lies in a bin: how many, their mean score, and how many are right.

    Attributes:
        low: lower end of the bin.
        high: upper end of the bin.
        count: answers in it.
        score: their mean score; NaN without any.
        right: share of right ones; NaN without any.
    """

    low: float
    high: float
    count: int
    score: float
    right: float


def calibration_bins(
    scores: np.ndarray, right: np.ndarray, bins: int = BINS
) -> list[CalibrationBin]:
    """Return the bins of a reliability diagram, for (N,) scores of 0..1 and (N,) bool.

    scikit-learn's calibration_curve puts a score on a border, as shares of ten votes are, into the
    lower bin, and does not say how many answers a bin has.
    """
    place = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    found = []
    for k in range(bins):
        inside = place == k
        means = [float(np.mean(values[inside])) if inside.any() else float("nan")
                 for values in (np.asarray(scores), np.asarray(right, float))]  # fmt: skip
        found.append(CalibrationBin(k / bins, (k + 1) / bins, int(inside.sum()), *means))
    return found


def people_figures(
    votes: Sequence[np.ndarray | None],
    said: Sequence[str],
    scores: np.ndarray,
    labels: Sequence[str],
) -> dict[str, Any] | None:
    """Return how answers agree with people; docs/evaluation.md explains each figure.

    Args:
        votes: (N) of (10,) int, in the order of VOTE_NAMES; None for faces nobody was asked about.
        said: (N) labels said.
        scores: (N,) float, what the classifier thinks of each answer, 0..1.
        labels: all that it can say; faces on which most people see something else are counted
            apart and not held against it.

    Returns:
        Plain values, fit for JSON; None if there are no votes, or most people agree on no face.
    """
    voted = [(row, label, float(score)) for row, label, score
             in zip(votes, said, scores, strict=True) if row is not None]  # fmt: skip
    judged = [(majority_of(row), label, score) for row, label, score in voted]
    cannot_say = sum(bool(seen) and seen not in labels for seen, _, _ in judged)
    judged = [one for one in judged if one[0] in labels]
    if not judged:
        return None
    right = np.array([seen == label for seen, label, _ in judged])
    sure = np.array([score for _, _, score in judged])
    by_label = {label: right[[seen == label for seen, _, _ in judged]] for label in EMOTIONS}
    return {
        "n": len(judged),
        "n_cannot_say": cannot_say,
        "majority": float(right.mean()),
        **_single_persons([(row, label) for row, label, _ in voted]),
        "coverage_90": coverage_at(sure, right, 0.90),
        "coverage_95": coverage_at(sure, right, 0.95),
        "ece": expected_calibration_error(sure, right),
        "recall": {label: float(r.mean()) for label, r in by_label.items() if len(r)},
        "faces": {label: len(r) for label, r in by_label.items() if len(r)},
    }


def _single_persons(voted: Sequence[tuple[np.ndarray, str]]) -> dict[str, float | int]:
    """Return how often one person drawn at random says the same.

    As the answers, as another person, and as the answer with the most votes; all of faces on which
    two named an expression.
    """
    agree, second, best = [], [], []
    for row, label in voted:
        counts = row[: len(EMOTIONS)].astype(float)
        total = counts.sum()
        if total < 2:
            continue
        agree.append(counts[EMOTIONS.index(label)] / total)
        second.append(float(counts @ (counts - 1)) / (total * (total - 1)))
        best.append(counts.max() / total)
    means = [float(np.mean(shares)) if shares else float("nan") for shares in (agree, second, best)]
    figures: dict[str, float | int] = {"n_voted": len(agree)}
    return figures | dict(zip(("one_person", "second_person", "best"), means, strict=True))
