"""The recognizer's own publishers, in this process, to time them alone."""

from __future__ import annotations

from typing import Any

import rclpy
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header, String

from expression_ros.nodes.recognizer.outputs import RecognizerOutputs
from expression_ros.recognition.readings import FrameReading


class FramePublisher:
    """Publishes readings as the recognizer does, to one subscriber of the label."""

    def __init__(self) -> None:
        self._context = rclpy.context.Context()

    def __enter__(self) -> FramePublisher:
        self._context.init()
        self._node = LifecycleNode(
            "publishing_bench", context=self._context, enable_communication_interface=False
        )
        self._outputs = RecognizerOutputs(self._node)
        self._node.trigger_configure()
        self._node.trigger_activate()
        self._node.create_subscription(String, "face_emotion", lambda _: None, 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._outputs.close()
        self._node.destroy_node()
        self._context.try_shutdown()

    def now(self) -> Any:
        """Return the time as a message."""
        return self._node.get_clock().now().to_msg()

    def publish(self, reading: FrameReading, header: Header) -> None:
        """Publish what the recognizer publishes about one frame."""
        self._outputs.publish(reading, header)
