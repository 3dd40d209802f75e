"""The frames to learn from: those of a stretch of a video, and those in which a face is clear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box, Detection
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.person import PersonError
from expression_ros.vocabulary import canonical_label


def parsed_segments(text: str, labels: Sequence[str]) -> list[tuple[str, float, float]]:
    """Return (emotion, begin, end) in seconds of a text like ``neutral 0-4, happy 5.5-9``.

    Raises:
        PersonError: it is not of this form, or names an emotion that cannot be said.
    """
    segments = []
    for part in filter(str.strip, text.split(",")):
        name, _, span = part.strip().rpartition(" ")
        begin, _, end = span.partition("-")
        try:
            segment = (canonical_label(name), float(begin), float(end))
        except ValueError:
            raise PersonError(
                f"{part.strip()!r} is not a segment like 'happiness 5-9' (emotion, seconds)"
            ) from None
        if not 0 <= segment[1] < segment[2]:
            raise PersonError(f"{part.strip()!r}: the end must come after the beginning")
        if segment[0] not in labels:
            raise PersonError(f"this model cannot say {segment[0]}; it says {', '.join(labels)}")
        segments.append(segment)
    if not segments:
        raise PersonError("no segments; write for example 'neutral 0-4, happiness 5-9'")
    return segments


def between(
    frames: Iterable[tuple[np.ndarray, float]], begin: float, end: float
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the frames of a stretch of time, in seconds; a frame before it is passed over."""
    for grey, stamp in frames:
        if stamp >= end:
            return
        if stamp >= begin:
            yield grey, stamp


SMALLEST_PX = 60  # width of the face; a smaller one is read, but nothing is learnt from it
SETTLE_S = 1.0  # after the question, before the first frame: a face takes its time
APART_S = 0.2  # between two frames: neighbours show the same
_SHARPNESS_SIDE = 96  # px at which sharpness is compared, whatever the size of the face
_SHARP_SHARE = 0.5  # of the median sharpness so far
_STILL_SHARE = 0.15  # of the face's width, by which it may have moved since the last frame


@dataclass
class ClearFrames:
    """Follows the face and says of each frame whether to take it. One per emotion.

    Attributes:
        detector: finds the faces.
        refused: how many frames were not taken, by reason.
        reason: why the last frame was not taken; empty if it was.
    """

    detector: Detector
    refused: Counter[str] = field(default_factory=Counter)
    reason: str = ""
    _face: Detection | None = None
    _asked_at: float | None = None
    _taken_at: float | None = None
    _sharpness: list[float] = field(default_factory=list)

    def offer(self, grey: np.ndarray, stamp: float) -> Box | None:
        """Return the box of the face if this frame is to be taken, else None.

        Args:
            grey: (H, W) uint8.
            stamp: in seconds; the first is the moment of the question.
        """
        if self._asked_at is None:
            self._asked_at = stamp
        before, self._face = self._face, self._find(grey)
        self.reason = self._reason_against(grey, before, stamp)
        if self.reason:
            self.refused[self.reason] += 1
            return None
        assert self._face is not None
        self._taken_at = stamp
        return self._face.box

    @property
    def tilt(self) -> float:
        """By how many degrees the line of the eyes of this face falls; see Detection."""
        return self._face.tilt if self._face else 0.0

    def _find(self, grey: np.ndarray) -> Detection | None:
        if self._face is not None and (near := self.detector.search_near(grey, self._face)):
            return near
        found = self.detector.search_frame(grey)
        return found[0] if len(found) == 1 else None

    def _reason_against(self, grey: np.ndarray, before: Detection | None, stamp: float) -> str:
        if self._face is None:
            return "no single face"
        box = self._face.box
        if box.w < SMALLEST_PX:
            return "too far away"
        sharpness = _sharpness(grey, box)
        self._sharpness.append(sharpness)
        assert self._asked_at is not None
        if stamp - self._asked_at < SETTLE_S:
            return "before the face was made"
        if self._taken_at is not None and 0 <= stamp - self._taken_at < APART_S:
            return "just after another"
        if before is None or _distance(before.box, box) > _STILL_SHARE * box.w:
            return "moving"
        if sharpness < _SHARP_SHARE * float(np.median(self._sharpness)):
            return "blurred"
        return ""


def _sharpness(grey: np.ndarray, box: Box) -> float:
    """Return the variance of the Laplacian of a face (Pech-Pacheco et al., 2000)."""
    face = grey[max(0, box.y) : box.y + box.h, max(0, box.x) : box.x + box.w]
    face = cv2.resize(face, (_SHARPNESS_SIDE, _SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(face, cv2.CV_64F).var())


def _distance(one: Box, other: Box) -> float:
    (x, y), (u, v) = one.centre, other.centre
    return float(np.hypot(x - u, y - v))
