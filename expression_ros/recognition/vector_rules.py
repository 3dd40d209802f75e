"""Rules that turn descriptors into probabilities: linear and RBF SVM, nearest neighbours, MLP.

Each is a handful of arrays and a few lines of numpy; scikit-learn trains them
(``expression_ros.training.vectors.fitting``) and is not needed here. A rule travels as npz arrays,
without pickles: ``arrays()`` and ``rule_from_arrays`` are each other's inverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Protocol

import numpy as np

from expression_ros.recognition.classifier import softmax


class RuleError(ValueError):
    """The arrays make no rule; the message says what does not fit."""


class Rule(Protocol):
    """What every rule can do.

    Attributes:
        name: the name under which its arrays are stored.
        size: length D of the vectors.
        classes: number C of classes.
    """

    name: ClassVar[str]

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        ...

    @property
    def classes(self) -> int:
        """Number C of classes."""
        ...

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Return (N, C) float64, rows adding to 1, of (N, D) float vectors."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays to store, by name."""
        ...


@dataclass(frozen=True)
class Standardization:
    """Every number of a vector to mean 0 and spread 1, then, if wanted, principal components.

    Attributes:
        centre: (D,) float32.
        scale: (D,) float32, standard deviations, above 0.
        basis: (D, K) float32, or None to keep the D numbers.
    """

    centre: np.ndarray
    scale: np.ndarray
    basis: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check("centre", self.centre, 1)
        _check("scale", self.scale, 1, self.centre.shape)
        if (self.scale <= 0).any():
            raise RuleError("scale holds numbers that are not above 0")
        if self.basis is not None:
            _check("basis", self.basis, 2)
            if len(self.basis) != len(self.centre):
                raise RuleError(f"basis is for {len(self.basis)} numbers, not {len(self.centre)}")

    @property
    def size(self) -> int:
        """Length D of the vectors that go in."""
        return len(self.centre)

    @property
    def size_out(self) -> int:
        """Length of the vectors that come out: K, or D without a basis."""
        return self.size if self.basis is None else int(self.basis.shape[1])

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Return (N, K) float32 of (N, D) float vectors."""
        standard: np.ndarray = (np.asarray(vectors, np.float32) - self.centre) / self.scale
        return standard if self.basis is None else np.asarray(standard @ self.basis)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays to store, by name."""
        found = {"centre": self.centre, "scale": self.scale}
        return found if self.basis is None else {**found, "basis": self.basis}


@dataclass(frozen=True)
class LinearRule:
    """A weighted sum per class, one against the rest: a linear SVM (Cortes and Vapnik, 1995).

    An SVM gives distances, not probabilities: these are a softmax of the distances whose
    temperature is fitted on faces that were not trained on.

    Attributes:
        weights: (C, D) float32.
        bias: (C,) float32.
        temperature: of the softmax.
    """

    weights: np.ndarray
    bias: np.ndarray
    temperature: float = 1.0

    name: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        _check("weights", self.weights, 2)
        _check("bias", self.bias, 1, (self.classes,))
        _check_temperature(self.temperature)

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        return int(self.weights.shape[1])

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return len(self.weights)

    def decisions(self, vectors: np.ndarray) -> np.ndarray:
        """Return the (N, C) distances from the planes."""
        return np.asarray(vectors @ self.weights.T + self.bias)

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """See Rule.probabilities."""
        return softmax(self.decisions(vectors), self.temperature)

    def arrays(self) -> dict[str, np.ndarray]:
        """See Rule.arrays."""
        temperature = np.array(self.temperature)
        return {"weights": self.weights, "bias": self.bias, "temperature": temperature}


@dataclass(frozen=True)
class RbfRule:
    """An SVM with a Gaussian kernel: each pair of classes is decided, then the votes are counted.

    As in scikit-learn's ``SVC(break_ties=True)``: the votes of a class, and with less weight than
    one vote the sum of its distances. The probabilities are a softmax of these, temperature as in
    LinearRule.

    Attributes:
        support: (S, D) float32, the support vectors.
        weights: (P, S) float32, one row per pair of classes (0, 1), (0, 2), ... (1, 2), ...
        bias: (P,) float32.
        gamma: of the kernel exp(-gamma |x - y|^2).
        class_count: C; P is C (C - 1) / 2.
        temperature: of the softmax.
    """

    support: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    gamma: float
    class_count: int
    temperature: float = 1.0

    name: ClassVar[str] = "rbf"

    def __post_init__(self) -> None:
        pairs = self.class_count * (self.class_count - 1) // 2
        _check("support", self.support, 2)
        _check("weights", self.weights, 2, (pairs, len(self.support)))
        _check("bias", self.bias, 1, (pairs,))
        _check_temperature(self.temperature)
        if not self.gamma > 0:
            raise RuleError(f"gamma must be above 0, not {self.gamma}")

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        return int(self.support.shape[1])

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return self.class_count

    def decisions(self, vectors: np.ndarray) -> np.ndarray:
        """Return (N, C): the votes of each class plus its distances, squeezed into one third."""
        kernel = np.exp(-self.gamma * squared_distances(vectors, self.support))
        pairwise = kernel @ self.weights.T + self.bias
        votes = np.zeros((len(vectors), self.classes))
        sums = np.zeros_like(votes)
        for column, (first, second) in enumerate(combinations(range(self.classes), 2)):
            value = pairwise[:, column]
            votes[:, first] += value >= 0
            votes[:, second] += value < 0
            sums[:, first] += value
            sums[:, second] -= value
        return np.asarray(votes + sums / (3 * (np.abs(sums) + 1)))

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """See Rule.probabilities."""
        return softmax(self.decisions(vectors), self.temperature)

    def arrays(self) -> dict[str, np.ndarray]:
        """See Rule.arrays."""
        return {
            "support": self.support, "weights": self.weights, "bias": self.bias,
            "gamma": np.array(self.gamma), "class_count": np.array(self.class_count),
            "temperature": np.array(self.temperature),
        }  # fmt: skip


