"""The virtual robot face: shows /robot_expression as a moving face on /robot_face/image."""

from __future__ import annotations

import sys
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.mirroring.virtual_face import FaceAnimator, UnknownExpressionError, draw_face
from expression_ros.nodes.common.clock_watch import steady_clock
from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.common.publishing import publish
from expression_ros.nodes.common.running import run_node
from expression_ros.parameters.nodes import ROBOT_FACE_PARAMETERS


class RobotFace(Node):
    """Draws only while somebody watches; the movement goes on regardless.

    It does so in real time, also where the node's clock is a simulated one and stands still.
    """

    def __init__(self, **kwargs: Any):
        super().__init__("robot_face", **kwargs)
        self.parameters = NodeParameters(self, ROBOT_FACE_PARAMETERS)
        self.parameters.lock_fixed(True)
        self._animator = FaceAnimator(idle=self.parameters["idle"])
        self._strangers: set[str] = set()
        # Matches the mirror's latched topic: a face that starts late shows what holds now.
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publisher = self.create_publisher(
            Image, "robot_face/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        )
        self.create_subscription(String, "robot_expression", self._show, latched)
        steady = steady_clock()
        self.create_timer(1.0 / self.parameters["frame_rate"], self._draw, clock=steady)

    def _show(self, message: String) -> None:
        try:
            self._animator.set_target(message.data, self._now())
        except UnknownExpressionError as error:
            if message.data not in self._strangers:  # once per word, the topic may repeat it
                self._strangers.add(message.data)
                self.get_logger().warning(f"/robot_expression: {error}")

    def _draw(self) -> None:
        if not self._publisher.get_subscription_count():
            return
        shape = self._animator.shape_at(self._now())
        image = draw_face(shape, self.parameters["width"], self.parameters["height"])
        stamp = self.get_clock().now().to_msg()
        message = to_image_message(image, stamp, self.parameters["frame_id"])
        publish(self, self._publisher, message)

    def _now(self) -> float:
        return time.monotonic()


def main(args: list[str] | None = None) -> int:
    """Run the virtual face until SIGINT or SIGTERM."""
    return run_node(RobotFace, args)


if __name__ == "__main__":
    sys.exit(main())
