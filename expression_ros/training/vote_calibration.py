"""Fits the two weights that turn an ensemble's votes into probabilities, and what to believe."""

from __future__ import annotations

import math

import numpy as np

from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.scores import softmax
from expression_ros.recognition.vote import VoteCalibration, evidence_of
from expression_ros.training.reliability import THRESHOLDS

_PULL = 0.5  # of priors towards 0
_MOST_PRIOR = 6.0  # that is added to a logarithm
_SURE = 1.96  # standard normal deviation of a one-sided 97.5 % bound


def fit_vote_calibration(
    ensemble: FisherfaceEnsemble, vectors: np.ndarray, labels: np.ndarray
) -> VoteCalibration:
    """Return the weights under which the true labels are least surprising.

    Args:
        ensemble: whose votes are calibrated.
        vectors: (N, D) float32 descriptors of faces that nothing was trained on.
        labels: (N,) str, true labels, all of the ensemble's.
    """
    from scipy.optimize import minimize

    ballots = [ensemble.ballot(vector[None]) for vector in vectors]
    evidence = np.stack([evidence_of(ballot, ensemble.weights) for ballot in ballots])
    shares = np.stack([ballot.shares(ensemble.weights) for ballot in ballots])
    columns = np.array([ensemble.labels.index(label) for label in labels])
    # Distances have any scale: of thousands where nothing was whitened. Fit in units of their own.
    scale = float(np.mean(evidence.max(axis=1) - np.median(evidence, axis=1))) or 1.0

    def surprise(weights: np.ndarray) -> float:
        trial = VoteCalibration(weights[0] / scale, weights[1])
        chances = trial.probabilities(evidence, shares)[np.arange(len(columns)), columns]
        return float(-np.mean(np.log(np.maximum(chances, 1e-12))))

    found = minimize(surprise, [1.0, 1.0], method="L-BFGS-B", bounds=[(0, 1e3), (0, 1e3)])
    return VoteCalibration(float(f"{found.x[0] / scale:.4g}"), float(f"{found.x[1]:.4g}"))


def fit_priors(
    ensemble: FisherfaceEnsemble, vectors: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Return what to add to the log priors so that the true labels are least surprising.

    Args:
        ensemble: whose priors they are; as it is everyday.
        vectors: (N, D) float32 descriptors of faces that nothing was trained on.
        labels: (N,) str, true labels, all of the ensemble's.
    """
    from scipy.optimize import minimize

    evidence = np.stack(
        [evidence_of(ensemble.ballot(vector[None]), ensemble.weights) for vector in vectors]
    )
    columns = np.array([ensemble.labels.index(label) for label in labels])
    count = len(ensemble.labels)

    def surprise(values: np.ndarray) -> float:
        chances = softmax(values[-1] * (evidence + values[:-1]))[np.arange(len(columns)), columns]
        # A little pull to 0, for labels of which there are a few faces only.
        return float(-np.mean(np.log(np.maximum(chances, 1e-12)))
                     + _PULL * np.square(values[:-1]).sum() / len(columns))  # fmt: skip

    bounds = [(-_MOST_PRIOR, _MOST_PRIOR)] * count + [(1e-3, 10.0)]
    found = minimize(surprise, np.append(np.zeros(count), 0.5), method="L-BFGS-B", bounds=bounds)
    middle = found.x[:-1].mean()
    return {
        label: round(float(value - middle), 2)
        for label, value in zip(ensemble.labels, found.x, strict=False)
    }


def trustworthy_score(scores: np.ndarray, right: np.ndarray, wanted: float) -> float | None:
    """Return the least threshold from which on answers are right often enough, or None.

    Args:
        scores: (N,) float, 0..1.
        right: (N,) bool.
        wanted: share of right answers that must be reached with 97.5 % certainty (lower bound of
            Wilson, 1927), among the answers whose score is at the threshold or above.
    """
    for threshold in THRESHOLDS:
        said = right[scores >= threshold]
        if len(said) and _lower_bound(float(said.mean()), len(said)) >= wanted:
            return threshold
    return None


def _lower_bound(share: float, count: int) -> float:
    spread = _SURE**2 / count
    middle = share + spread / 2
    return (middle - math.sqrt(spread * (share * (1 - share) + spread / 4))) / (1 + spread)
