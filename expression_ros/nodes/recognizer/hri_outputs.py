"""The faces as ROS4HRI (REP-155) wants them: humans/faces/tracked, and topics for each face."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from lifecycle_msgs.msg import State
from rclpy.lifecycle import LifecycleNode, LifecycleState
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.common.publishing import publish
from expression_ros.recognition.overlay import with_privacy_of_face
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.recognition.ros4hri import (
    PresentFaces,
    aligned_face,
    cropped_face,
    hri_word,
    valence_and_arousal,
)

try:
    from hri_msgs.msg import Expression, IdsList, NormalizedRegionOfInterest2D
except ImportError:  # not on every installation; the recognizer says once that the topics are off
    IdsList = None

# Relative: /humans/faces, and for a recognizer in a namespace its own, as for all its topics.
TOPIC = "humans/faces"
_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)  # as hri_face_detect publishes
_ACTIVE = LifecycleState("active", State.PRIMARY_STATE_ACTIVE)


def hri_available() -> bool:
    """Return whether hri_msgs is installed."""
    return IdsList is not None


class HriOutputs:
    """Publishes who is there, and of each face where it is, how it looks and what it expresses.

    Frames are published by the thread that reads them. A face's publishers are made and destroyed
    by the executor's thread, which waits for their events: one frame after the face has appeared.

    Args:
        node: the recognizer; hri_msgs must be installed.
    """

    def __init__(self, node: LifecycleNode):
        self._node = node
        self._present = PresentFaces(node.get_fully_qualified_name())
        self._lock = threading.Lock()  # of all below
        self._active = False
        self._ids: list[str] = []
        self._faces: dict[str, _FaceOutputs] = {}
        self._tracked = node.create_lifecycle_publisher(IdsList, f"{TOPIC}/tracked", _QOS)
        self._changed = node.create_guard_condition(self._follow)

    def start(self) -> None:
        """Begin with nobody; in the executor's thread, when the node has been activated."""
        with self._lock:
            self._present.restart()
            self._active = True

    def stop(self) -> None:
        """Say that nobody is there any more, and end; in the executor's thread."""
        self.nobody()
        with self._lock:
            self._active = False

    def close(self) -> None:
        """Stop, and destroy all publishers; in the executor's thread."""
        self.stop()
        self._node.destroy_guard_condition(self._changed)
        self._node.destroy_lifecycle_publisher(self._tracked)

    def publish(
        self,
        reading: FrameReading,
        header: Header,
        stamp: float,
        grey: np.ndarray,
        bgr: Callable[[], np.ndarray],
        privacy: str,
    ) -> None:
        """Publish one frame.

        Args:
            reading: what was read in it.
            header: the image's own.
            stamp: when the image was taken, as the pipeline was told, in seconds.
            grey: (H, W) uint8, the frame.
            bgr: returns the frame in colour, (H, W, 3) uint8; called only if somebody subscribes
                to an image.
            privacy: what the images of faces hide, see recognition.overlay.
        """
        with self._lock:
            if not self._active:
                return
            self._ids = self._present.update((face.id for face in reading.faces), stamp)
            if set(self._ids) != set(self._faces):
                self._changed.trigger()
            publish(self._node, self._tracked, IdsList(header=header, ids=self._ids))
            for face in reading.faces:
                outputs = self._faces.get(self._present.name(face.id))
                if outputs is not None:
                    outputs.publish(face, header, grey, bgr, privacy)

    def nobody(self) -> None:
        """Say that nobody is there, as when no more images come; in the executor's thread."""
        with self._lock:
            was_there, self._ids = bool(self._ids), []
            self._present.clear()
            if self._active and was_there:
                header = Header(stamp=self._node.get_clock().now().to_msg())
                publish(self._node, self._tracked, IdsList(header=header))
        self._follow()

    def _follow(self) -> None:
        """Make the publishers of faces that have appeared, destroy those of faces that are gone."""
        with self._lock:
            wanted = self._ids if self._active else []
            for name in set(self._faces) - set(wanted):
                self._faces.pop(name).destroy()
            for name in wanted:
                if name not in self._faces:
                    self._faces[name] = _FaceOutputs(self._node, f"{TOPIC}/{name}")


class _FaceOutputs:
    """The publishers of one face."""

    def __init__(self, node: LifecycleNode, topic: str):
        self._node = node

        def make(kind: type, name: str) -> Any:
            publisher: Any = node.create_lifecycle_publisher(kind, f"{topic}/{name}", _QOS)
            publisher.on_activate(_ACTIVE)  # the node is active, and activates no newcomers
            return publisher

        self._roi = make(NormalizedRegionOfInterest2D, "roi")
        self._expression = make(Expression, "expression")
        self._cropped = make(Image, "cropped")
        self._aligned = make(Image, "aligned")

    def destroy(self) -> None:
        for publisher in (self._roi, self._expression, self._cropped, self._aligned):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(
        self,
        face: FaceReading,
        header: Header,
        grey: np.ndarray,
        bgr: Callable[[], np.ndarray],
        privacy: str,
    ) -> None:
        publish(self._node, self._roi, roi_message(face, header, grey.shape))
        publish(self._node, self._expression, expression_message(face, header))
        if self._cropped.get_subscription_count() > 0:
            image = with_privacy_of_face(cropped_face(bgr(), face.box), privacy)
            publish(
                self._node, self._cropped, to_image_message(image, header.stamp, header.frame_id)
            )
        if self._aligned.get_subscription_count() > 0:
            image = with_privacy_of_face(aligned_face(bgr(), grey, face.box), privacy)
            publish(
                self._node, self._aligned, to_image_message(image, header.stamp, header.frame_id)
            )


def roi_message(face: FaceReading, header: Header, shape: tuple[int, ...]) -> Any:
    """Return the face's box as shares of the frame, 0 to 1, of which it is the part inside.

    Confidence is 1: a cascade sees a face or sees none.

    Args:
        face: of a frame.
        header: the frame's.
        shape: height and width of the frame in px.
    """
    height, width = shape[:2]

    def share(value: int, whole: int) -> float:
        return min(1.0, max(0.0, value / whole))

    box = face.box
    return NormalizedRegionOfInterest2D(
        header=header,
        xmin=share(box.x, width),
        ymin=share(box.y, height),
        xmax=share(box.x + box.w, width),
        ymax=share(box.y + box.h, height),
        c=1.0,
    )


def expression_message(face: FaceReading, header: Header) -> Any:
    """Return what the face expresses: the word, valence and arousal (-1 to 1), the score (0 to 1).

    The word is empty where the label is ``unknown``; valence and arousal are told all the same.
    """
    valence, arousal = valence_and_arousal(face.scores)
    return Expression(
        header=header,
        expression=hri_word(face.label),
        valence=valence,
        arousal=arousal,
        confidence=min(1.0, max(0.0, float(face.score))),
    )
