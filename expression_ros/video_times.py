"""When each frame of a video was taken: by its own time stamp, as far as that is plausible.

Imports no ROS and nothing else of this package.
"""

from __future__ import annotations

import math

_EVEN_S = 0.001  # by which containers round; what is nearer to the even pace is at it
_LEAST_S = 1e-6  # passes from frame to frame; what is less is an error of rounding
_BACK_S = 1.0  # by which single stamps are out of order; what goes back further has begun anew
_LONGEST_GAP_S = 3600.0  # a picture that stands still for longer is a broken stamp


class FrameTimes:
    """Turns the stamps of a video's frames into seconds since the first, ever later.

    Phones and screen recorders take pictures when they can: thirty a second in the sun and ten in
    the dusk, in one file. A stamp that does not move ahead, or leaps by an hour, is replaced by the
    pace that the file declares; where stamps begin anew (films that were joined), those that follow
    count from there.

    Args:
        rate: frames per second that the file declares, above 0.
    """

    def __init__(self, rate: float):
        self._rate = rate
        self._frames = 0
        self._last = 0.0
        self._offset = 0.0  # what to take off a stamp

    def add(self, stamp: float) -> float:
        """Return the time of the next frame in seconds; 0 for the first.

        Args:
            stamp: of the file, in seconds; NaN for none.
        """
        if self._frames == 0:
            self._offset = stamp if math.isfinite(stamp) else 0.0
        else:
            self._last = self._next(stamp)
        self._frames += 1
        return self._last

    def _next(self, stamp: float) -> float:
        even = self._last + 1.0 / self._rate
        if not math.isfinite(stamp):
            return even
        seconds = stamp - self._offset
        in_step = self._frames / self._rate
        if abs(seconds - in_step) <= _EVEN_S and in_step > self._last:
            return in_step  # without the rounding of the container
        if not self._last - _BACK_S <= seconds <= self._last + _LONGEST_GAP_S:
            self._offset = stamp - even
            return even
        return seconds if seconds > self._last + _LEAST_S else even
