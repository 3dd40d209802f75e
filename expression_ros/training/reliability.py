"""Whether scores are right as often as they say, and how many answers are left above a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(20))  # of min_confidence


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
    """Return the bins of a reliability diagram, for (N,) scores of 0..1 and (N,) bool."""
    place = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    found = []
    for k in range(bins):
        inside = place == k
        means = [float(np.mean(values[inside])) if inside.any() else float("nan")
                 for values in (np.asarray(scores), np.asarray(right, float))]  # fmt: skip
        found.append(CalibrationBin(k / bins, (k + 1) / bins, int(inside.sum()), *means))
    return found
