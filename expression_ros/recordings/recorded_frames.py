"""What a recording is: frames in order, each with its stamp. Imports no ROS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SECOND_NS = 1_000_000_000


class RecordingError(ValueError):
    """A recording cannot be read; one line that says why and what to do."""


@dataclass(frozen=True)
class RecordedFrame:
    """One frame of a recording.

    Attributes:
        index: its place in the recording, counted from 0; what cannot be decoded counts.
        stamp_ns: when it was taken, in nanoseconds, see ``Recording.frames``.
        grey: (H, W) uint8, as the recognizer gets it from a camera; None if it cannot be decoded.
        reason: why it cannot, in one word for counting; else empty.
        problem: the same as a sentence.
        time_ns: when it counts as taken, in nanoseconds of a time that only moves ahead; None
            where that is stamp_ns.
        starts_anew: whether it belongs to another run than the frames before.
        file: name of the image file, where each frame is one; else empty.
    """

    index: int
    stamp_ns: int
    grey: np.ndarray | None
    reason: str = ""
    problem: str = ""
    file: str = ""
    time_ns: int | None = None
    starts_anew: bool = False

    @property
    def stamp(self) -> float:
        """When it counts as taken, in seconds."""
        seconds, nanoseconds = divmod(self.counted_ns, SECOND_NS)
        return seconds + 1e-9 * nanoseconds

    @property
    def counted_ns(self) -> int:
        """When it counts as taken, in nanoseconds."""
        return self.stamp_ns if self.time_ns is None else self.time_ns


class Recording(ABC):
    """A recorded session.

    Attributes:
        name: fit for the name of a file: that of the video, folder or bag, without suffix.
        description: what it is, for people.
        total: how many frames it says it has, for a progress bar; None if it does not say.
        has_photos: whether its frames are photos that have nothing to do with each other.
    """

    name: str
    description: str
    total: int | None = None
    has_photos: bool = False

    @abstractmethod
    def frames(self, every: int = 1) -> Iterator[RecordedFrame]:
        """Yield the frames in the order in which they were recorded, one of each ``every``.

        The stamps are those of the camera in a bag, else the time since the first frame.

        Raises:
            RecordingError: it is damaged here; the frames before were yielded.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the files; may be called twice."""

    def remark(self) -> str:
        """Return in one line what was odd about the stamps of the frames so far, or nothing."""
        return ""

    def missing(self, read: int) -> str:
        """Return in one line what of it could not be had after ``read`` frames, or nothing."""
        return ""
