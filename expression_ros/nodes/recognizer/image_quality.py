"""Whether a camera's image is too dark, too bright or out of focus. Pure; imports no ROS."""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np

DARK = "very dark"
BRIGHT = "very bright"
BLURRED = "out of focus"

REMEDIES = {
    DARK: "the images are very dark: give the face more light, open the lens cap, or raise the "
    "camera's exposure",
    BRIGHT: "the images are very bright: turn the camera away from the light, or lower its "
    "exposure",
    BLURRED: "the images are out of focus: focus the camera, or clean its lens",
}

# Wide enough for a face's features, narrow enough that a sharp image has edges of one pixel.
_WIDTH = 160
# Not even the lightest twentieth of the image reaches this grey: no lit face is in it. A face
# in a dark room, or dark skin in weak light, is above.
_DARK_BELOW = 30
# More than nine tenths of the image lie above this grey: a face would have no features left. Of
# a person before a white wall, hair, eyes and clothes take more than a tenth.
_BRIGHT_ABOVE = 235
# Of the strongest edges this share is left after a blur of one pixel of 160. Sharp images keep
# 0.45 to 0.75, no frame of the demonstration's clips over 0.90 (where they fade); after a blur of
# 8 pixels of 640, in which no expression can be read, it is over 0.92.
_BLURRED_ABOVE = 0.92
# Sobel's strength from which edges say something: below, there are none but noise and shadows.
_WEAKEST_EDGE = 32.0
_EDGE_SHARE = 95  # percentile from which on edges are the strongest


def fault_of(grey: np.ndarray) -> str:
    """Return DARK, BRIGHT or BLURRED, or "" for an image that can be read; takes about 0.3 ms.

    Args:
        grey: (H, W) uint8.
    """
    small = _small(grey)
    low, high = np.percentile(small, (10, 95))
    if high < _DARK_BELOW:
        return DARK
    if low > _BRIGHT_ABOVE:
        return BRIGHT
    return BLURRED if _left_after_blur(small) > _BLURRED_ABOVE else ""


class QualityWatch:
    """Looks at a stream's images now and then, and tells a fault that lasts.

    Written by the reading thread, read by the executor's.
    """

    _EVERY_S = 0.5
    _LASTING = 6  # looks in a row: three seconds, so that no hand before the lens is told

    def __init__(self) -> None:
        self._next = -math.inf
        self._faults: deque[str] = deque(maxlen=self._LASTING)

    def look(self, grey: np.ndarray, now: float) -> None:
        """Judge an image, (H, W) uint8, if it is time to; ``now`` in seconds, never going back."""
        if now >= self._next:
            self._next = now + self._EVERY_S
            self._faults.append(fault_of(grey))

    @property
    def problem(self) -> str:
        """What has been wrong for three seconds, with the remedy; empty if nothing."""
        faults = set(self._faults)
        if len(self._faults) < self._LASTING or len(faults) != 1:
            return ""
        return REMEDIES.get(faults.pop(), "")


def _small(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    if width <= _WIDTH:
        return grey
    # Skipping pixels first, where there are many, is ten times as fast as averaging all of them.
    step = max(1, width // (4 * _WIDTH))
    size = (_WIDTH, max(1, round(_WIDTH * height / width)))
    return cv2.resize(grey[::step, ::step], size, interpolation=cv2.INTER_AREA)


def _left_after_blur(small: np.ndarray) -> float:
    """Return how much of the strongest edges is left, 0 to 1; 0 where there are none."""
    values = small.astype(np.float32)
    edges = _edges(values)
    strongest = edges >= max(_WEAKEST_EDGE, float(np.percentile(edges, _EDGE_SHARE)))
    total = float(edges[strongest].sum())
    return (
        float(_edges(cv2.GaussianBlur(values, (0, 0), 1.0))[strongest].sum()) / total
        if total
        else 0.0
    )


def _edges(values: np.ndarray) -> np.ndarray:
    return np.asarray(
        cv2.magnitude(cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1))
    )
