"""A calibration as a dialogue: what a person is asked to show, how long, and what comes next.

It is driven by the frames themselves: nobody waits for anybody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from expression_ros.personal.calibration import Calibration
from expression_ros.personal.clear_frames import ClearFrames
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.face_views import levelled
from expression_ros.recognition.person import PersonError
from expression_ros.vocabulary import canonical_label

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger")  # asked for by default
FRAMES = 10  # clear frames of each emotion
PATIENCE_S = 20.0  # per emotion, before what was taken has to do

HINTS = {
    "neutral": "look as you do when you read",
    "happiness": "smile with mouth and eyes",
    "surprise": "raise your brows and open your mouth",
    "sadness": "pull the inner ends of your brows up and the corners of your mouth down",
    "anger": "draw your brows together and press your lips",
    "disgust": "wrinkle your nose",
    "fear": "raise your brows, open your eyes wide, stretch your lips",
    "contempt": "lift one corner of your mouth",
}


def asked_emotions(text: str, labels: Sequence[str]) -> list[str]:
    """Return the emotions that a comma-separated text names, each once.

    Args:
        text: names or aliases of emotions.
        labels: what the model can say.

    Raises:
        PersonError: the model cannot say one of them, or none is named.
    """
    emotions = [canonical_label(name) for name in filter(str.strip, text.split(","))]
    if unknown := [emotion for emotion in emotions if emotion not in labels]:
        said = ", ".join(labels)
        raise PersonError(f"this model cannot say {', '.join(unknown)}; it says {said}")
    if not emotions:
        raise PersonError(f"no emotion is named; name some of {', '.join(labels)}")
    return list(dict.fromkeys(emotions))


# What a person can do about a frame that was not taken; the other reasons pass by themselves.
_ADVICE = {
    "no single face": "show your face to the camera, alone",
    "too far away": "come closer",
    "moving": "hold still",
    "blurred": "hold still, in good light",
}
_ADVICE_S = 0.7  # that advice stays, to be read


class Dialogue:
    """Asks for each emotion in turn and takes the clear frames.

    Args:
        calibration: takes the faces.
        emotions: what is asked for, in this order; at least one.
        frames: clear frames of each, after which the next emotion is asked for.
        session: the number of this sitting.

    Attributes:
        emotions: as given.
        frames: as given.
        number: how many emotions have been asked for before this one.
        taken: clear frames of this emotion so far.
        counts: how many were taken of each emotion.
        advice: what the person could do better at this moment; empty if all is well.
    """

    def __init__(
        self,
        calibration: Calibration,
        emotions: Sequence[str],
        frames: int = FRAMES,
        session: int = 0,
        detector: Detector | None = None,
    ) -> None:
        self.emotions = tuple(emotions)
        self.frames = frames
        self.number = 0
        self.taken = 0
        self.counts = dict.fromkeys(self.emotions, 0)
        self.advice = ""
        self._advised_at = -math.inf
        self._calibration = calibration
        self._session = session
        self._detector = detector or FaceDetector("single")
        self._chooser = ClearFrames(self._detector)
        self._asked_at: float | None = None

    @property
    def emotion(self) -> str:
        """What is asked for now; empty when all has been asked for."""
        return self.emotions[self.number] if self.number < len(self.emotions) else ""

    @property
    def hint(self) -> str:
        """How to show it."""
        return HINTS.get(self.emotion, "")

    def offer(self, grey: np.ndarray, stamp: float) -> None:
        """Look at a frame, and take it if it is clear; when there are enough, ask on.

        Args:
            grey: (H, W) uint8.
            stamp: in seconds, never smaller than that of the frame before.
        """
        if not self.emotion:
            return
        if self._asked_at is None:
            self._asked_at = stamp
        box = self._chooser.offer(grey, stamp)
        self._advise(_ADVICE.get(self._chooser.reason, ""), stamp)
        if box is not None:
            view = levelled(grey, box, self._chooser.tilt)
            self._calibration.take(self.emotion, *view, self._session)
            self.taken += 1
            self.counts[self.emotion] += 1
        if self.taken >= self.frames or stamp - self._asked_at > PATIENCE_S:
            self.skip()

    def _advise(self, advice: str, stamp: float) -> None:
        if advice != self.advice and stamp - self._advised_at > _ADVICE_S:
            self.advice, self._advised_at = advice, stamp

    def skip(self) -> None:
        """Ask for the next emotion; what was taken of this one stays."""
        if self.emotion:
            self._calibration.refused[self.emotion] = dict(self._chooser.refused)
            self.number += 1
        self.taken, self.advice, self._asked_at = 0, "", None
        self._advised_at = -math.inf
        self._chooser = ClearFrames(self._detector)
