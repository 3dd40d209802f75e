"""Which time counts for an image of a bag: its stamp, or when it was recorded. Imports no ROS."""

from __future__ import annotations

from collections import Counter

from expression_ros.recognition.frame_time import FrameTime
from expression_ros.recordings.recorded_frames import SECOND_NS

_LEAST_NS = 1_000_000  # passes from image to image


class BagTimes:
    """Judges stamps as the recognizer node does, the time of recording being that of arrival.

    Attributes:
        restarted: whether with the last image the stamps turned out to have begun anew.
    """

    def __init__(self) -> None:
        self.restarted = False
        self._judge = FrameTime()
        self._reasons: Counter[str] = Counter()
        self._images = 0
        self._now_ns = 0
        self._stamp_ns = self._recorded_ns = 0  # of the last image

    def add(self, stamp_ns: int, recorded_ns: int) -> int:
        """Return the time of the next image in nanoseconds, which only moves ahead.

        Args:
            stamp_ns: of its header, 0 for none.
            recorded_ns: when it was recorded.
        """
        # Its decision is taken, not its time: in floats of today nanoseconds are lost.
        self._judge.seconds(stamp_ns / SECOND_NS, recorded_ns / SECOND_NS)
        self.restarted = self._judge.restarted
        if not self._images:
            self._now_ns = stamp_ns or recorded_ns
        elif self._judge.trusted:
            self._now_ns += max(_LEAST_NS, stamp_ns - self._stamp_ns)
        else:
            self._now_ns += max(_LEAST_NS, recorded_ns - self._recorded_ns)
        self._images += 1
        if not self._judge.trusted:
            self._reasons[self._judge.reason or "jump"] += 1
        self._stamp_ns, self._recorded_ns = stamp_ns, recorded_ns
        return self._now_ns

    def remark(self) -> str:
        """Return how many stamps did not count and mostly why, or nothing."""
        if not self._reasons:
            return ""
        reason = self._reasons.most_common(1)[0][0]
        return (
            f"the time of recording counts for {self._reasons.total():,} of {self._images:,} "
            f"images, whose stamps {reason}"
        )
