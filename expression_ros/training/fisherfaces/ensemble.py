"""Training of Fisherfaces: ten discriminant analyses, each of its own random four fifths.

Principal components, then linear discriminant analysis in them, after Belhumeur et al., 1997, with
these changes:

* The principal components are cut short: keeping as many as there are images less classes, as
  OpenCV's own trainer does, learns the training images by heart.
* The within-class scatter is shrunk towards a multiple of the identity (Friedman, 1989).
* The directions may be refined, see refining.
* The projections to compare with are the means, and carry the prior of their class: an extra
  component that is 0 for every face holds ``sqrt(-2 log prior)``, so that OpenCV's nearest
  neighbour becomes the rule of Bayes for normal classes of equal covariance.

Boosted, each member looks harder at the faces that the ones before it got wrong: SAMME (Zhu, Zou,
Rosset and Hastie, "Multi-class AdaBoost", 2009) by resampling. A member is trained on faces drawn
with probabilities that grow with every mistake, and its vote weighs the more the fewer it makes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import linalg

from expression_ros.training.fisherfaces.opencv_model_file import FisherfaceModel
from expression_ros.training.fisherfaces.refining import refined
from expression_ros.training.fisherfaces.settings import FisherfaceSettings

_LEAST_ERROR = 1e-6  # a member without a mistake would outweigh all others


@dataclass
class Moments:
    """Sums over a fold: how many of each class, their sum, and all products of two features."""

    counts: np.ndarray  # (C,)
    sums: np.ndarray  # (C, D)
    products: np.ndarray  # (D, D) float32, to keep ten of them in memory


def train_fisherfaces(
    vectors: np.ndarray,
    numbers: np.ndarray,
    settings: FisherfaceSettings | None = None,
    pairs: np.ndarray | None = None,
    progress: Callable[[str], None] = lambda _: None,
    votes: np.ndarray | None = None,
) -> list[FisherfaceModel]:
    """Train an ensemble.

    Args:
        vectors: (N, D) float32 descriptors.
        numbers: (N,) int class numbers 0..C-1, each of them present.
        settings: see FisherfaceSettings.
        pairs: (N,) int; vectors with the same number, such as a face and its mirror image, stay
            in one fold. Every vector by itself when left out.
        progress: is told what is being done.
        votes: (N, C) how many people see each class; then every member draws a label of its own
            for each pair of vectors from the people who were asked about it, so that members
            disagree where people do. Each row must have a vote. ``numbers`` is then not looked at.

    Returns:
        The models, rounded to the digits of their files.

    Raises:
        ValueError: there are fewer than two classes, or fewer faces of one than folds.
    """
    settings = settings or FisherfaceSettings()
    refuse_too_few(numbers if votes is None else _most_votes(votes), settings)
    rng = np.random.default_rng(settings.seed)
    pairs = np.arange(len(vectors)) if pairs is None else pairs
    folds = rng.integers(settings.folds, size=int(pairs.max()) + 1)[pairs]
    space = component_space(vectors, settings.components, progress)
    vectors = space.project(vectors)
    classes = int(numbers.max()) + 1 if votes is None else votes.shape[1]
    moments = []
    if votes is None:
        for fold in range(settings.folds):
            progress(f"sums of fold {fold + 1} of {settings.folds}")
            inside = folds == fold
            moments.append(class_moments(vectors[inside], numbers[inside], classes))
    # Every choice of left out folds is used once before one comes again: no two members alike.
    choices = list(combinations(range(settings.folds), settings.left_out))
    order = rng.permutation(len(choices))
    models = []
    for member in range(settings.members):
        progress(f"model {member + 1} of {settings.members}")
        left_out = choices[order[member % len(choices)]]
        kept = [fold for fold in range(settings.folds) if fold not in left_out]
        features = random_features(space.size, settings.feature_share, classes, rng)
        inside = np.isin(folds, kept)
        if votes is None:
            said = numbers[inside]
            sums = [moments[k] for k in kept]
        else:
            said = drawn_labels(votes, pairs, rng)[inside]
            sums = [class_moments(vectors[inside], said, classes)]
        model = discriminant_member(sums, features, settings)
        if settings.refine:
            model = refined(model, vectors[inside], said, settings)
        models.append(space.in_descriptor_space(model))
    return models


def drawn_labels(votes: np.ndarray, pairs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (N,) class numbers, each drawn from the people who were asked about the vector.

    Args:
        votes: (N, C) how many people see each class; each row must have a vote.
        pairs: (N,) int; vectors with the same number get the same label where they have the same
            votes.
        rng: source of chance.
    """
    places = rng.random(int(pairs.max()) + 1)[pairs]
    total = np.cumsum(votes, axis=1)
    return np.asarray((total <= places[:, None] * total[:, -1:]).sum(axis=1))


def _most_votes(votes: np.ndarray) -> np.ndarray:
    if not (votes.sum(axis=1) > 0).all():
        raise ValueError("there are faces without any vote")
    numbers: np.ndarray = votes.argmax(axis=1)
    missing = votes.shape[1] - 1 - int(numbers.max())  # bincount would not see the last classes
    if missing:
        raise ValueError("the last classes have a majority on no face")
    return numbers


