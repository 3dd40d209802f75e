"""What was published for one frame on several topics, joined by when it was published.

std_msgs carry no stamp, but the middleware tells of each message when it was published; what one
node publishes for a frame lies between what it publishes for the frames before and after. Imports
no ROS.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

_MOST = 1000  # values that wait to be joined; more come only where nobody joins them


def published_at(info: Any) -> int:
    """Return when a message was published, in nanoseconds of its publisher's clock.

    Args:
        info: what rclpy hands to a callback beside the message.
    """
    return int(info["source_timestamp"])


class Published(Generic[Value]):
    """What was published on one topic, oldest first, until it is joined to a frame."""

    def __init__(self) -> None:
        self._values: deque[tuple[int, Value]] = deque(maxlen=_MOST)
        self._kept: Value | None = None

    def add(self, at: int, value: Value) -> None:
        """Take a value that was published at a time in nanoseconds."""
        self._values.append((at, value))

    def until(self, at: int, keep: bool = False) -> Value | None:
        """Return the newest value published up to a time, and forget it and those before it.

        Args:
            at: nanoseconds.
            keep: a value holds until the next one; else it is of one frame, and None without one.
        """
        newest = self._kept if keep else None
        while self._values and self._values[0][0] <= at:
            newest = self._values.popleft()[1]
        self._kept = newest
        return newest
