"""What every source of frames is and does. Imports no ROS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]  # (H, W, 3), blue green red
FALLBACK_RATE_HZ = 30.0  # of a video or webcam that does not know its own
_PLAUSIBLE_RATES_HZ = (0.1, 480.0)  # raw streams claim 90,000, broken headers 0 or NaN


class SourceError(ValueError):
    """Frames cannot be had from a source; one line that says why and what to do."""


class FrameSource(ABC):
    """One frame after the other.

    Attributes:
        description: what it is, for a log line, such as ``video smile.mp4 (640x360, 30 Hz)``.
        frame_rate: frames per second at which it is meant to be seen, or at which it delivers.
        is_live: whether frames come when they come (a webcam) and cannot be had again.
        has_photos: whether the frames are photos that have nothing to do with each other: each is
            to be read by itself.
        position: frames passed since opening or the last rewind; the last frame has the index
            ``position - 1``. Images that could not be decoded count.
    """

    is_live = False
    has_photos = False

    def __init__(self, description: str, frame_rate: float):
        self.description = description
        self.frame_rate = frame_rate
        self.position = 0

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the images that could not be decoded, each once."""
        return ()

    @property
    def seconds(self) -> float:
        """When the frame grabbed last was taken, in seconds since the first; 0 before any."""
        return max(0, self.position - 1) / self.frame_rate

    def gap(self) -> float | None:
        """Return how many seconds after the frame grabbed last the next one was taken.

        To be called when that frame is no longer wanted: retrieve() may be without it after that.

        Returns:
            None if the frames come evenly, at frame_rate, or there is no next one.
        """
        return None

    def read(self) -> Frame | None:
        """Return the next frame, (H, W, 3) uint8 BGR, or None at the end (or a dead webcam).

        What cannot be decoded is passed over.
        """
        while self.grab():
            frame = self.retrieve()
            if frame is not None:
                return frame
        return None

    def grab(self) -> bool:
        """Move on to the next frame without handing it out; False at the end.

        With retrieve() the two halves of read(): for a time stamp right at the capture, and for
        passing over frames cheaply. A webcam blocks here until it has a frame.
        """
        if not self._advance():
            return False
        self.position += 1
        return True

    def rewind(self) -> None:
        """Start again at the first frame; without effect on a webcam.

        Raises:
            SourceError: the file is no longer what it was at opening.
        """
        self._restart()
        self.position = 0

    @abstractmethod
    def retrieve(self) -> Frame | None:
        """Return the frame grabbed last, (H, W, 3) uint8 BGR, or None if it cannot be decoded."""

    @abstractmethod
    def close(self) -> None:
        """Release the device or file; may be called twice."""

    @abstractmethod
    def _advance(self) -> bool:
        """Move on to the next frame; False if there is none."""

    @abstractmethod
    def _restart(self) -> None:
        """Go back to before the first frame."""


def plausible_rate(rate: float) -> float:
    """Return a rate in Hz as a file or driver gives it, FALLBACK_RATE_HZ where it cannot be."""
    lowest, highest = _PLAUSIBLE_RATES_HZ
    return float(rate) if lowest <= rate <= highest else FALLBACK_RATE_HZ  # NaN falls through


def size_and_rate(capture: Any, rate: float, on_the_side: bool = False) -> str:
    """Return a cv2.VideoCapture's size, turned where it is on the side, and rate in Hz as text."""
    width, height = (
        int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if on_the_side:
        width, height = height, width
    return f"{width}x{height}, {rate:.4g} Hz"


def retrieve(capture: Any) -> Frame | None:
    """Return the frame that a cv2.VideoCapture grabbed last, (H, W, 3) uint8 BGR, None for none."""
    good, image = capture.retrieve()
    if not good or image is None or image.size == 0 or image.dtype != np.uint8:
        return None
    if image.ndim == 2 or image.shape[2] == 1:  # an infrared camera
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.asarray(image) if image.shape[2] == 3 else None