def refuse_too_few(numbers: np.ndarray, settings: FisherfaceSettings) -> None:
    """Raise ValueError unless there are two classes, with as many faces each as there are folds."""
    counts = np.bincount(numbers)
    if len(counts) < 2 or counts.min() < settings.folds:
        raise ValueError(
            f"training needs two classes or more with {settings.folds} faces or more each, "
            f"not {counts.tolist()}"
        )


def random_features(count: int, share: float, least: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sorted indices of a random share of ``count`` features, ``least`` at least."""
    return np.sort(rng.permutation(count)[: max(least, round(share * count))])


_CHUNK = 4096  # vectors handled at once, so that no second copy of all of them is needed


@dataclass(frozen=True)
class ComponentSpace:
    """The first principal components of descriptors.

    Attributes:
        centre: (D,) float32, mean of the descriptors.
        basis: (D, K) float32, components as columns.
    """

    centre: np.ndarray
    basis: np.ndarray

    @property
    def size(self) -> int:
        """How many components there are, K."""
        return int(self.basis.shape[1])

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Return (N, D) descriptors in the components, (N, K) float32."""
        starts = range(0, len(vectors), _CHUNK)
        return np.concatenate([(vectors[k : k + _CHUNK] - self.centre) @ self.basis
                               for k in starts])  # fmt: skip

    def in_descriptor_space(self, model: FisherfaceModel) -> FisherfaceModel:
        """Return a model of the components as one of whole descriptors, rounded."""
        return FisherfaceModel(
            self.centre + self.basis @ model.mean,
            self.basis @ model.eigenvectors,
            model.eigenvalues,
            model.projections,
            model.numbers,
        ).rounded()


def component_space(
    vectors: np.ndarray, count: int, progress: Callable[[str], None]
) -> ComponentSpace:
    """Return the first ``count`` principal components of (N, D) float32 descriptors."""
    centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    size = vectors.shape[1]
    if count >= size:
        return ComponentSpace(centre, np.eye(size, dtype=np.float32))
    progress(f"{count} principal components of {size} numbers")
    covariance = np.zeros((size, size))
    for k in range(0, len(vectors), _CHUNK):
        part = vectors[k : k + _CHUNK] - centre
        covariance += part.T @ part
    _, components = linalg.eigh(covariance, subset_by_index=(size - count, size - 1))
    return ComponentSpace(centre, components[:, ::-1].astype(np.float32))


def class_moments(centred: np.ndarray, numbers: np.ndarray, classes: int) -> Moments:
    """Return the sums over (N, K) vectors of (N,) class numbers."""
    sums = np.zeros((classes, centred.shape[1]))
    for number in range(classes):
        sums[number] = centred[numbers == number].sum(axis=0, dtype=np.float64)
    return Moments(np.bincount(numbers, minlength=classes), sums, centred.T @ centred)


def discriminant_member(
    moments: list[Moments],
    features: np.ndarray,
    settings: FisherfaceSettings,
) -> FisherfaceModel:
    """Return the discriminant analysis of the given folds on the given principal components."""
    total = moments[0].sums.shape[1]
    counts = np.sum([m.counts for m in moments], axis=0)
    sums = np.sum([m.sums for m in moments], axis=0)[:, features]
    square = np.ix_(features, features)
    scatter = np.zeros((len(features), len(features)))
    for m in moments:
        scatter += m.products[square]
    classes = np.flatnonzero(counts)
    counts, sums = counts[classes], sums[classes]
    means = sums / counts[:, None]
    scatter -= (means * counts[:, None]).T @ means
    directions, strengths = _discriminants(scatter / counts.sum(), means, settings.shrinkage)
    middle = means.mean(axis=0)
    projections = (means - middle) @ directions

    basis = np.zeros((total, directions.shape[1] + 1))
    basis[features, :-1] = directions
    mean = np.zeros(total)
    mean[features] = middle
    log_prior = settings.prior_weight * np.log(counts / counts.sum())
    log_prior += [settings.prior_offsets.get(int(number), 0.0) for number in classes]
    penalty = -2 * log_prior
    prior = np.sqrt(penalty - penalty.min())
    return FisherfaceModel(
        mean, basis, np.append(strengths, 0.0), np.column_stack([projections, prior]), classes
    )


def _discriminants(
    within: np.ndarray, means: np.ndarray, shrinkage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return directions (D, K) in which the shrunk within-class scatter is the identity.

    K is at most one less than the number of means; they span all differences of means, so that
    distances in them are Mahalanobis distances. The second value is their between-class strength.
    """
    size = len(within)
    within = within + np.eye(size) * max(shrinkage * np.trace(within) / size, 1e-12)
    lower = linalg.cholesky(within, lower=True, overwrite_a=True, check_finite=False)
    whitened = linalg.solve_triangular(lower, (means - means.mean(axis=0)).T, lower=True)
    rotation, strengths, _ = np.linalg.svd(whitened, full_matrices=False)
    count = min(len(means) - 1, size)
    directions = linalg.solve_triangular(lower, rotation[:, :count], lower=True, trans="T")
    return directions, strengths[:count] ** 2


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
