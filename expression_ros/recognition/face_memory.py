"""What is kept of a face from frame to frame."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.mouth_watch import MouthWatch
from expression_ros.recognition.resting_state import RestingState
from expression_ros.recognition.settling import LabelSettler
from expression_ros.recognition.stillness import BLINK_S, StillFace

SIZE_S = 0.3  # between searches of a followed face over all sizes
_CALM_S = 0.09  # between readings of a face whose last one said nothing new
_SAID = 3  # readings that are kept: one of the same side, as sides take turns, and the last
_NEWS = 0.1  # by which a score must differ from the one before to be new
WATCHED = FacePreparation()  # the face on which the mouth is watched


@dataclass
class FaceMemory:
    """What is kept of a face from frame to frame."""

    settler: LabelSettler = field(default_factory=LabelSettler)
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
