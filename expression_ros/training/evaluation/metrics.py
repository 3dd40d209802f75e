"""Scores of a classifier on labelled faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


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
    """
    if len(truth) != len(said) or len(truth) == 0:
        raise ValueError(f"{len(truth)} true labels and {len(said)} said ones cannot be compared")
    place = {label: index for index, label in enumerate(labels)}
    if unknown := sorted({str(label) for label in (*truth, *said)} - set(place)):
        raise ValueError(f"labels not to be evaluated: {', '.join(unknown)}")
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, ([place[t] for t in truth], [place[s] for s in said]), 1)
    per_label = {label: _score(confusion, index) for label, index in place.items()}
    occurring = [score.f1 for score in per_label.values() if score.faces]
    return Evaluation(
        float(np.trace(confusion) / confusion.sum()),
        float(np.mean(occurring)),
        per_label,
        tuple(labels),
        confusion,
    )


def _score(confusion: np.ndarray, index: int) -> LabelScore:
    right = float(confusion[index, index])
    said, faces = int(confusion[:, index].sum()), int(confusion[index].sum())
    f1 = 2 * right / (said + faces) if said + faces else 0.0
    return LabelScore(right / said if said else 0.0, right / faces if faces else 0.0, f1, faces)
