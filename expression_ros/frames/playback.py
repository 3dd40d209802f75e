"""Frames in their time: when those of a file are due, and which of a webcam are kept.

Imports no ROS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from expression_ros.frames.sources import Frame, FrameSource, SourceError

_RATE_POLL_S = 0.1  # how soon a changed rate is noticed while waiting for a slow frame


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


class Playback:
    """The frames of a file, each when it is due.

    What is late is passed over, so that the speed stays true without bursts. To be walked through
    once, by one thread.

    Args:
        source: the file.
        stopping: set by the caller that wants no more.
        rate: returns the frames per second, 0 for the file's own times; it may change meanwhile.
        loop: returns whether the file begins again at its end.

    Attributes:
        passed_over: frames for which there was no time.
    """

    def __init__(
        self,
        source: FrameSource,
        stopping: threading.Event,
        rate: Callable[[], float] = lambda: 0.0,
        loop: Callable[[], bool] = lambda: False,
    ):
        self.passed_over = 0
        self._source = source
        self._stopping = stopping
        self._given_rate = rate
        self._loop = loop
        self._schedule = PlaybackSchedule(self._rate(), time.monotonic())

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames, (H, W, 3) uint8 BGR, to the end of the file or until nobody wants more.

        Raises:
            SourceError: the file is no longer what it was at opening.
        """
        self.restart()
        while not self._stopping.is_set():
            self._catch_up()
            frame = self._next()
            if frame is None or not self._wait_until_due():
                return
            yield frame
            self._schedule.advance(self._gap())

    def restart(self) -> None:
        """Take this moment for the one at which the present frame was due."""
        self._schedule.restart(time.monotonic())

    def _rate(self) -> float:
        return self._given_rate() or self._source.frame_rate

    def _gap(self) -> float | None:
        """Return by what the file's own stamps part the next frame from this, None for evenly."""
        return None if self._given_rate() else self._source.gap()

    def _catch_up(self) -> None:
        """Pass over the frames whose time is over."""
        schedule = self._schedule
        schedule.set_rate(self._rate(), time.monotonic())
        now = time.monotonic()
        was_late = schedule.frames_late(now) > 0
        while schedule.frames_late(now):
            if self._stopping.is_set() or not self._source.grab():
                break
            self.passed_over += 1
            schedule.advance(self._gap())
        # Passing over costs time as well: who is still late cannot keep up, or the file has ended.
        if was_late and schedule.frames_late(time.monotonic()):
            self.restart()

    def _next(self) -> Frame | None:
        """Return the next frame, of the next round where the file is looped, or None at the end."""
        frame = self._source.read()
        if frame is not None or not self._loop():
            return frame
        self._source.rewind()
        frame = self._source.read()
        if frame is None:
            raise SourceError(f"{self._source.description} can no longer be read; was it changed?")
        return frame

    def _wait_until_due(self) -> bool:
        """Return True when the next frame is due, False when nobody wants it any more."""
        while (left := self._schedule.due - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _RATE_POLL_S)):
                return False
            self._schedule.set_rate(self._rate(), time.monotonic())
        return not self._stopping.is_set()


def frames_in_time(
    source: FrameSource, stopping: threading.Event, loop: bool = False
) -> Iterator[Frame]:
    """Yield the frames of a webcam as they come, those of a file when they are due.

    Ends with the file, with the webcam, or when it is asked to.

    Args:
        source: what to read.
        stopping: set by the caller that wants no more.
        loop: begin a file again at its end; not one without a single frame.

    Raises:
        SourceError: the file is no longer what it was at opening.
    """
    if not source.is_live:
        yield from Playback(source, stopping, loop=lambda: loop)
        return
    while not stopping.is_set() and (frame := source.read()) is not None:
        yield frame
