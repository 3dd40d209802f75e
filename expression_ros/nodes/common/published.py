"""Reads what the recognizer publishes: its scores, and all that belongs to one frame.

std_msgs carry no stamp, but the middleware tells of each message when it was published; what one
node publishes for a frame lies between what it publishes for the frames before and after.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from std_msgs.msg import Float32MultiArray


def scores_of(message: Float32MultiArray) -> dict[str, float]:
    """Return the score of every label, which is named in the message's layout.

    Raises:
        ValueError: there are not as many labels as scores.
    """
    labels = [dimension.label for dimension in message.layout.dim]
    if len(labels) != len(message.data):
        raise ValueError(f"{len(message.data)} scores with {len(labels)} labels in the layout")
    return dict(zip(labels, message.data, strict=True))


Value = TypeVar("Value")

_MOST = 1000  # values that wait to be joined; more come only where nobody joins them


def timed(take: Callable[[Any, int], None], is_told: bool | None = None) -> Callable[..., None]:
    """Return a callback of a subscription that hands on a message and when it was published.

    Args:
        take: takes both, the time in nanoseconds of the publisher's clock.
        is_told: whether rclpy tells when a message was published, which that of Humble does not:
            then it is when it arrived. As this rclpy does when left out.
    """
    if is_told is None:
        from rclpy.subscription import Subscription

        is_told = hasattr(Subscription, "CallbackType")
    if is_told:
        return lambda message, info: take(message, int(info["source_timestamp"]))
    return lambda message: take(message, time.time_ns())


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
