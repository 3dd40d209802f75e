"""Frames read and answered one by one; a webcam or video in a thread of its own.

The mirror answers without its node, set as the node is by default. Imports no ROS: the table of
parameters is plain data.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from expression_ros.frames.playback import frames_in_time
from expression_ros.frames.sources import FrameSource, SourceError
from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.mirroring.robot_table import Robot
from expression_ros.mirroring.styles import Style
from expression_ros.parameters.nodes import MIRROR_PARAMETERS
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.landmarks import LandmarkFinder
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.session.recognizer import read_alone

_RATE_OF = 30  # frames over which their rate is told
_MIRROR: dict[str, Any] = {spec.name: spec.default for spec in MIRROR_PARAMETERS}
_TIMES = ("min_hold", "neutral_after", "cooldown", "attack", "release", "full_score")


@dataclass(frozen=True)
class LiveFrame:
    """A frame and what was read in it.

    Attributes:
        image: (H, W, 3) uint8 BGR; not to be drawn on.
        reading: its faces, in pixels of the image.
        landmarks: of each face in the order of the reading, (68, 2) float px; empty if none are
            looked for.
        rate: frames that are read per second, 0 for not known yet.
    """

    image: np.ndarray
    reading: FrameReading
    landmarks: tuple[np.ndarray, ...] = ()
    rate: float = 0.0


class MirroredReading:
    """Reads frames, and lets a mirror answer the primary face: what window and page have in common.

    One thread reads; everything else may be done in any other.

    Args:
        recognizer: reads the frames; closed with this.
        behaviour: answers them; used by others only while they hold the lock.
        changed: called, with the lock held, when the robot is sent something else.

    Attributes:
        lock: of the behaviour.
    """

    def __init__(
        self,
        recognizer: ExpressionRecognizer,
        behaviour: MirrorBehaviour,
        changed: Callable[[], None] = lambda: None,
    ):
        self.lock = threading.Lock()
        self._recognizer = recognizer
        self._behaviour = behaviour
        self._changed = changed
        self._next_classifier: Classifier | None = None  # to be taken at the next frame

    def close(self) -> None:
        """Release the recognizer; nobody may be reading any more."""
        self._recognizer.close()

    def reset(self) -> None:
        """Forget all faces; in the reading thread."""
        self._recognizer.reset()

    def read_with(self, classifier: Classifier) -> None:
        """Let another classifier read, from the next frame on."""
        self._next_classifier = classifier

    def read(self, image: np.ndarray, *, alone: bool) -> tuple[np.ndarray, FrameReading]:
        """Read the next frame, and answer it.

        Args:
            image: (H, W, 3) uint8 BGR.
            alone: whether it is a photo that has nothing to do with the frames before.

        Returns:
            The frame in grey, (H, W) uint8, and what was read in it.

        Raises:
            Exception: whatever keeps a frame from being read; the next one can be.
        """
        now = time.monotonic()
        if self._next_classifier is not None:
            self._recognizer.classifier, self._next_classifier = self._next_classifier, None
            self._recognizer.reset()  # or a face that does not move would keep its label
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        reading = read_alone(self._recognizer, grey) if alone else self._recognizer.read(grey, now)
        self._answer(reading.primary)
        return grey, reading

    def tick(self) -> str:
        """Return the word that the robot is sent now; without a face it turns neutral in time."""
        return self._answer(None)

    def _answer(self, face: FaceReading | None) -> str:
        with self.lock:
            now = time.monotonic()  # in here: for threads that take turns, it never goes back
            if face is not None:
                self._behaviour.scores_received(face.scores, now)
                self._behaviour.label_received(face.label, now)
            if self._behaviour.tick(now) is not None:
                self._changed()
            return self._behaviour.expression


class LiveSession:
    """Reads a source, and lets a mirror answer.

    Args:
        source: the frames; closed with the session. Files are played at their rate, frames for
            which there is no time are passed over.
        recognizer: reads the frames; closed with the session.
        behaviour: answers them.
        finder: finds the landmarks of each face, None for none.
    """

    def __init__(
        self,
        source: FrameSource,
        recognizer: ExpressionRecognizer,
        behaviour: MirrorBehaviour,
        finder: LandmarkFinder | None = None,
    ):
        self._source = source
        self._reading = MirroredReading(recognizer, behaviour)
        self._finder = finder
        self._newest: LiveFrame | None = None
        self._has_ended = False
        self._error: Exception | None = None
        self._read_at: deque[float] = deque(maxlen=_RATE_OF)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recognition", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading and release the source."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._reading.close()
        self._source.close()

    def newest(self) -> LiveFrame | None:
        """Return the frame that was read last, None before the first.

        Raises:
            SourceError: the webcam gives no more frames.
            Exception: whatever else kept a frame from being read.
        """
        if self._error is not None:
            raise self._error
        return self._newest

    @property
    def has_ended(self) -> bool:
        """Whether the last frame of a file has been read."""
        return self._has_ended

    def expression(self) -> str:
        """Return the word that the robot is sent now; without a face it turns neutral in time."""
        return self._reading.tick()

    def _run(self) -> None:
        try:
            for image in frames_in_time(self._source, self._stopping):
                self._newest = self._read(image)
            if self._source.is_live and not self._stopping.is_set():
                raise SourceError(
                    f"{self._source.description} gives no more images; is it plugged in, or used "
                    "by another program?"
                )
            self._has_ended = True
        except Exception as error:  # of this thread, told by the one that looks
            self._error = error

    def _read(self, image: np.ndarray) -> LiveFrame:
        grey, reading = self._reading.read(image, alone=self._source.has_photos)
        landmarks: tuple[np.ndarray, ...] = ()
        if self._finder is not None:
            landmarks = tuple(self._finder.find(grey, face.box) for face in reading.faces)
        self._read_at.append(time.monotonic())
        lasted = self._read_at[-1] - self._read_at[0]
        rate = (len(self._read_at) - 1) / lasted if lasted > 0 else 0.0
        return LiveFrame(image, reading, landmarks, rate)


def behaviour_as_node(robot: Robot, style: Style) -> MirrorBehaviour:
    """Return what decides in the node ``mirror`` what the robot shows."""
    times: dict[str, Any] = {name: float(_MIRROR[name]) for name in _TIMES}
    return MirrorBehaviour(robot, **times, style=style)
