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
from expression_ros.nodes.image_conversion import bgr_from_message

_ANSWER_S = 0.5  # how long a changed label waits for the robot's answer before it is told
_WATCHED = ("face_emotion", "face_emotion/image", "robot_expression", "robot_face/image")


class Observer(Node):
    """Joins labels, scores, overlay and the robot's answers into one row per processed frame.

    The overlay is published once for each processed frame, after its label and scores, and carries
    the frame's stamp: it is the clock here.

    Args:
        tell: called with one line for each change of what is seen or shown.
    """

    def __init__(self, tell: Callable[[str], None]):
        super().__init__("demo_observer")
        self.rows: list[TimelineRow] = []
        self.moments: list[Moment] = []
        self.last_frame_at = time.monotonic()
        self._tell = tell
        self._label = ""
        self._score: float | None = None
        self._robot = ""
        self._robot_picture: bytes | None = None
        self._first_stamp: float | None = None
        self._told = ("", "")
        self._changed_at: float | None = None
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        # In this order: an executor takes ready messages in the order of the subscriptions.
        self.create_subscription(Float32MultiArray, "face_emotion/scores", self._scores, 10)
        self.create_subscription(String, "face_emotion", self._emotion, 10)
        self.create_subscription(String, "robot_expression", self._expression, latched)
        self.create_subscription(Image, "robot_face/image", self._face, 2)
        self.create_subscription(Image, "face_emotion/image", self._overlay, 10)

    def missing_topics(self) -> list[str]:
        """Return the watched topics that nobody publishes yet."""
        return [topic for topic in _WATCHED if not self.count_publishers(topic)]

    def _scores(self, message: Float32MultiArray) -> None:
        self._score = max(message.data, default=None)

    def _emotion(self, message: String) -> None:
        self._label = message.data

    def _expression(self, message: String) -> None:
        self._robot = message.data

    def _face(self, message: Image) -> None:
        self._robot_picture = _jpeg(message)

    def _overlay(self, message: Image) -> None:
        self.last_frame_at = time.monotonic()
        stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec
        if self._first_stamp is None:
            self._first_stamp = stamp
        row = TimelineRow(stamp - self._first_stamp, self._label, self._score, self._robot)
        self.rows.append(row)
        self.moments.append(Moment(row.seconds, _jpeg(message), self._robot_picture))
        self._tell_changes(row)
        self._label, self._score = "", None

    def _tell_changes(self, row: TimelineRow) -> None:
        """Tell a new label together with the robot's answer, which comes a moment later."""
        label, robot = self._told
        if row.label == label and row.robot_expression == robot:
            self._changed_at = None
            return
        if self._changed_at is None:
            self._changed_at = row.seconds
        if row.robot_expression != robot or row.seconds - self._changed_at > _ANSWER_S:
            seen = f"{row.label} ({row.score:.1f})" if row.score is not None else "nobody"
            self._tell(f"{self._changed_at:5.1f} s  {seen}  -> {row.robot_expression}")
            self._told = (row.label, row.robot_expression)
            self._changed_at = None


def _jpeg(message: Image) -> bytes:
    return cv2.imencode(".jpg", bgr_from_message(message))[1].tobytes()
