"""From the numbers a model computes to scores that are positive and add to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from expression_ros.recognition.classifier import Prediction
from expression_ros.vocabulary import NEUTRAL


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

    What remains is scaled to add to 1, so that whoever looks at the scores alone comes to the same
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
