"""Frames in their time: when those of a file are due, and which of a webcam are kept.

Imports no ROS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from expression_ros.frames.sources import Frame, FrameSource


class PlaybackSchedule:
    """When the frames of a file are due: frame n at start + n / rate, so that errors never add up.

    Where a file has stamps of its own, each frame is due by as much later as its stamp says.

    Args:
        rate: frames per second, above 0.
        now: the time in seconds, of any clock that never jumps, at which the first frame is due.
    """

    def __init__(self, rate: float, now: float):
        self.rate = rate
        self._last: float | None = None  # when the frame before was due
        self.restart(now)

    @property
    def due(self) -> float:
        """The time in seconds at which the next frame is due."""
        return self._start + self._frames / self.rate + self._uneven

    def advance(self, gap: float | None = None) -> None:
        """Go on to the next frame, ``gap`` seconds after this one; None for 1 / rate."""
        self._last = self.due
        self._frames += 1
        if gap is not None:
            self._uneven += gap - 1.0 / self.rate

    def frames_late(self, now: float) -> int:
        """Return by how many whole frames the playback is behind; these are to be passed over."""
        return max(0, int((now - self.due) * self.rate))

    def restart(self, now: float) -> None:
        """Make the next frame due now, and give up what was missed."""
        self._start, self._frames = now, 0
        self._uneven = 0.0  # seconds by which the frame is later than at an even rate
        self._last = None

    def set_rate(self, rate: float, now: float) -> None:
        """Go on at another rate: the next frame comes one new period after the last one."""
        if rate == self.rate:
            return
        last = self.due - 1.0 / self.rate if self._last is None else self._last
        self.rate = rate
        self.restart(max(last + 1.0 / rate, now))


class RateLimit:
    """Which frames of a webcam to keep so that they are no more than a number per second."""

    def __init__(self) -> None:
        self._due = 0.0

    def admits(self, now: float, rate: float) -> bool:
        """Return whether a frame taken at ``now`` (seconds) is kept; a ``rate`` of 0 keeps all."""
        if rate <= 0:
            return True
        period = 1.0 / rate
        self._due = min(self._due, now + period)  # the rate may have been lower before
        # A tenth of a period early is on time, or jitter would cost every other frame.
        if now < self._due - 0.1 * period:
            return False
        # From frame to frame the average holds; after a pause there is nothing to make up for.
        self._due = (self._due if now - self._due < period else now) + period
        return True


def frames_in_time(
    source: FrameSource, stopping: threading.Event, loop: bool = False
) -> Iterator[Frame]:
    """Yield the frames of a webcam as they come, those of a file when they are due.

    What is late is passed over, so that the speed stays true. Ends with the file, with the webcam,
    or when it is asked to.

    Args:
        source: what to read.
        stopping: set by the caller to end.
        loop: begin a file again at its end; not one without a single frame.

    Raises:
        SourceError: the file is no longer what it was at opening.
    """
    schedule = None if source.is_live else PlaybackSchedule(source.frame_rate, time.monotonic())
    while not stopping.is_set():
        if schedule is not None:
            stopping.wait(max(0.0, schedule.due - time.monotonic()))
            now = time.monotonic()
            while schedule.frames_late(now) and source.grab():
                schedule.advance(source.gap())
        frame = source.read()
        if frame is not None:
            yield frame
            if schedule is not None:
                schedule.advance(source.gap())
        elif loop and schedule is not None and source.position:
            source.rewind()
            schedule.restart(time.monotonic())
        else:
            return
