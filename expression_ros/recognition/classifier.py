"""What the pipeline asks of a classifier, and what one says: scores that add to 1.

An interface, so that the pipeline knows no classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

import numpy as np

from expression_ros.vocabulary import NEUTRAL


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one face.

    Attributes:
        label: the label that won, one of the classifier's labels.
        score: probability that the label is right, 0..1, as far as the model was calibrated.
        scores: the same for every label the classifier can say; they add to 1.
        votes: of an ensemble, the share of votes of every label; empty for other classifiers.
    """

    label: str
    score: float
    scores: Mapping[str, float]
    votes: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Classifier(Protocol):
    """Names the expression of one face of a frame.

    Attributes:
        labels: the labels it can say, all of them of the vocabulary.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can answer, in the order of its scores."""
        ...

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box.

        Args:
            grey_frame: (H, W) uint8, the whole frame; the classifier cuts the face out itself.
            box: (x, y, w, h) in px.

        Raises:
            FaceError: the frame is not grey uint8, or the box is empty or outside of it.
        """
        ...


class StreamClassifier(Classifier, Protocol):
    """A classifier that reads a face of a stream with what is known of its last second.

    What is kept of a face from frame to frame belongs to its track; a classifier keeps nothing.
    """

    def read_watched(
        self, grey_frame: np.ndarray, box: Sequence[int], speaking: bool
    ) -> Prediction:
        """Return the expression of the face in a box.

        Args:
            grey_frame, box: see Classifier.read.
            speaking: whether the person speaks.
        """
        ...


def read_in_stream(
    classifier: Classifier, grey_frame: np.ndarray, box: Sequence[int], speaking: bool
) -> Prediction:
    """Return the expression of a face of which is known whether the person speaks."""
    # Asked for every face: isinstance of a protocol takes as long as a part of the reading.
    if hasattr(classifier, "read_watched"):
        return cast(StreamClassifier, classifier).read_watched(grey_frame, box, speaking)
    return classifier.read(grey_frame, box)


def is_adapted(classifier: Classifier) -> bool:
    """Return whether a classifier is adapted to one person."""
    return getattr(classifier, "person", None) is not None


def softmax(values: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return (N, C) float64 probabilities of (N, C) decision values.

    A temperature above 1 makes them more alike, below 1 less; it never changes their order
    (temperature scaling; Guo et al., 2017).
    """
    scaled = np.asarray(values, np.float64) / temperature
    exponentials: np.ndarray = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


def prediction_from(labels: Sequence[str], probabilities: np.ndarray) -> Prediction:
    """Return the prediction of (C,) probabilities, one per label; the first of equals wins."""
    scores = {label: float(p) for label, p in zip(labels, probabilities, strict=True)}
    best = labels[int(np.argmax(probabilities))]
    return Prediction(best, scores[best], scores)


def above_thresholds(
    labels: Sequence[str], probabilities: np.ndarray, thresholds: Mapping[str, float]
) -> np.ndarray:
    """Withhold the labels whose probability is below their own threshold.

    What remains is scaled to add to 1, so that a reader of the scores alone comes to the same
    label. Where nothing remains, the answer is neutral; where the model cannot say neutral, the
    probabilities stay as they are.

    Args:
        labels: C labels.
        probabilities: (C,) float, adding to 1.
        thresholds: 0..1 by label; 0 for a label that is left out.

    Returns:
        (C,) float64, adding to 1.
    """
    limits = np.array([thresholds.get(label, 0.0) for label in labels])
    kept = np.where(probabilities >= limits, probabilities, 0.0)
    if kept.sum() > 0:
        return np.asarray(kept / kept.sum())
    if NEUTRAL in labels:
        return np.array([float(label == NEUTRAL) for label in labels])
    return np.asarray(probabilities, np.float64)
