"""Learning to tell covered mouths: real faces, with and without something drawn over the mouth."""

from __future__ import annotations

import numpy as np

from expression_ros.recognition.mouth_cover import MouthCover

COVERS = ("even", "cloth", "hand", "fingers")
THRESHOLD = 0.8  # of a hundred open mouths one or two are then taken for covered
_HIGHEST, _LOWEST = 0.56, 0.68  # where a cover begins, as a share of the face's height
_PENALTY = 0.05  # scikit-learn's C: the embedding has 256 numbers that go together


def covered(
    face: np.ndarray, kind: str, others: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return a copy of a face with something over mouth and chin.

    Args:
        face: (S, S) uint8.
        kind: one of COVERS.
        others: (N, S, S) uint8, faces whose skin makes a hand.
        rng: source of chance.
    """
    face = face.copy()
    size = len(face)
    row = round(rng.uniform(_HIGHEST, _LOWEST) * size)
    shape = (size - row, size)
    if kind == "even":
        face[row:] = rng.integers(0, 256)
    elif kind == "cloth":  # shaded from side to side and from top to bottom, a little rough
        across = np.linspace(-1, 1, size)[None] * rng.uniform(-40, 40)
        down = np.linspace(-1, 1, shape[0])[:, None] * rng.uniform(-40, 40)
        rough = rng.normal(0, rng.uniform(0, 8), shape)
        face[row:] = np.clip(rng.integers(30, 225) + across + down + rough, 0, 255)
    elif kind == "hand":  # forehead and eyes of somebody else, too large to be a face
        other = others[rng.integers(len(others))]
        patch = other[size // 8 : size // 2, size // 6 : -size // 6]
        rows = np.arange(shape[0]) * len(patch) // shape[0]
        columns = np.arange(size) * patch.shape[1] // size
        face[row:] = patch[rows][:, columns]
    elif kind == "fingers":
        width, slant = rng.uniform(3, 8) * size / 48, rng.uniform(-0.6, 0.6)
        y, x = np.mgrid[row:size, 0:size]
        stripes = np.sin((x + slant * y) * np.pi / width + rng.uniform(0, 6))
        light = np.median(face[:row]) + stripes * rng.uniform(10, 35) + rng.normal(0, 4, shape)
        face[row:] = np.clip(light, 0, 255)
    else:
        raise ValueError(f"there is no cover {kind!r}; there are: {', '.join(COVERS)}")
    return face


def cover_by_turns(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (N, S, S) uint8 faces, each covered by the next kind of cover."""
    return np.stack(
        [covered(face, COVERS[k % len(COVERS)], faces, rng) for k, face in enumerate(faces)]
    )


def fit_mouth_cover(open_vectors: np.ndarray, covered_vectors: np.ndarray) -> MouthCover:
    """Return the rule that tells (N, D) descriptors of covered faces from those of open ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    vectors = np.concatenate([open_vectors, covered_vectors]).astype(np.float64)
    is_covered = np.repeat([0, 1], [len(open_vectors), len(covered_vectors)])
    scaler = StandardScaler().fit(vectors)
    rule = LogisticRegression(C=_PENALTY, max_iter=500).fit(scaler.transform(vectors), is_covered)
    weights = rule.coef_[0] / scaler.scale_
    return MouthCover(weights, float(rule.intercept_[0] - weights @ scaler.mean_), THRESHOLD)
