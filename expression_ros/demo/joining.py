"""What belongs to one frame, joined by when it was published, and told by its time. No ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from expression_ros.demo.timeline import TimelineRow

Value = TypeVar("Value")

_ANSWER_S = 0.5  # how long a changed label waits for the robot's answer before it is told


class Published(Generic[Value]):
    """What was published on one topic, oldest first, until it is joined to a frame."""

    def __init__(self) -> None:
        self._values: deque[tuple[int, Value]] = deque()
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


class ChangeTeller:
    """Tells each change of what is seen or shown in a line, with the time at which it came.

    The robot's answer comes a moment after a new label: the line waits for it for half a second,
    and says the label and the score of the frame in which the label was new.

    Args:
        tell: called with each line.
    """

    def __init__(self, tell: Callable[[str], None]):
        self._tell = tell
        self._label, self._robot = "", ""  # told
        self._new: TimelineRow | None = None  # a frame with a label that is not told yet
        self._robot_before = ""  # what the robot showed in that frame

    def take(self, row: TimelineRow) -> None:
        """Take the next frame."""
        new = self._new
        if new is not None:
            late = row.seconds - new.seconds > _ANSWER_S
            if late or row.label != new.label:
                self._say(new, self._robot_before)
            elif row.robot_expression != self._robot:
                self._say(new, row.robot_expression)
        if self._new is None and row.label != self._label:
            self._new, self._robot_before = row, row.robot_expression
            if row.robot_expression != self._robot:
                self._say(row, row.robot_expression)
        elif self._new is None and row.robot_expression != self._robot:
            self._say(row, row.robot_expression)

    def finish(self) -> None:
        """Tell what waits for an answer."""
        if self._new is not None:
            self._say(self._new, self._robot_before)

    def _say(self, row: TimelineRow, robot: str) -> None:
        seen = "nobody"
        if row.label:
            seen = row.label if row.score is None else f"{row.label} ({row.score:.1f})"
        self._tell(f"{row.seconds:5.1f} s  {seen}  -> {robot}")
        self._label, self._robot, self._new = row.label, robot, None
