"""The ways in which a robot is told its expression: one class for each type of output.

Those that are one message are here. A new type is a class with an entry in the table at the end,
and its ROS interface in ``robot.OUTPUT_INTERFACES``. Message packages are imported when a robot
needs them, so that nobody has to install those of others.
"""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from expression_ros.mirroring.behaviour import Command
from expression_ros.mirroring.output_timing import ColourFade
from expression_ros.mirroring.robot_table import Output, Robot
from expression_ros.nodes.mirror.outputs_base import (
    OutputError,
    RobotOutput,
    TopicOutput,
    interface_of,
)
from expression_ros.nodes.mirror.outputs_joints import JointTrajectoryOutput
from expression_ros.nodes.mirror.outputs_service import ServiceOutput

# The last message stays with the publisher for those who subscribe later; volatile subscriptions
# (ros2 topic echo, a robot's driver) match such a publisher as well.
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

_LED_PERIOD_S = 0.04  # 25 colours a second while a fade lasts


class LabelOutput(TopicOutput):
    """The robot's own word as a std_msgs/String, once for every change of expression."""

    qos = LATCHED

    def show(self, command: Command, now: float) -> None:
        """Publish the robot's word for the expression."""
        self.publish(self.interface(data=command.expression))


class ExpressionOutput(TopicOutput):
    """The word with valence and arousal as a hri_msgs/Expression.

    Intensity moves valence and arousal between those of neutral and those of the word.
    """

    qos = LATCHED

    def show(self, command: Command, now: float) -> None:
        """Publish valence and arousal, between neutral and full by the intensity."""
        neutral = self._robot.affect[self._robot.neutral]
        full = self._robot.affect[command.expression]
        valence, arousal = (
            a + command.intensity * (b - a) for a, b in zip(neutral, full, strict=True)
        )
        message = self.interface(
            expression=command.expression, valence=valence, arousal=arousal, confidence=1.0
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self.publish(message)

    def adjust(self, command: Command, now: float) -> None:
        """Publish them at another intensity."""
        self.show(command, now)


class LedOutput(TopicOutput):
    """The colour of the expression as a std_msgs/ColorRGBA, many times while it fades."""

    qos = LATCHED

    def __init__(self, node: Node, output: Output, robot: Robot):
        super().__init__(node, output, robot)
        self._fade = ColourFade(robot.colours, robot.neutral)
        self._fading = False
        self._next = 0.0  # s, when the next colour of a fade is due

    def show(self, command: Command, now: float) -> None:
        """Fade to the colour of the expression."""
        duration = max(self.output.fade, command.duration)
        self._fade.start(command.expression, now, duration, command.intensity)
        self._fading, self._next = True, now
        self.update(now)

    def adjust(self, command: Command, now: float) -> None:
        """Fade to the same colour at another intensity."""
        self.show(command, now)

    def update(self, now: float) -> None:
        """Publish the next colour of a fade when it is due."""
        super().update(now)
        finished = self._fade.finished(now)
        if self._fading and (finished or now >= self._next):
            self._fading, self._next = not finished, now + _LED_PERIOD_S
            self._publish(now)

    def leave(self, command: Command, now: float) -> None:
        """Publish the last colour at once; see RobotOutput.leave."""
        self._fade.start(command.expression, now, 0.0, command.intensity)
        self._fading = False
        self._publish(now)
        self.flush()

    def _publish(self, now: float) -> None:
        red, green, blue, opacity = self._fade.at(now)
        self.publish(self.interface(r=red, g=green, b=blue, a=opacity))


__all__ = [
    "CLASSES",
    "LabelOutput",
    "OutputError",
    "RobotOutput",
    "TopicOutput",
    "interface_of",
    "make_output",
]

CLASSES: dict[str, type[RobotOutput]] = {
    "label": LabelOutput,
    "joint_trajectory": JointTrajectoryOutput,
    "led": LedOutput,
    "expression": ExpressionOutput,
    "service": ServiceOutput,
}


def make_output(node: Node, output: Output, robot: Robot) -> RobotOutput:
    """Return the output of a robot's table; raises OutputError."""
    return CLASSES[output.type](node, output, robot)
