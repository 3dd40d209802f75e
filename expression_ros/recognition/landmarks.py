"""The descriptor ``landmarks``: 68 points of a face, found by dlib, as numbers.

dlib is optional, and so is the predictor of the 68 points (Kazemi and Sullivan, 2014): it was
trained on iBUG 300-W, which may not be used commercially. Nothing of either is part of this
package.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np

POINTS = 68
FEATURES = 5 * POINTS
PREDICTOR_NAME = "shape_predictor_68_face_landmarks.dat"

_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)  # of iBUG's numbering, as seen in the image


class LandmarkError(ValueError):
    """dlib or its predictor is missing; the message says how to get it."""


def landmark_features(points: np.ndarray) -> np.ndarray:
    """Return what the places of 68 points say about the expression.

    For each point its position relative to the mean of all points, its distance from the mean and
    the direction in which it lies (after van Gent, 2016). Unlike there, the face is levelled by its
    eyes and divided by its size, so that neither a tilted head nor coming nearer is an expression;
    and a direction is a cosine and a sine, since an angle jumps by a full turn at the left.

    Args:
        points: (68, 2) float, x and y in px.

    Returns:
        (340,) float32: 68 times x, y, distance, cosine, sine.
    """
    relative = np.asarray(points, np.float64) - np.mean(points, axis=0)
    across, down = relative[_RIGHT_EYE].mean(axis=0) - relative[_LEFT_EYE].mean(axis=0)
    tilt = math.atan2(down, across)
    turn = np.array(
        [[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]]
    )  # row vectors times this: turned by -tilt
    # The root mean square distance from the mean is the size of a shape (Bookstein, 1991).
    size = math.sqrt((relative**2).sum() / len(relative))
    level = relative @ turn / max(size, 1e-9)
    distance = np.linalg.norm(level, axis=1, keepdims=True)
    direction = level / np.maximum(distance, 1e-9)
    return np.hstack([level, distance, direction]).astype(np.float32).ravel()


class LandmarkFinder:
    """dlib's 68 points of a face whose box is known. Not thread-safe.

    Args:
        predictor: file of the predictor; empty for that of face-recognition-models.

    Raises:
        LandmarkError: dlib or the predictor is missing or unreadable.
    """

    def __init__(self, predictor: str | Path = "") -> None:
        try:
            import dlib
        except ImportError:
            raise LandmarkError(
                "landmarks need dlib: pip install dlib-bin face-recognition-models"
            ) from None
        self._dlib: Any = dlib
        path = Path(predictor) if predictor else _installed_predictor()
        if not path.is_file():
            raise LandmarkError(
                f"no landmark predictor at {path}; pip install face-recognition-models, or give "
                f"the path of {PREDICTOR_NAME}"
            )
        try:
            self._predict = dlib.shape_predictor(str(path))
        except RuntimeError:
            raise LandmarkError(f"dlib cannot read {path} as {PREDICTOR_NAME}") from None

    def find(self, grey: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """Return the (68, 2) float64 points, x and y in px, of the face in (x, y, w, h).

        Args:
            grey: (H, W) uint8.
            box: in px; the points may lie outside of it.
        """
        x, y, w, h = box
        frame = np.ascontiguousarray(grey)
        shape = self._predict(frame, self._dlib.rectangle(x, y, x + w - 1, y + h - 1))
        return np.array([(p.x, p.y) for p in shape.parts()], np.float64)


def _installed_predictor() -> Path:
    """Return the file in the package face_recognition_models, without importing it.

    Importing it fails on newer Pythons, where pkg_resources is gone.
    """
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        raise LandmarkError(
            "landmarks need dlib's predictor of 68 points: pip install face-recognition-models "
            "(its training data, iBUG 300-W, are for non-commercial use)"
        )
    return Path(found.submodule_search_locations[0]) / "models" / PREDICTOR_NAME
