"""Boosted Fisherfaces: each member looks harder at the faces that the ones before it got wrong.

SAMME (Zhu, Zou, Rosset and Hastie, "Multi-class AdaBoost", 2009) by resampling: a member is trained
on faces drawn with probabilities that grow with every mistake, and its vote weighs the more the
fewer it makes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from expression_ros.training.fisherfaces.ensemble import (
    class_moments,
    component_space,
    discriminant_member,
    random_features,
    refuse_too_few,
)
from expression_ros.training.fisherfaces.opencv_model_file import FisherfaceModel
from expression_ros.training.fisherfaces.settings import FisherfaceSettings

_LEAST_ERROR = 1e-6  # a member without a mistake would outweigh all others


def train_boosted_fisherfaces(
    vectors: np.ndarray,
    numbers: np.ndarray,
    settings: FisherfaceSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[list[FisherfaceModel], list[float]]:
    """Train an ensemble by SAMME.

    Args:
        vectors: (N, D) float32 descriptors.
        numbers: (N,) int class numbers 0..C-1, each of them present.
        settings: see FisherfaceSettings; folds are not used.
        progress: is told what is being done.

    Returns:
        The models, and the weights of their votes, which add to 1.

    Raises:
        ValueError: there are fewer than two classes, or too few faces of one.
    """
    refuse_too_few(numbers, settings)
    rng = np.random.default_rng(settings.seed)
    space = component_space(vectors, settings.components, progress)
    coordinates = space.project(vectors)
    classes = int(numbers.max()) + 1
    share = np.full(len(numbers), 1 / len(numbers))
    models, weights = [], []
    for member in range(settings.members):
        progress(f"boosted model {member + 1} of {settings.members}")
        drawn = _drawn(share, numbers, rng)
        features = random_features(space.size, settings.feature_share, classes, rng)
        model = discriminant_member(
            [class_moments(coordinates[drawn], numbers[drawn], classes)],
            features,
            settings,
        )
        wrong = model.predict(coordinates)[0] != numbers
        error = float(np.clip(share[wrong].sum(), _LEAST_ERROR, 1.0))
        weight = math.log((1 - error) / error) + math.log(classes - 1) if error < 1 else 0.0
        models.append(space.in_descriptor_space(model))
        if weight <= 0:  # no better than guessing: begin again with equal shares, as SAMME must
            weights.append(_LEAST_ERROR)
            share = np.full(len(numbers), 1 / len(numbers))
            continue
        weights.append(weight)
        share = np.where(wrong, share * math.exp(weight), share)
        share /= share.sum()
    total = sum(weights)
    return models, [weight / total for weight in weights]


def _drawn(share: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return indices drawn with these probabilities, at least two of every class among them."""
    drawn = rng.choice(len(numbers), len(numbers), p=share)
    for number in range(int(numbers.max()) + 1):
        if np.count_nonzero(numbers[drawn] == number) < 2:
            drawn[rng.choice(len(drawn), 2, replace=False)] = rng.choice(
                np.flatnonzero(numbers == number), 2
            )
    return drawn
