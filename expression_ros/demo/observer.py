"""Watches the topics of a running system and keeps what passes by, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray, String

from expression_ros.demo.side_by_side import Moment
from expression_ros.demo.timeline import TimelineRow
from expression_ros.images.conversion import bgr_from_message
from expression_ros.nodes.common.published import Published, timed

_WATCHED = ("face_emotion", "face_emotion/image", "robot_expression", "robot_face/image")


class Observer(Node):
    """Joins labels, scores, overlay and the robot's answers into one row per processed frame.

    std_msgs/String and Float32MultiArray carry no stamp. So messages are joined by when they were
    published, which the middleware tells of each (on Humble, by when they arrived): the recognizer
    publishes the scores, the label and then the overlay of a frame, before those of the next. A row
    is made when the next overlay has come: by then all of its frame is here, in whichever order
    topics were taken. Its time is the stamp of its frame, which the overlay carries.

    Args:
        tell: called with one line for each change of what is seen or shown.
    """

    def __init__(self, tell: Callable[[str], None]):
        super().__init__("demo_observer")
        self.rows: list[TimelineRow] = []
        self.moments: list[Moment] = []
        self.last_frame_at = time.monotonic()
        self._changes = ChangeTeller(tell)
        self._labels = Published[str]()
        self._scores = Published[float]()
        self._robot = Published[str]()
        self._robot_image = Published[bytes]()
        self._waiting: tuple[int, Image] | None = None  # an overlay, and when it was published
        self._first_stamp: float | None = None
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(
            Float32MultiArray, "face_emotion/scores", timed(self._take_scores), 10
        )
        self.create_subscription(String, "face_emotion", timed(self._take_label), 10)
        self.create_subscription(String, "robot_expression", timed(self._take_expression), latched)
        self.create_subscription(Image, "robot_face/image", timed(self._take_face), 2)
        self.create_subscription(Image, "face_emotion/image", timed(self._take_overlay), 10)

    def missing_topics(self) -> list[str]:
        """Return the watched topics that nobody publishes yet."""
        return [topic for topic in _WATCHED if not self.count_publishers(topic)]

    def finish(self) -> None:
        """Make the row of the last frame, and tell what has not been told yet."""
        if self._waiting is not None:
            self._make_row(*self._waiting)
            self._waiting = None
        self._changes.finish()

    def _take_scores(self, message: Float32MultiArray, at: int) -> None:
        if message.data:
            self._scores.add(at, max(message.data))

    def _take_label(self, message: String, at: int) -> None:
        self._labels.add(at, message.data)

    def _take_expression(self, message: String, at: int) -> None:
        self._robot.add(at, message.data)

    def _take_face(self, message: Image, at: int) -> None:
        self._robot_image.add(at, _jpeg(message))

    def _take_overlay(self, message: Image, at: int) -> None:
        self.last_frame_at = time.monotonic()
        if self._waiting is not None:
            self._make_row(*self._waiting)
        self._waiting = (at, message)

    def _make_row(self, at: int, overlay: Image) -> None:
        stamp = overlay.header.stamp.sec + 1e-9 * overlay.header.stamp.nanosec
        if self._first_stamp is None:
            self._first_stamp = stamp
        label, score = self._labels.until(at), self._scores.until(at)
        robot = self._robot.until(at, keep=True)
        row = TimelineRow(stamp - self._first_stamp, label or "", score, robot or "")
        self.rows.append(row)
        image = self._robot_image.until(at, keep=True)
        self.moments.append(Moment(row.seconds, _jpeg(overlay), image))
        self._changes.take(row)


def _jpeg(message: Image) -> bytes:
    return cv2.imencode(".jpg", bgr_from_message(message))[1].tobytes()


# Changes of what is seen and shown, told in lines that have the times of what they say. No ROS.
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
