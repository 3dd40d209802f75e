"""Whether a face still looks as it did when it was last searched and read.

A person who listens holds still for most frames. Where nothing has changed, the last answer is the
answer, and the time is the robot's. Within a twentieth of a second only a jump counts as a change.
"""

from __future__ import annotations

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.shrinking import shrunk

_CELLS = 24  # per side; a cell averages away the noise of a camera, but not a corner of the mouth
_MARGIN = 0.1  # around the box, as a share of its width, so that a face that moves shows
_CHANGE = 8  # grey levels by which one cell may differ
_JUMP = 32  # the same, within BLINK_S
BLINK_S = 0.05  # s; no expression comes up faster
_SCENE_WIDTH, _SCENE_HEIGHT = 64, 48  # cells of a whole frame
_TRUST_S = 0.25  # after so long the face is looked at again, whatever the cells say


class StillFace:
    """Remembers how a face looked when it was last found.

    Attributes:
        stamp: of that frame, in seconds.
    """

    def __init__(self) -> None:
        self._cells: np.ndarray | None = None
        self._box: Box | None = None
        self.stamp = 0.0

    def is_unchanged(self, grey: np.ndarray, stamp: float, only_jumps_s: float = BLINK_S) -> bool:
        """Return whether no part of the face has changed since ``remember``.

        Args:
            grey: (H, W) uint8, the frame.
            stamp: of the frame in seconds.
            only_jumps_s: seconds for which only a jump counts as a change.
        """
        age = stamp - self.stamp
        if self._cells is None or self._box is None or not 0 <= age < _TRUST_S:
            return False
        cells = _cells_of(grey, self._box)
        if cells is None:
            return False
        limit = _JUMP if age < only_jumps_s else _CHANGE
        return int(cv2.absdiff(cells, self._cells).max()) <= limit

    def remember(self, grey: np.ndarray, box: Box, stamp: float) -> None:
        """Take the face in a box as the one to compare with."""
        self._cells, self._box, self.stamp = _cells_of(grey, box), box, stamp


class StillScene:
    """Remembers how a whole frame looked when it was last searched in vain."""

    def __init__(self) -> None:
        self._cells: np.ndarray | None = None

    def is_unchanged(self, grey: np.ndarray) -> bool:
        """Return whether no part of the (H, W) uint8 frame has changed since ``remember``."""
        if self._cells is None:
            return False
        return int(cv2.absdiff(_scene_cells(grey), self._cells).max()) <= _CHANGE

    def remember(self, grey: np.ndarray) -> None:
        """Take this frame as the one to compare with."""
        self._cells = _scene_cells(grey)


def _scene_cells(grey: np.ndarray) -> np.ndarray:
    return shrunk(grey, (_SCENE_WIDTH, _SCENE_HEIGHT))


def _cells_of(grey: np.ndarray, box: Box) -> np.ndarray | None:
    """Return (24, 24) uint8 means of the face and a margin; None where the frame lacks it."""
    pad = round(_MARGIN * box.w)
    region = grey[max(0, box.y - pad) : box.y + box.h + pad,
                  max(0, box.x - pad) : box.x + box.w + pad]  # fmt: skip
    if min(region.shape) < _CELLS:
        return None
    return shrunk(region, (_CELLS, _CELLS))
