"""Trains the rules of recognition.vector_rules with scikit-learn and takes over their numbers.

scikit-learn is needed here only: what is stored are arrays, what predicts is numpy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from expression_ros.recognition.classifier import softmax
from expression_ros.recognition.vector_classifier import VectorModel
from expression_ros.recognition.vector_rules import (
    LinearRule,
    NeighbourRule,
    PerceptronRule,
    RbfRule,
    Rule,
    Standardization,
)
from expression_ros.training.evaluation.metrics import log_loss

Progress = Callable[[str], None]

HELD_OUT = 0.1  # share of the faces that are not trained on; the temperature is fitted on them
_PCA_SAMPLE = 8000  # vectors from which principal components are estimated; more change little
_PROBE = 1500  # faces trained on first, to say how long all of them take
_LONG = 2.0  # seconds: what takes longer is announced
_TEMPERATURES = np.geomspace(0.02, 50, 200)


@dataclass(frozen=True)
class VectorRuleSettings:
    """How a rule is trained.

    Attributes:
        rule: "linear" or "rbf" (SVM), "neighbours" or "perceptron".
        components: principal components kept after standardisation; 0 keeps the descriptor.
        cost: C of an SVM: how much a face on the wrong side counts.
        gamma: of the RBF kernel; 0 for one over the number of components times their variance.
        neighbours: how many are asked.
        hidden: sizes of the perceptron's hidden layers.
        epochs: of the perceptron, at most; it stops earlier when it no longer gets better.
        weight_decay: of the perceptron: how much large weights cost.
        seed: of everything random.
    """

    rule: str
    components: int = 0
    cost: float = 1.0
    gamma: float = 0.0
    neighbours: int = 15
    hidden: tuple[int, ...] = (256,)
    epochs: int = 40
    weight_decay: float = 0.04
    seed: int = 1

    def used(self) -> dict[str, Any]:
        """Return the settings that this rule depends on, as plain values."""
        names = {
            LinearRule.name: ("cost",),
            RbfRule.name: ("cost", "gamma"),
            NeighbourRule.name: ("neighbours",),
            PerceptronRule.name: ("hidden", "epochs", "weight_decay"),
        }[self.rule]
        record = {name: getattr(self, name) for name in ("rule", *names, "components", "seed")}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in record.items()}


@dataclass(frozen=True)
class TrainedRule:
    """A model and how it did on the faces that were held out.

    Attributes:
        model: the numbers.
        held_out: how many faces those are.
        accuracy: of the model on them, 0..1.
    """

    model: VectorModel
    held_out: int
    accuracy: float


def train_vector_rule(
    vectors: np.ndarray,
    numbers: np.ndarray,
    settings: VectorRuleSettings,
    pairs: np.ndarray | None = None,
    progress: Progress = lambda _: None,
) -> TrainedRule:
    """Train a rule.

    Args:
        vectors: (N, D) float32 descriptors.
        numbers: (N,) int class numbers 0..C-1, each of them present.
        settings: see VectorRuleSettings.
        pairs: (N,) int; vectors with the same number, such as a face and its mirror image, are
            held out together. Every vector by itself when left out.
        progress: is told what is being done.

    Raises:
        ValueError: there are fewer than two classes or too few faces of one.
    """
    counts = np.bincount(numbers)
    if len(counts) < 2 or counts.min() < 3:
        raise ValueError(
            f"training needs two classes or more with 3 faces or more each, not {counts.tolist()}"
        )
    held_out = _held_out(numbers, pairs, settings.seed)
    standardization = fit_standardization(vectors[~held_out], settings, progress)
    inputs = standardization.apply(vectors)
    known, known_numbers = inputs[~held_out], numbers[~held_out]
    others, other_numbers = inputs[held_out], numbers[held_out]
    rule: Rule
    if settings.rule == LinearRule.name:
        rule = linear_rule(fit_linear_svm(known, known_numbers, settings, progress))
    elif settings.rule == RbfRule.name:
        rule = rbf_rule(fit_rbf_svm(known, known_numbers, settings, progress))
    elif settings.rule == NeighbourRule.name:
        neighbours = min(settings.neighbours, len(known))
        rule = NeighbourRule(known, known_numbers.astype(np.int32), len(counts), neighbours)
    elif settings.rule == PerceptronRule.name:
        trained = fit_perceptron(known, known_numbers, (others, other_numbers), settings, progress)
        rule = perceptron_rule(trained)
    else:
        raise ValueError(f"there is no rule {settings.rule!r}")
    if not isinstance(rule, NeighbourRule):
        decisions = rule.decisions(others)
        rule = replace(rule, temperature=best_temperature(decisions, other_numbers))
    right = rule.probabilities(others).argmax(axis=1) == other_numbers
    model = VectorModel(standardization, rule)
    if isinstance(rule, LinearRule):
        model = without_basis(model)
    return TrainedRule(model, len(others), float(right.mean()))


def fit_standardization(
    vectors: np.ndarray, settings: VectorRuleSettings, progress: Progress = lambda _: None
) -> Standardization:
    """Measure mean and deviation of (N, D) float32 vectors and, if wanted, find components."""
    centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = vectors.std(axis=0, dtype=np.float64).astype(np.float32)
    scale[scale < 1e-6] = 1.0  # a number that never changes says nothing, and stays 0
    standardization = Standardization(centre, scale)
    count = settings.components
    if not 0 < count < min(vectors.shape):
        return standardization
    from sklearn.decomposition import PCA

    progress(f"{count} principal components of {vectors.shape[1]} numbers")
    sample = np.random.default_rng(settings.seed).permutation(len(vectors))
    sample = sample[: max(_PCA_SAMPLE, count)]
    pca = PCA(count, svd_solver="randomized", random_state=settings.seed)
    pca.fit(standardization.apply(vectors[sample]))
    return Standardization(centre, scale, np.ascontiguousarray(pca.components_.T, np.float32))


def fit_linear_svm(
    vectors: np.ndarray, numbers: np.ndarray, settings: VectorRuleSettings, progress: Progress
) -> Any:
    """Return a fitted sklearn.svm.LinearSVC (liblinear; Fan et al., 2008)."""
    from sklearn.svm import LinearSVC

    # Fewer faces than numbers, or the other way round: liblinear has one algorithm for each.
    svm = LinearSVC(C=settings.cost, dual="auto", max_iter=3000, random_state=settings.seed)
    return _fitted(svm, vectors, numbers, 1.0, settings.seed, progress)


def fit_rbf_svm(
    vectors: np.ndarray, numbers: np.ndarray, settings: VectorRuleSettings, progress: Progress
) -> Any:
    """Return a fitted sklearn.svm.SVC with Gaussian kernel (libsvm; Chang and Lin, 2011)."""
    from sklearn.svm import SVC

    gamma = settings.gamma or 1.0 / max(vectors.shape[1] * float(vectors.var()), 1e-12)
    svm = SVC(C=settings.cost, gamma=gamma, break_ties=True, cache_size=1000)
    return _fitted(svm, vectors, numbers, 2.0, settings.seed, progress)


def fit_perceptron(
    vectors: np.ndarray,
    numbers: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray],
    settings: VectorRuleSettings,
    progress: Progress,
) -> Any:
    """Return a fitted sklearn.neural_network.MLPClassifier, as it was after its best epoch.

    Args:
        vectors, numbers: to train on.
        held_out: vectors and numbers on which the epochs are compared, by their log loss
            (accuracy stands still on few faces); it stops when eight in a row were no
            better.
        settings: see VectorRuleSettings.
        progress: is told the accuracy after every epoch and how long it may still take.
    """
    from sklearn.neural_network import MLPClassifier

    # Few faces make small batches, but twenty of them; scikit-learn divides alpha by the batch.
    batch = int(np.clip(len(vectors) // 20, 8, 256))
    network = MLPClassifier(
        settings.hidden, alpha=settings.weight_decay * batch, batch_size=min(batch, len(vectors)),
        learning_rate_init=5e-4, random_state=settings.seed,
    )  # fmt: skip
    best, kept, since = np.inf, None, 0
    begin = time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        network.partial_fit(vectors, numbers, classes=np.unique(numbers))
        probabilities = network.predict_proba(held_out[0])
        accuracy = float((probabilities.argmax(axis=1) == held_out[1]).mean())
        loss = log_loss(probabilities, held_out[1])
        if loss < best:
            best, since = loss, 0
            kept = [array.copy() for array in (*network.coefs_, *network.intercepts_)]
        else:
            since += 1
        left = (time.monotonic() - begin) / epoch * (settings.epochs - epoch)
        progress(f"epoch {epoch} of {settings.epochs}: {accuracy:.3f} of the faces held out, "
                 f"at most {_duration(left)} left")  # fmt: skip
        if since == 8:
            break
    assert kept is not None  # there is at least one epoch
    layers = len(network.coefs_)
    network.coefs_, network.intercepts_ = kept[:layers], kept[layers:]
    return network


def linear_rule(svm: Any) -> LinearRule:
    """Take over a fitted LinearSVC; of two classes it knows one plane, which is used both ways."""
    weights, bias = svm.coef_, np.atleast_1d(svm.intercept_)
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
    return LinearRule(weights.astype(np.float32), bias.astype(np.float32))


def rbf_rule(svm: Any) -> RbfRule:
    """Take over a fitted SVC with Gaussian kernel whose gamma was given as a number.

    libsvm stores for each support vector one weight per other class; they are spread out to one row
    per pair of classes.
    """
    classes, counts = len(svm.classes_), svm.n_support_
    # Of two classes scikit-learn turns the sign round, so that positive means the second.
    sign = -1.0 if classes == 2 else 1.0
    dual, bias = sign * np.asarray(svm.dual_coef_), sign * np.asarray(svm.intercept_)
    ends = np.cumsum(counts)
    of_class = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    weights = np.zeros((len(bias), dual.shape[1]), np.float32)
    for row, (first, second) in enumerate(combinations(range(classes), 2)):
        weights[row, of_class[first]] = dual[second - 1, of_class[first]]
        weights[row, of_class[second]] = dual[first, of_class[second]]
    support = np.asarray(svm.support_vectors_, np.float32)
    return RbfRule(support, weights, bias.astype(np.float32), float(svm.gamma), classes)


def perceptron_rule(network: Any) -> PerceptronRule:
    """Take over a fitted MLPClassifier with ReLU.

    Of two classes it has one output, the logit of the second: the first one's logit is then 0.
    """
    weights = [np.asarray(w, np.float32) for w in network.coefs_]
    biases = [np.asarray(b, np.float32) for b in network.intercepts_]
    if weights[-1].shape[1] == 1:
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.concatenate([np.zeros_like(biases[-1]), biases[-1]])
    return PerceptronRule(tuple(weights), tuple(biases))


def without_basis(model: VectorModel) -> VectorModel:
    """Return a linear model that says the same with weights per number of the descriptor.

    A weighted sum of components is a weighted sum of what they are made of: the file shrinks from
    D times K numbers to D times C.
    """
    standardization, rule = model.standardization, model.rule
    assert isinstance(rule, LinearRule)
    if standardization.basis is None:
        return model
    weights = np.ascontiguousarray(rule.weights @ standardization.basis.T)
    plain = Standardization(standardization.centre, standardization.scale)
    return VectorModel(plain, replace(rule, weights=weights))


def best_temperature(decisions: np.ndarray, numbers: np.ndarray) -> float:
    """Return the temperature whose softmax has the least log loss.

    Args:
        decisions: (N, C) float.
        numbers: (N,) int, the true classes.
    """
    losses = [log_loss(softmax(decisions, t), numbers) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def _held_out(numbers: np.ndarray, pairs: np.ndarray | None, seed: int) -> np.ndarray:
    """Return (N,) bool: about HELD_OUT of each class, and at least one face of it.

    scikit-learn's splitters would hold out other faces, and the models would come out otherwise.
    """
    pairs = np.arange(len(numbers)) if pairs is None else pairs
    rng = np.random.default_rng(seed)
    chosen = []
    for number in np.unique(numbers):
        members = np.unique(pairs[numbers == number])
        chosen.append(rng.permutation(members)[: max(1, round(HELD_OUT * len(members)))])
    return np.isin(pairs, np.concatenate(chosen))


def _fitted(
    model: Any, vectors: np.ndarray, numbers: np.ndarray, power: float, seed: int,
    progress: Progress,
) -> Any:  # fmt: skip
    """Fit on few faces first and say how long all of them take, then fit on all.

    The time grows with the number of faces to the given power.
    """
    if len(vectors) > 3 * _PROBE:
        probe = np.random.default_rng(seed).permutation(len(vectors))[:_PROBE]
        begin = time.monotonic()
        model.fit(vectors[probe], numbers[probe])
        expected = (time.monotonic() - begin) * (len(vectors) / _PROBE) ** power
        if expected > _LONG:
            progress(f"training on {len(vectors):,} faces takes about {_duration(expected)}")
    return model.fit(vectors, numbers)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
