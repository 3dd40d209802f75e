"""What ROS4HRI (REP-155) asks of a face: a name, images, valence and arousal.

Imports no ROS.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.face_preparation import tilt_of_eyes
from expression_ros.vocabulary import NEUTRAL

COORDINATES: Mapping[str, tuple[float, float]] = {
    NEUTRAL: (0.0, 0.0),
    "anger": (-0.51, 0.59),  # angry
    "contempt": (-0.22, 0.21),  # skeptical
    "disgust": (-0.60, 0.35),  # disgusted
    "fear": (-0.64, 0.60),  # fearful
    "happiness": (0.81, 0.51),  # happy
    "sadness": (-0.63, -0.27),  # sad
    "surprise": (0.40, 0.67),  # surprised
}

# hri_msgs/Expression lists the words of its field ``expression`` as constants; none is contempt.
_HRI_WORDS: Mapping[str, str] = {
    NEUTRAL: "neutral",
    "anger": "angry",
    "contempt": "skeptical",
    "disgust": "disgusted",
    "fear": "scared",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}


def valence_and_arousal(scores: Mapping[str, float]) -> tuple[float, float]:
    """Return the mean of the labels' coordinates, weighted with the scores: (valence, arousal).

    Args:
        scores: probability of each label; what is not a label of the vocabulary, and what is not
            above 0, does not count.

    Returns:
        Both from -1 to 1; (0, 0), the middle, where nothing counts.
    """
    weights = {label: score for label, score in scores.items()
               if label in COORDINATES and score > 0}  # fmt: skip
    total = sum(weights.values())
    if total <= 0:
        return 0.0, 0.0
    valence = sum(score * COORDINATES[label][0] for label, score in weights.items()) / total
    arousal = sum(score * COORDINATES[label][1] for label, score in weights.items()) / total
    return valence, arousal


def hri_word(label: str) -> str:
    """Return the word of hri_msgs/Expression for a label; empty for ``unknown`` and strangers."""
    return _HRI_WORDS.get(label, "")


# The ids under which ROS4HRI (REP-155) knows faces: five letters, never given twice in a run.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LENGTH = 5
_COUNT = len(_LETTERS) ** _LENGTH  # 11.9 million ids
_STEP = 7_654_321  # shares no factor with _COUNT, so that each number gives another id


def face_name(number: int, origin: str = "") -> str:
    """Return the id of the number-th face: five letters a to z, as in ``hpjrt``.

    Args:
        number: of the face, from 1; the first 11,881,376 all get different ids.
        origin: who numbers the faces; the same number of another origin gets another id.
    """
    place = (number * _STEP + zlib.crc32(origin.encode())) % _COUNT
    letters = []
    for _ in range(_LENGTH):
        place, digit = divmod(place, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(reversed(letters))


class PresentFaces:
    """Says which faces are there, by id, as frame after frame tells which were seen.

    A tracker that starts anew may count from 1 again; the ids go on where they were.

    Args:
        origin: as for face_name.
        keep_s: seconds for which a face that is not seen stays, as long as its tracker knows it.
    """

    def __init__(self, origin: str = "", keep_s: float = 0.7):
        self.origin = origin
        self.keep_s = keep_s
        self._before = 0  # numbers given before the tracker's last start
        self._highest = 0
        self._seen: dict[int, float] = {}  # track id: when it was seen last, s
        self._stamp: float | None = None

    def update(self, track_ids: Iterable[int], stamp: float) -> list[str]:
        """Take the tracks seen in a frame and return the ids of all who are there, oldest first.

        Args:
            track_ids: from 1, as FaceReading.id.
            stamp: the frame's time in seconds; going back in time starts anew, as the tracker does.
        """
        if self._stamp is not None and stamp < self._stamp:
            self.restart()
        self._stamp = stamp
        for track_id in track_ids:
            self._seen[track_id] = stamp
            self._highest = max(self._highest, self._before + track_id)
        self._seen = {k: seen for k, seen in self._seen.items() if stamp - seen <= self.keep_s}
        return [self.name(track_id) for track_id in sorted(self._seen)]

    def restart(self) -> None:
        """Forget all faces: the tracker may count from 1 again, and its faces are new ones."""
        self.clear()
        self._before = self._highest
        self._stamp = None

    def clear(self) -> None:
        """Forget who is there, as when the camera is silent; the tracker goes on counting."""
        self._seen = {}

    def name(self, track_id: int) -> str:
        """Return the id of a track of the present tracker."""
        return face_name(self._before + track_id, self.origin)


# Images of single faces as ROS4HRI (REP-155) passes them on: cropped, and with level eyes.
SIDE = 128  # px, as hri_face_detect publishes them


def cropped_face(bgr: np.ndarray, box: Box, side: int = SIDE) -> np.ndarray:
    """Return the part of a frame in a box, scaled to fit into a black square.

    Args:
        bgr: (H, W, 3) uint8.
        box: of the face; may reach beyond the frame.
        side: of the square in px.

    Returns:
        (side, side, 3) uint8; all black where the box is outside the frame.
    """
    height, width = bgr.shape[:2]
    left, right = max(0, box.x), min(width, box.x + box.w)
    top, bottom = max(0, box.y), min(height, box.y + box.h)
    image = np.zeros((side, side, 3), np.uint8)
    if left >= right or top >= bottom:
        return image
    scale = min(side / (right - left), side / (bottom - top))
    size = (max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top))))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(bgr[top:bottom, left:right], size, interpolation=interpolation)
    x, y = (side - size[0]) // 2, (side - size[1]) // 2
    image[y : y + size[1], x : x + size[0]] = scaled
    return image


def aligned_face(bgr: np.ndarray, grey: np.ndarray, box: Box, side: int = SIDE) -> np.ndarray:
    """Return the face turned about the middle of its box until its eyes are level.

    The eyes are those that OpenCV's eye cascade finds; where it is not sure, nothing is turned.

    Args:
        bgr: (H, W, 3) uint8.
        grey: (H, W) uint8, the same frame.
        box, side: as for cropped_face.

    Returns:
        (side, side, 3) uint8. Beyond the frame its border is repeated.
    """
    height, width = grey.shape
    if box.w <= 0 or box.h <= 0 or box.x >= width or box.y >= height:
        return cropped_face(bgr, box, side)
    if box.x + box.w <= 0 or box.y + box.h <= 0:
        return cropped_face(bgr, box, side)
    tilt = tilt_of_eyes(grey, box)
    # From the frame straight into the square: scaled and turned about the middle of the box.
    scale = side / max(box.w, box.h)
    cosine, sine = (scale * f(math.radians(tilt)) for f in (math.cos, math.sin))
    x, y = box.centre
    turn = np.array(
        [
            [cosine, sine, side / 2 - cosine * x - sine * y],
            [-sine, cosine, side / 2 + sine * x - cosine * y],
        ]
    )
    return cv2.warpAffine(
        bgr, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
