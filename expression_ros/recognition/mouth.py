"""The mouth: whether somebody speaks, and whether a mask, a hand or a cup covers it.

A mouth speaks that has kept moving for a second, more than the face. A held expression moves when
it comes and when it goes; speech goes on. What the head does moves the eyes as much as the mouth,
so the eyes are the measure.

Whether it is covered is told by a linear rule on the embedding of the whole face (logistic
regression), trained on faces with and without something drawn over mouth and chin
(``expression-ros train mouth-cover``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from expression_ros.recognition.model_manifest import ModelError, sha256_of
from expression_ros.whole_files import read_plain_arrays

# Of speech.
_WINDOW_S = 1.0
_FEWEST = 5  # movements in the window
# Of the mouth, of speech the median, in standard deviations of the upper face's grey.
_SPEAKS = 0.08
_MORE_THAN_EYES = 1.1  # times the movement of the eyes
_HOLD_S = 0.7  # between two words the mouth rests
_MOMENT_S = 0.25  # for so long a movement is one of right now
# Of a face's height and width: where the eyes and the mouth are.
_EYES = (0.12, 0.58), (0.16, 0.84)
_MOUTH = (0.65, 0.94), (0.25, 0.75)
_SEARCH_PX = 3  # by how far a box jumps from frame to frame, in a face of 48 px

# Of a cover.
FILE_NAME = "mouth_cover.npz"
_MOST_BYTES = 1 << 24
_REMEDY = (
    "restore the shipped models/fisherfaces_upper (git checkout -- models/fisherfaces_upper) or "
    "train it anew: expression-ros train mouth-cover --data fer2013.npz"
)


class MouthWatch:
    """Follows the mouth of one face over time."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._movements: deque[tuple[float, float, float]] = deque()  # stamp, mouth, eyes
        self._spoke_at: float | None = None

    def see(self, face: np.ndarray, stamp: float) -> None:
        """Take in the next image of the face.

        Args:
            face: (S, S) uint8, prepared, with its mouth.
            stamp: in seconds.
        """
        if self._movements and not 0 < stamp - self._movements[-1][0] < _WINDOW_S:
            self._movements.clear()
            self._before = None
        now = _even_light(face)
        if self._before is not None:
            moved = self._movement(now)
            self._movements.append((stamp, *moved))
            while stamp - self._movements[0][0] > _WINDOW_S:
                self._movements.popleft()
            if self._moves():
                self._spoke_at = stamp
        self._before = now

    def is_speaking(self, stamp: float) -> bool:
        """Return whether the person speaks, or did until just before."""
        return self._spoke_at is not None and 0 <= stamp - self._spoke_at <= _HOLD_S

    def is_moving(self, stamp: float) -> bool:
        """Return whether the mouth moves right now, in speech or into an expression."""
        if not self._movements or not 0 <= stamp - self._movements[-1][0] <= _MOMENT_S:
            return False
        return _stands_out(*self._movements[-1][1:])

    def _movement(self, now: np.ndarray) -> tuple[float, float]:
        """Return how much mouth and eyes differ from the last image, the head's shift undone."""
        assert self._before is not None
        size = len(now)
        reach = max(1, round(_SEARCH_PX * size / 48))
        rows, columns = (_pixels(part, size) for part in _EYES)
        eyes = self._before[rows, columns]
        around = now[rows.start - reach : rows.stop + reach,
                     columns.start - reach : columns.stop + reach]  # fmt: skip
        fit = cv2.matchTemplate(around, eyes, cv2.TM_SQDIFF)
        _, _, (dx, dy), _ = cv2.minMaxLoc(fit)
        down, right = dy - reach, dx - reach
        moved = []
        for part in (_MOUTH, _EYES):
            rows, columns = (_pixels(one, size) for one in part)
            last = self._before[rows, columns]
            there = now[_shifted(rows, down, size), _shifted(columns, right, size)]
            moved.append(cv2.norm(there, last, cv2.NORM_L1) / last.size)
        return moved[0], moved[1]

    def _moves(self) -> bool:
        if len(self._movements) < _FEWEST:
            return False
        if self._movements[-1][0] - self._movements[0][0] < _WINDOW_S / 2:
            return False
        _, mouth, eyes = (median(values) for values in zip(*self._movements, strict=True))
        return _stands_out(mouth, eyes)


def _stands_out(mouth: float, eyes: float) -> bool:
    return mouth >= _SPEAKS and mouth >= _MORE_THAN_EYES * eyes


def _even_light(face: np.ndarray) -> np.ndarray:
    """Return the face as float32, smoothed, with mean 0 and deviation 1 in its upper part."""
    values = cv2.GaussianBlur(face, (0, 0), len(face) / 48).astype(np.float32)
    mean, spread = cv2.meanStdDev(values[: round(0.62 * len(face))])
    return (values - mean.item()) / max(spread.item(), 1.0)


def _pixels(part: tuple[float, float], size: int) -> slice:
    return slice(round(part[0] * size), round(part[1] * size))


def _shifted(part: slice, by: int, size: int) -> slice:
    """Return the slice moved, as far as the image reaches, without change of its length."""
    start = min(max(0, part.start + by), size - (part.stop - part.start))
    return slice(start, start + part.stop - part.start)


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
