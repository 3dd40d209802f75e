"""What is kept of a face from frame to frame, and whether it still looks as it did.

A person who listens holds still for most frames. Where nothing has changed, the last answer is the
answer, and the time is the robot's. Within a twentieth of a second only a jump counts as a change.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.image_operations import shrunk
from expression_ros.recognition.mouth import MouthWatch
from expression_ros.recognition.smoothing import LabelSmoother, RestingState

_CELLS = 24  # per side; a cell averages away the noise of a camera, but not a corner of the mouth
_MARGIN = 0.1  # around the box, as a share of its width, so that a face that moves shows
_CHANGE = 8  # grey levels by which one cell may differ
_JUMP = 32  # the same, within BLINK_S
BLINK_S = 0.05  # s; no expression comes up faster
_SCENE_WIDTH, _SCENE_HEIGHT = 64, 48  # cells of a whole frame
_TRUST_S = 0.25  # after so long the face is looked at again, whatever the cells say
SIZE_S = 0.3  # between searches of a followed face over all sizes
_CALM_S = 0.09  # between readings of a face whose last one said nothing new
_SAID = 3  # readings that are kept: one of the same side, as sides take turns, and the last
_NEWS = 0.1  # by which a score must differ from the one before to be new
WATCHED = FacePreparation()  # the face on which the mouth is watched


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
    """Remembers how a whole frame looked when it was last searched without finding a face."""

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


@dataclass
class FaceMemory:
    """What is kept of a face from frame to frame."""

    smoother: LabelSmoother = field(default_factory=LabelSmoother)
    still: StillFace = field(default_factory=StillFace)
    prediction: Prediction | None = None
    said: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=_SAID))
    read_at: float = 0.0  # stamp of the frame the prediction is of
    sized_at: float = -math.inf  # stamp of the last search over all sizes
    view: Prediction | None = None  # the last reading, of the face or of its mirror image
    size_s: float = SIZE_S  # from it to the next
    mirrored: bool = False  # whether it is the mirror image's turn to be read
    mouth: MouthWatch = field(default_factory=MouthWatch)
    watched_at: float = -math.inf  # stamp of the last look at the mouth
    rest: RestingState = field(default_factory=RestingState)

    def is_due(self, stamp: float) -> bool:
        """Return whether the expression may be another than at the last reading."""
        return not 0 <= stamp - self.read_at < self.rest_s()

    def is_unchanged(self, grey: np.ndarray, stamp: float) -> bool:
        """Return whether the face needs not be found again: it looks as when it was found."""
        return self.still.is_unchanged(grey, stamp, self.rest_s())

    def rest_s(self) -> float:
        """Return for how many seconds a face that does not jump is taken to be as it was."""
        return _CALM_S if self.is_calm() else BLINK_S

    def is_calm(self) -> bool:
        """Return whether the last reading said what was known."""
        if len(self.said) < _SAID:
            return False
        before, now = self.said[0], self.said[-1]  # of the same side: sides take turns
        return all(abs(score - before.get(label, 0.0)) < _NEWS for label, score in now.items())

    def is_news(self) -> bool:
        """Return whether the face was found again, changed, since it was last read."""
        return self.still.stamp != self.read_at
