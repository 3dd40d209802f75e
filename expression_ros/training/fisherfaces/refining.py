"""Fisherfaces refined so that the right class mean is nearest for as many faces as may be.

Discriminant analysis takes every class for a normal cloud of one common shape. A network's numbers
are not like that, least of all on the faces it was trained on, and what lies far from any border
counts as much as what lies on it. So the directions it finds are a start: from there they are
moved until the log loss of the labels is least, each face taken as drawn from normal clouds about
the class means (nearest class mean metric learning; Mensink et al., "Distance-based image
classification: generalizing to new classes at near-zero cost", PAMI 2013). The class means stay
the means of their faces, so that the file, the nearest neighbour and the adaptation to a person
remain what they are.
"""

from __future__ import annotations

import numpy as np

from expression_ros.training.fisherfaces.opencv_model_file import FisherfaceModel
from expression_ros.training.fisherfaces.settings import FisherfaceSettings


def refined(
    model: FisherfaceModel, vectors: np.ndarray, numbers: np.ndarray, settings: FisherfaceSettings
) -> FisherfaceModel:
    """Return a model with its directions and priors moved towards a smaller log loss.

    Args:
        model: with one projection for each class, the last coordinate its prior.
        vectors: (N, D) float, the faces it was trained on, in the space of the model.
        numbers: (N,) int, their class numbers, all of the model's.
        settings: ``refine`` is the number of steps, ``pull`` what holds the directions where they
            were; ``prior_offsets`` are added to the priors at the end.
    """
    from scipy.optimize import minimize

    used = np.flatnonzero(model.eigenvectors.any(axis=1))  # the features this member looks at
    columns = np.searchsorted(model.numbers, numbers)
    counts = np.bincount(columns, minlength=len(model.numbers))
    onehot = np.eye(len(counts), dtype=np.float32)[columns]
    faces = np.asarray(vectors[:, used], np.float32)
    means = (onehot.T @ faces).astype(np.float64) / counts[:, None]
    middle = means.mean(axis=0)
    start = model.eigenvectors[used, :-1]
    objective = _LogLoss(
        (faces - middle).astype(np.float32), means - middle, onehot, start, settings.pull
    )
    first = np.append(start.ravel(), np.log(counts / counts.sum()))
    found = minimize(
        objective, first, jac=True, method="L-BFGS-B", options={"maxiter": settings.refine}
    ).x
    directions = found[: start.size].reshape(start.shape)
    log_prior = found[start.size :] + [
        settings.prior_offsets.get(int(n), 0.0) for n in model.numbers
    ]
    penalty = -2 * (log_prior - log_prior.max())

    eigenvectors = np.zeros_like(model.eigenvectors)
    eigenvectors[used, :-1] = directions
    mean = np.zeros_like(model.mean)
    mean[used] = middle
    projections = np.column_stack([(means - middle) @ directions, np.sqrt(penalty)])
    return FisherfaceModel(mean, eigenvectors, model.eigenvalues, projections, model.numbers)


class _LogLoss:
    """The log loss of the labels, and its gradient, of directions (D, K) and C priors.

    Args:
        faces: (N, D) float32, about the middle of the class means.
        means: (C, D) float64, the class means about their middle.
        onehot: (N, C) float32, 1 in the column of each face's class.
        start: (D, K), the directions to stay near.
        pull: how much staying near them counts.
    """

    def __init__(
        self,
        faces: np.ndarray,
        means: np.ndarray,
        onehot: np.ndarray,
        start: np.ndarray,
        pull: float,
    ) -> None:
        self._faces, self._means, self._onehot, self._start = faces, means, onehot, start
        scale = float(np.mean(np.abs(start))) ** 2 * start.size
        self._pull = pull / scale if scale else 0.0

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        size, count = self._start.size, len(self._faces)
        directions = values[:size].reshape(self._start.shape)
        centres = self._means @ directions
        projected = self._faces @ directions.astype(np.float32)
        logits = projected @ centres.T.astype(np.float32)
        logits += (values[size:] - 0.5 * np.square(centres).sum(axis=1)).astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        chances = np.exp(logits)
        chances /= chances.sum(axis=1, keepdims=True)
        of_label = np.maximum((chances * self._onehot).sum(axis=1), 1e-30)
        moved = directions - self._start
        loss = -float(np.log(of_label, dtype=np.float64).mean())
        loss += 0.5 * self._pull * float(np.square(moved).sum())

        slope = (chances - self._onehot) / count  # of the logits
        of_centres = (slope.T @ projected).astype(np.float64)
        totals = slope.sum(axis=0, dtype=np.float64)
        of_centres -= totals[:, None] * centres
        gradient = (self._faces.T @ (slope @ centres.astype(np.float32))).astype(np.float64)
        gradient += self._means.T @ of_centres + self._pull * moved
        return loss, np.append(gradient.ravel(), totals)
