"""The ways in which a robot is told its expression: one class for each type of output.

A new type is a class here with an entry in ``_TYPES``, and its name in
``robot_table.OUTPUT_TYPES``. Message packages are imported when a robot needs them, so that nobody
has to install those of others.
"""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from expression_ros.mirroring.joint_motion import JointMotion, TrajectoryPoint
from expression_ros.mirroring.robot_table import Output, Robot

# A word stays with the publisher for those who subscribe later; volatile subscriptions (ros2 topic
# echo, a robot's driver) match such a publisher as well.
WORD_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

_ACK_TIMEOUT_S = 0.2  # how long a last message may take to reach its subscribers
_NEWCOMER_DELAY_S = 0.5  # between seeing a subscription and trusting that it hears us too


class OutputError(ValueError):
    """An output cannot be used here: its messages are not installed, or its topic is refused."""


class RobotOutput(ABC):
    """One output of a robot. Times are seconds of the node's clock.

    Args:
        node: which publishes.
        output: type and topic.
        robot: its table.

    Raises:
        OutputError: the messages of this type are not installed, or ROS refuses the topic.
    """

    message: tuple[str, str]  # package, class
    qos: Any = 10

    def __init__(self, node: Node, output: Output, robot: Robot):
        self._node = node
        self.message_type = message_type(output.type)
        try:
            self._publisher = node.create_publisher(self.message_type, output.topic, self.qos)
        except Exception as error:  # rclpy has no common class for what can be wrong with a topic
            raise OutputError(f"cannot publish on {output.topic}: {error}") from None

    @abstractmethod
    def show(self, expression: str, now: float) -> None:
        """Tell the robot its new expression."""

    def update(self, now: float) -> None:  # noqa: B027 - most outputs have nothing to do in between
        """Do what is due; called all the time while the mirror is enabled."""

    def resume(self, expression: str, now: float) -> None:
        """Take over again, after others may have driven the robot."""
        self.show(expression, now)

    def leave(self, expression: str, now: float) -> None:
        """Show a last expression without delay, and wait until the message has arrived."""
        self.show(expression, now)
        self.flush()

    def flush(self) -> None:
        self._publisher.wait_for_all_acked(Duration(seconds=_ACK_TIMEOUT_S))

    def destroy(self) -> None:
        self._node.destroy_publisher(self._publisher)

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return self._publisher.topic_name

    @property
    def listeners(self) -> int:
        """How many subscriptions there are."""
        return self._publisher.get_subscription_count()


class LabelOutput(RobotOutput):
    """The robot's own word as a std_msgs/String, once for every change of expression."""

    message = ("std_msgs", "String")
    qos = WORD_QOS

    def show(self, expression: str, now: float) -> None:
        self._publisher.publish(self.message_type(data=expression))


class JointTrajectoryOutput(RobotOutput):
    """Trajectories for a ros2_control joint_trajectory_controller, or a driver like it.

    The stamp is zero, which the controller takes as "start now" (ros2_controllers,
    joint_trajectory_controller/src/trajectory.cpp). Where a controller that has just appeared has
    its joints is not known, so it is first sent to the present pose slowly enough to be safe from
    anywhere within the limits.
    """

    message = ("trajectory_msgs", "JointTrajectory")

    def __init__(self, node: Node, output: Output, robot: Robot):
        super().__init__(node, output, robot)
        self._point_type = _imported("trajectory_msgs", "JointTrajectoryPoint", output.type)
        self._names = [joint.name for joint in robot.joints]
        self._motion = JointMotion(robot.joints, robot.poses, robot.neutral)
        self._target = robot.neutral
        self._listeners = 0
        self._newcomer_since = math.nan  # when somebody appeared who has to be led to the target

    def show(self, expression: str, now: float) -> None:
        self._look_for_newcomers(now)
        self._target = expression
        if math.isnan(self._newcomer_since):
            self._publish(self._motion.command(expression, now))

    def update(self, now: float) -> None:
        self._look_for_newcomers(now)
        if math.isnan(self._newcomer_since):
            return
        self._newcomer_since = min(self._newcomer_since, now)  # the clock may go back
        ready = now - self._newcomer_since >= _NEWCOMER_DELAY_S
        # To others, who may be in the middle of a move, an approach is not smooth: let it end.
        if ready and self._motion.finished(now):
            self._approach(now)

    def resume(self, expression: str, now: float) -> None:
        self._target = expression
        self._approach(now)

    def leave(self, expression: str, now: float) -> None:
        self._target = expression
        if math.isnan(self._newcomer_since):
            self._publish(self._motion.command(expression, now))
        else:
            self._approach(now)
        self.flush()

    def _look_for_newcomers(self, now: float) -> None:
        listeners = self.listeners
        if listeners > self._listeners:
            self._newcomer_since = now
        self._listeners = listeners

    def _approach(self, now: float) -> None:
        self._newcomer_since = math.nan
        self._publish(self._motion.approach(self._target, now))

    def _publish(self, points: list[TrajectoryPoint]) -> None:
        message = self.message_type(joint_names=self._names)
        message.points = [
            self._point_type(
                positions=point.positions,
                velocities=point.velocities,
                time_from_start=Duration(seconds=point.time).to_msg(),
            )
            for point in points
        ]
        self._publisher.publish(message)


_TYPES: dict[str, type[RobotOutput]] = {
    "label": LabelOutput,
    "joint_trajectory": JointTrajectoryOutput,
}


def make_output(node: Node, output: Output, robot: Robot) -> RobotOutput:
    """Return the output of a robot's table; raises OutputError."""
    return _TYPES[output.type](node, output, robot)


def message_type(output_type: str) -> Any:
    """Return the message class of an output type; raises OutputError if it is not installed."""
    return _imported(*_TYPES[output_type].message, output_type)


def _imported(package: str, name: str, output_type: str) -> Any:
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        raise OutputError(
            f"output type {output_type} needs {package}/{name}, which is not installed: "
            f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
        ) from None
