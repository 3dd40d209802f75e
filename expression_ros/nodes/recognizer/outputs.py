"""What the recognizer publishes about a frame, message by message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32MultiArray, Header, MultiArrayDimension, MultiArrayLayout, String

from expression_ros.nodes.common.image_messages import to_image_message, to_jpeg_message
from expression_ros.nodes.common.publishing import publish
from expression_ros.recognition.overlay import draw_overlay, with_privacy
from expression_ros.recognition.readings import FaceReading, FrameReading

try:
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose
except ImportError:  # not on every installation; the node says once that its topic is off
    Detection2DArray = None

TOPIC = "face_emotion"
_IMAGE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


def detections_available() -> bool:
    """Return whether vision_msgs is installed."""
    return Detection2DArray is not None


class RecognizerOutputs:
    """The publishers of the recognizer: made at activate, destroyed at deactivate.

    One that stands by does not count as a publisher: not as a second one of the labels, nor as one
    from which labels might come.

    Args:
        node: the recognizer.
    """

    def __init__(self, node: LifecycleNode):
        self._node = node
        self._label = node.create_lifecycle_publisher(String, TOPIC, 10)
        self._scores = node.create_lifecycle_publisher(Float32MultiArray, f"{TOPIC}/scores", 10)
        self._image = node.create_lifecycle_publisher(Image, f"{TOPIC}/image", _IMAGE_QOS)
        self._jpeg = node.create_lifecycle_publisher(
            CompressedImage, f"{TOPIC}/image/compressed", _IMAGE_QOS
        )
        self._detections = None
        if detections_available():
            self._detections = node.create_lifecycle_publisher(
                Detection2DArray, f"{TOPIC}/detections", 10
            )

    def close(self) -> None:
        """Destroy all publishers."""
        for publisher in (self._label, self._scores, self._image, self._jpeg, self._detections):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, reading: FrameReading, header: Header) -> None:
        """Publish labels, scores and detections of one frame; silence on /face_emotion if empty."""
        if self._detections is not None:
            publish(self._node, self._detections, detections_message(reading, header))
        face = reading.primary
        if face is not None:
            publish(self._node, self._scores, scores_message(face.scores))
            publish(self._node, self._label, String(data=face.label))

    def publish_overlay(
        self,
        reading: FrameReading,
        header: Header,
        bgr: Callable[[], np.ndarray],
        note: str,
        quality: int,
        privacy: str,
    ) -> None:
        """Draw and publish the overlay for those who subscribe; ``bgr`` is called only then.

        The array that ``bgr`` returns is drawn on.
        """
        wants_raw = self._image.get_subscription_count() > 0
        wants_jpeg = self._jpeg.get_subscription_count() > 0
        if not wants_raw and not wants_jpeg:
            return
        hidden = with_privacy(bgr(), (face.box for face in reading.faces), privacy)
        image = draw_overlay(hidden, reading, note)
        if wants_raw:
            publish(self._node, self._image, to_image_message(image, header.stamp, header.frame_id))
        if wants_jpeg:
            publish(
                self._node,
                self._jpeg,
                to_jpeg_message(image, header.stamp, header.frame_id, quality),
            )


def scores_message(scores: Mapping[str, float]) -> Float32MultiArray:
    """Return the scores with each label as the name of a dimension of size 1, in the same order."""
    count = len(scores)
    dimensions = [
        MultiArrayDimension(label=label, size=1, stride=count - k) for k, label in enumerate(scores)
    ]
    return Float32MultiArray(
        layout=MultiArrayLayout(dim=dimensions), data=[float(v) for v in scores.values()]
    )


def detections_message(reading: FrameReading, header: Header) -> Any:
    """Return the faces as vision_msgs/Detection2DArray with the image's own header."""
    message = Detection2DArray(header=header)
    message.detections = [_detection(face, header) for face in reading.faces]
    return message


def _detection(face: FaceReading, header: Header) -> Any:
    detection = Detection2D(header=header, id=str(face.id))
    x, y = face.box.centre
    detection.bbox.center.position.x = float(x)
    detection.bbox.center.position.y = float(y)
    detection.bbox.size_x = float(face.box.w)
    detection.bbox.size_y = float(face.box.h)
    results = sorted(face.scores.items(), key=lambda item: -item[1])
    # First what is said of the face everywhere else: the smoothed label, or that it is not sure.
    results.sort(key=lambda item: item[0] != face.label)
    if face.label not in face.scores:
        results.insert(0, (face.label, face.score))
    for label, score in results:
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = label
        result.hypothesis.score = float(score)
        detection.results.append(result)
    return detection
