"""Whether the mouth of a face is covered: by a mask, a hand, a cup.

A linear rule on the embedding of the whole face (logistic regression), trained on faces with and
without something drawn over mouth and chin (``expression-ros train mouth-cover``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from expression_ros.recognition.model_manifest import ModelError, sha256_of
from expression_ros.recognition.plain_arrays import read_plain_arrays

FILE_NAME = "mouth_cover.npz"
_MOST_BYTES = 1 << 24
_REMEDY = (
    "restore the shipped models/fisherfaces_upper (git checkout -- models/fisherfaces_upper) or "
    "train it anew: expression-ros train mouth-cover --data fer2013.npz"
)


@dataclass(frozen=True)
class MouthCover:
    """Tells covered mouths.

    Attributes:
        weights: (D,) float64, one per number of the embedding.
        bias: added to the weighted sum.
        threshold: probability, 0..1, from which on a mouth is taken as covered.
    """

    weights: np.ndarray
    bias: float
    threshold: float

    def probability(self, vector: np.ndarray) -> float:
        """Return the probability, 0..1, that the mouth is covered, of a (1, D) descriptor."""
        total = float(np.ravel(vector) @ self.weights + self.bias)
        return float(1.0 / (1.0 + np.exp(-np.clip(total, -50.0, 50.0))))

    def is_covered(self, vector: np.ndarray) -> bool:
        """Return whether the mouth is covered, of a (1, D) descriptor of the whole face."""
        return self.probability(vector) >= self.threshold


def write_mouth_cover(folder: Path, rule: MouthCover) -> str:
    """Write the rule into a model folder and return the file's SHA-256."""
    np.savez(
        folder / FILE_NAME,
        weights=rule.weights,
        bias=np.float64(rule.bias),
        threshold=np.float64(rule.threshold),
    )
    return sha256_of(folder / FILE_NAME)


def read_mouth_cover(folder: Path, sha256: str, size: int) -> MouthCover:
    """Read the rule of a model folder.

    Args:
        folder: the model folder.
        sha256: of the file, from the manifest.
        size: length D of the descriptors that it will be asked about.

    Raises:
        ModelError: it is missing, corrupt, or made for other descriptors.
    """
    path = folder / FILE_NAME
    try:
        found = sha256_of(path)
        if found != sha256:
            raise ValueError(f"its SHA-256 is {found[:12]}..., the manifest says {sha256[:12]}...")
        arrays = read_plain_arrays(path, _MOST_BYTES)
        rule = MouthCover(
            np.asarray(arrays["weights"], np.float64),
            float(arrays["bias"]),
            float(arrays["threshold"]),
        )
        if rule.weights.shape != (size,) or not np.isfinite(rule.weights).all():
            raise ValueError(f"it does not fit descriptors of {size} numbers")
    except FileNotFoundError:
        raise ModelError(f"model file {path} is missing; {_REMEDY}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"model file {path} cannot be used: {error}; {_REMEDY}") from error
    return rule
