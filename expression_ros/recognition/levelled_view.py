"""A face whose head is tilted, turned upright by the eyes that the detector saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.face_preparation import turned

_LEAST = 4.0  # degrees; a smaller tilt is neither seen by a classifier nor worth the time
_AROUND = 0.25  # of the box's size, kept on each side at least


def levelled(grey: np.ndarray, box: Sequence[int], tilt: float) -> tuple[np.ndarray, Box]:
    """Return the surroundings of a face turned until its eyes are level, and where it is in them.

    Args:
        grey: (H, W) uint8, the frame.
        box: (x, y, w, h) in px.
        tilt: degrees by which the line of the eyes falls to the right.

    Returns:
        (h, w) uint8 and the box in it: the frame itself where there is little to turn.
    """
    x, y, w, h = (int(value) for value in box)
    if abs(tilt) < _LEAST or min(w, h) <= 0:
        return grey, Box(x, y, w, h)
    patch, placed = turned(grey, (x, y, w, h), _AROUND, tilt)
    return patch, Box(*placed)
