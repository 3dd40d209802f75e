"""The ways in which a robot is told its expression: one class for each type of output.

A new type is a class with an entry here, and its ROS interface in ``robot.OUTPUT_INTERFACES``.
Message packages are imported when a robot needs them, so that nobody has to install those of
others.
"""

from __future__ import annotations

from rclpy.node import Node

from expression_ros.mirroring.robot_table import Output, Robot
from expression_ros.nodes.mirror.outputs_base import (
    OutputError,
    RobotOutput,
    TopicOutput,
    interface_of,
)
from expression_ros.nodes.mirror.outputs_joints import JointTrajectoryOutput
from expression_ros.nodes.mirror.outputs_service import ServiceOutput
from expression_ros.nodes.mirror.outputs_topics import ExpressionOutput, LabelOutput, LedOutput

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
