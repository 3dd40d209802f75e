"""Watches the topics of a running system and keeps what passes by, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray, String

from expression_ros.demo.changes import ChangeTeller
from expression_ros.demo.side_by_side import Moment
from expression_ros.demo.timeline import TimelineRow
from expression_ros.nodes.image_conversion import bgr_from_message
from expression_ros.nodes.published import Published, published_at

_WATCHED = ("face_emotion", "face_emotion/image", "robot_expression", "robot_face/image")


class Observer(Node):
    """Joins labels, scores, overlay and the robot's answers into one row per processed frame.

    std_msgs/String and Float32MultiArray carry no stamp. So messages are joined by when they were
    published, which the middleware tells of each: the recognizer publishes the scores, the label
    and then the overlay of a frame, before those of the next. A row is made when the next overlay
    has come: by then all of its frame is here, in whichever order topics were taken. Its time is
    the stamp of its frame, which the overlay carries.

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
        self._robot_picture = Published[bytes]()
        self._waiting: tuple[int, Image] | None = None  # an overlay, and when it was published
        self._first_stamp: float | None = None
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(Float32MultiArray, "face_emotion/scores", self._take_scores, 10)
        self.create_subscription(String, "face_emotion", self._take_label, 10)
        self.create_subscription(String, "robot_expression", self._take_expression, latched)
        self.create_subscription(Image, "robot_face/image", self._take_face, 2)
        self.create_subscription(Image, "face_emotion/image", self._take_overlay, 10)

    def missing_topics(self) -> list[str]:
        """Return the watched topics that nobody publishes yet."""
        return [topic for topic in _WATCHED if not self.count_publishers(topic)]

    def finish(self) -> None:
        """Make the row of the last frame, and tell what has not been told yet."""
        if self._waiting is not None:
            self._make_row(*self._waiting)
            self._waiting = None
        self._changes.finish()

    def _take_scores(self, message: Float32MultiArray, info: Any) -> None:
        if message.data:
            self._scores.add(published_at(info), max(message.data))

    def _take_label(self, message: String, info: Any) -> None:
        self._labels.add(published_at(info), message.data)

    def _take_expression(self, message: String, info: Any) -> None:
        self._robot.add(published_at(info), message.data)

    def _take_face(self, message: Image, info: Any) -> None:
        self._robot_picture.add(published_at(info), _jpeg(message))

    def _take_overlay(self, message: Image, info: Any) -> None:
        self.last_frame_at = time.monotonic()
        if self._waiting is not None:
            self._make_row(*self._waiting)
        self._waiting = (published_at(info), message)

    def _make_row(self, at: int, overlay: Image) -> None:
        stamp = overlay.header.stamp.sec + 1e-9 * overlay.header.stamp.nanosec
        if self._first_stamp is None:
            self._first_stamp = stamp
        label, score = self._labels.until(at), self._scores.until(at)
        robot = self._robot.until(at, keep=True)
        row = TimelineRow(stamp - self._first_stamp, label or "", score, robot or "")
        self.rows.append(row)
        picture = self._robot_picture.until(at, keep=True)
        self.moments.append(Moment(row.seconds, _jpeg(overlay), picture))
        self._changes.take(row)


def _jpeg(message: Image) -> bytes:
    return cv2.imencode(".jpg", bgr_from_message(message))[1].tobytes()
