"""A webcam or video, read and answered frame by frame in a thread of its own.

Part of ``expression_ros.session``: imports no ROS.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from expression_ros.frames.playback import frames_in_time
from expression_ros.frames.sources import FrameSource, SourceError
from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.recognition.landmarks import LandmarkFinder
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.readings import FrameReading
from expression_ros.recognition.single_photos import read_alone

_RATE_OF = 30  # frames over which their rate is told


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
        self._recognizer = recognizer
        self._behaviour = behaviour
        self._finder = finder
        self._newest: LiveFrame | None = None
        self._has_ended = False
        self._error: Exception | None = None
        self._read_at: deque[float] = deque(maxlen=_RATE_OF)
        self._lock = threading.Lock()  # of the behaviour
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
        self._recognizer.close()
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
        with self._lock:
            self._behaviour.tick(time.monotonic())
            return self._behaviour.expression

    def _run(self) -> None:
        try:
            for image in frames_in_time(self._source, self._stopping):
                self._newest = self._read(image)
            if self._source.is_live and not self._stopping.is_set():
                raise SourceError(
                    f"{self._source.description} gives no more pictures; is it plugged in, or used "
                    "by another program?"
                )
            self._has_ended = True
        except Exception as error:  # of this thread, told by the one that looks
            self._error = error

    def _read(self, image: np.ndarray) -> LiveFrame:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if self._source.has_photos:
            reading = read_alone(self._recognizer, grey)
        else:
            reading = self._recognizer.read(grey, time.monotonic())
        face = reading.primary
        if face is not None:
            with self._lock:
                now = time.monotonic()  # in here: the behaviour's clock must not go back
                self._behaviour.scores_received(face.scores, now)
                self._behaviour.label_received(face.label, now)
        landmarks: tuple[np.ndarray, ...] = ()
        if self._finder is not None:
            landmarks = tuple(self._finder.find(grey, face.box) for face in reading.faces)
        self._read_at.append(time.monotonic())
        lasted = self._read_at[-1] - self._read_at[0]
        rate = (len(self._read_at) - 1) / lasted if lasted > 0 else 0.0
        return LiveFrame(image, reading, landmarks, rate)