@dataclass(frozen=True)
class NeighbourRule:
    """The share of each class among the nearest known vectors (Cover and Hart, 1967).

    Attributes:
        examples: (N, D) float32, the known vectors.
        numbers: (N,) int, their classes 0..C-1.
        class_count: C.
        neighbours: how many of the nearest are asked.
    """

    examples: np.ndarray
    numbers: np.ndarray
    class_count: int
    neighbours: int

    name: ClassVar[str] = "neighbours"

    def __post_init__(self) -> None:
        _check("examples", self.examples, 2)
        _check("numbers", self.numbers, 1, (len(self.examples),))
        if not 1 <= self.neighbours <= len(self.examples):
            raise RuleError(f"{self.neighbours} neighbours of {len(self.examples)} examples")
        if self.numbers.min() < 0 or self.numbers.max() >= self.class_count:
            raise RuleError(f"numbers are outside of 0..{self.class_count - 1}")

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        return int(self.examples.shape[1])

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return self.class_count

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """See Rule.probabilities; a tie is a tie here and goes to the lower class number."""
        distances = squared_distances(vectors, self.examples)
        nearest = np.argpartition(distances, self.neighbours - 1, axis=1)[:, : self.neighbours]
        said = self.numbers[nearest]
        counts = [(said == number).sum(axis=1) for number in range(self.classes)]
        return np.stack(counts, axis=1) / self.neighbours

    def arrays(self) -> dict[str, np.ndarray]:
        """See Rule.arrays."""
        return {
            "examples": self.examples, "numbers": self.numbers,
            "class_count": np.array(self.class_count), "neighbours": np.array(self.neighbours),
        }  # fmt: skip


@dataclass(frozen=True)
class PerceptronRule:
    """A multi-layer perceptron: layers of weighted sums, negative ones cut to 0 in between.

    Attributes:
        weights: one (inputs, outputs) float32 per layer; the last one has C outputs.
        biases: one (outputs,) float32 per layer.
        temperature: of the softmax.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    temperature: float = 1.0

    name: ClassVar[str] = "perceptron"

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise RuleError(f"{len(self.weights)} layers of weights and {len(self.biases)} biases")
        inputs = None
        for k, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            _check(f"weights_{k}", weights, 2)
            _check(f"bias_{k}", bias, 1, (weights.shape[1],))
            if inputs is not None and len(weights) != inputs:
                raise RuleError(f"weights_{k} takes {len(weights)} numbers, it is given {inputs}")
            inputs = weights.shape[1]
        _check_temperature(self.temperature)

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        return len(self.weights[0])

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return int(self.weights[-1].shape[1])

    def decisions(self, vectors: np.ndarray) -> np.ndarray:
        """Return the (N, C) sums of the last layer."""
        for k, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            vectors = np.maximum(vectors, 0) @ weights + bias if k else vectors @ weights + bias
        return vectors

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """See Rule.probabilities."""
        return softmax(self.decisions(vectors), self.temperature)

    def arrays(self) -> dict[str, np.ndarray]:
        """See Rule.arrays."""
        layers = {f"weights_{k}": weights for k, weights in enumerate(self.weights)}
        layers |= {f"bias_{k}": bias for k, bias in enumerate(self.biases)}
        return {**layers, "temperature": np.array(self.temperature)}


def squared_distances(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the (N, M) squared distances of (N, D) from (M, D) vectors, never below 0."""
    squares = (vectors**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * (vectors @ others.T), 0))


def rule_from_arrays(name: str, arrays: Mapping[str, np.ndarray]) -> Rule:
    """Return the rule that was stored under a name.

    Raises:
        RuleError: there is no such rule, or the arrays are missing or do not fit together.
    """
    try:
        if name == LinearRule.name:
            temperature = float(arrays["temperature"])
            return LinearRule(arrays["weights"], arrays["bias"], temperature)
        if name == RbfRule.name:
            return RbfRule(
                arrays["support"], arrays["weights"], arrays["bias"], float(arrays["gamma"]),
                int(arrays["class_count"]), float(arrays["temperature"]),
            )  # fmt: skip
        if name == NeighbourRule.name:
            return NeighbourRule(
                arrays["examples"], arrays["numbers"], int(arrays["class_count"]),
                int(arrays["neighbours"]),
            )  # fmt: skip
        if name == PerceptronRule.name:
            layers = range(sum(key.startswith("weights_") for key in arrays))
            return PerceptronRule(
                tuple(arrays[f"weights_{k}"] for k in layers),
                tuple(arrays[f"bias_{k}"] for k in layers),
                float(arrays["temperature"]),
            )
    except KeyError as error:
        raise RuleError(f"it has no array {error.args[0]!r}") from error
    except TypeError as error:
        raise RuleError(f"an array that should hold one number does not ({error})") from error
    raise RuleError(f"it holds a rule {name!r} that is not known")


def _check(name: str, array: np.ndarray, ndim: int, shape: tuple[int, ...] | None = None) -> None:
    if array.ndim != ndim or not array.size or array.dtype.kind not in "fiu":
        raise RuleError(f"{name} is {array.dtype} of {array.shape}")
    if shape is not None and array.shape != shape:
        raise RuleError(f"{name} has the shape {array.shape}, not {shape}")
    if not np.isfinite(array).all():
        raise RuleError(f"{name} holds numbers that are not finite")


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < np.inf:
        raise RuleError(f"temperature must be above 0, not {temperature}")
