"""Changes of what is seen and shown, told in lines that have the times of what they say. No ROS."""

from __future__ import annotations

from collections.abc import Callable

from expression_ros.demo.timeline import TimelineRow

_ANSWER_S = 0.5  # how long a changed label waits for the robot's answer before it is told


class ChangeTeller:
    """Tells each change of what is seen or shown in a line, with the time at which it came.

    The robot's answer comes a moment after a new label: the line waits for it for half a second.
    It begins with the time, the label and the score of the frame in which the label was new, and
    says when the answer came if that was in a later frame.

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
                self._say(new, row.robot_expression, row.seconds)
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

    def _say(self, row: TimelineRow, robot: str, answered_at: float | None = None) -> None:
        seen = "nobody"
        if row.label:
            seen = row.label if row.score is None else f"{row.label} ({row.score:.2f})"
        when = "" if answered_at is None else f" at {answered_at:.1f} s"
        self._tell(f"{row.seconds:5.1f} s  {seen}  -> {robot}{when}")
        self._label, self._robot, self._new = row.label, robot, None
