"""Trajectories for the joints of a head, and whether the controllers behind the topic move them.

A controller that lacks a joint of a trajectory refuses all of it, in its own log alone. Its joints
are a parameter (ros2_controllers, joint_trajectory_controller), which any node may ask for; that
takes no message package that is not installed everywhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.duration import Duration
from rclpy.node import Node

from expression_ros.mirroring.behaviour import Command
from expression_ros.mirroring.joint_motion import JointMotion, TrajectoryPoint
from expression_ros.mirroring.robot_table import Output, Robot
from expression_ros.nodes.common.interfaces import interface_class
from expression_ros.nodes.common.topics import UNNAMED, full_name
from expression_ros.nodes.mirror.outputs_base import TopicOutput

_NAMES = ("joints", "allow_partial_joints_goal")
_ASK_AGAIN_S = 5.0  # a controller that is configured anew may have other joints
_PATIENCE_S = 2.0  # for an answer


def mismatch(
    controller: str, theirs: Sequence[str], ours: Sequence[str], partial: bool, robot: str
) -> str:
    """Return why a controller would refuse a robot's trajectories, with the remedy, or "".

    Args:
        controller: full name of its node.
        theirs: joints of the controller, empty if it is none.
        ours: joints of the trajectories.
        partial: whether it takes trajectories for some of its joints.
        robot: name of the robot's table.
    """
    if not theirs:
        return ""
    foreign = [name for name in ours if name not in theirs]
    if foreign:
        return (
            f"{controller} moves {', '.join(theirs)} and not {', '.join(foreign)}, so that it "
            f"refuses every expression: correct the joints in the table of {robot}, or the "
            "controller's parameter joints"
        )
    missing = [name for name in theirs if name not in ours]
    if missing and not partial:
        return (
            f"{controller} refuses trajectories without {', '.join(missing)}: add them to the "
            f"table of {robot}, or set the controller's allow_partial_joints_goal to true"
        )
    return ""


class ControllerJoints:
    """Asks the nodes that subscribe a topic for their joints, without ever waiting.

    Args:
        node: which asks.
        topic: of the trajectories.
        joints: of the trajectories.
        robot: name of the robot's table.
    """

    def __init__(self, node: Node, topic: str, joints: Sequence[str], robot: str):
        self._node = node
        self._topic = topic
        self._joints = joints
        self._robot = robot
        self._clients: dict[str, Any] = {}  # by the node's full name
        self._calls: dict[str, tuple[Any, float]] = {}  # the call under way and its end
        self._asked: dict[str, float] = {}
        self._told: dict[str, str] = {}

    @property
    def problem(self) -> str:
        """Why a controller refuses the robot's trajectories, with the remedy; empty if none does.

        Looked up anew at each call, from answers that have come since the last.
        """
        infos = self._node.get_subscriptions_info_by_topic(self._topic)
        names = {full_name(info) for info in infos if full_name(info) != UNNAMED}
        for name in set(self._clients) - names:
            self._forget(name)
        for name in names:
            self._follow(name, time.monotonic())
        return "; ".join(text for _, text in sorted(self._told.items()) if text)

    def close(self) -> None:
        """Destroy what was needed to ask."""
        for name in list(self._clients):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._node.destroy_client(self._clients.pop(name))
        self._calls.pop(name, None)
        self._asked.pop(name, None)
        self._told.pop(name, None)

    def _follow(self, name: str, now: float) -> None:
        if name not in self._clients:
            self._clients[name] = self._node.create_client(GetParameters, f"{name}/get_parameters")
        client = self._clients[name]
        if name in self._calls:
            future, end = self._calls[name]
            if future.done():
                del self._calls[name]
                self._told[name] = self._judged(name, future)
            elif now > end:
                client.remove_pending_request(future)
                del self._calls[name]
            return
        due = now - self._asked.get(name, -_ASK_AGAIN_S) >= _ASK_AGAIN_S
        if due and client.service_is_ready():
            self._asked[name] = now
            future = client.call_async(GetParameters.Request(names=list(_NAMES)))
            self._calls[name] = (future, now + _PATIENCE_S)

    def _judged(self, name: str, future: Any) -> str:
        values = [] if future.exception() else future.result().values
        # A node that lacks one of them answers with nothing at all (rclcpp), or with "not set".
        theirs: list[str] = []
        partial = True
        for value in values:
            if value.type == ParameterType.PARAMETER_STRING_ARRAY:
                theirs = list(value.string_array_value)
            elif value.type == ParameterType.PARAMETER_BOOL:
                partial = value.bool_value
        return mismatch(name, theirs, self._joints, partial, self._robot)


_NEWCOMER_DELAY_S = 0.5  # between seeing a subscription and trusting that messages reach it


class JointTrajectoryOutput(TopicOutput):
    """Trajectories for a ros2_control joint_trajectory_controller, or a driver like it.

    The stamp is zero, which the controller takes as "start now" (ros2_controllers,
    joint_trajectory_controller/src/trajectory.cpp). Where a controller that has just appeared has
    its joints is not known, so it is first sent to the present pose slowly enough to be safe from
    anywhere within the limits.
    """

    def __init__(self, node: Node, output: Output, robot: Robot):
        super().__init__(node, output, robot)
        self._point_type = interface_class("trajectory_msgs/msg/JointTrajectoryPoint")
        joints = robot.joints_of(output)
        self._names = [joint.name for joint in joints]
        self._motion = JointMotion(joints, robot.poses_of(output), robot.neutral)
        self._target = Command(robot.neutral)
        self._listeners = 0
        self._controllers = ControllerJoints(node, self.topic, self._names, robot.name)
        self._newcomer_since = math.nan  # when somebody appeared who has to be led to the target

    @property
    def problem(self) -> str:
        """Nobody subscribes, or a controller has other joints; see RobotOutput.problem."""
        return super().problem or self._controllers.problem

    def destroy(self) -> None:
        """Destroy the publisher and what asks the controllers."""
        self._controllers.close()
        super().destroy()

    def show(self, command: Command, now: float) -> None:
        """Move the joints to a new pose."""
        self._look_for_newcomers(now)
        self._target = command
        if math.isnan(self._newcomer_since):
            self._move(now)

    def adjust(self, command: Command, now: float) -> None:
        """Move the joints to the same pose at another intensity."""
        self.show(command, now)

    def update(self, now: float) -> None:
        """Send what newcomers missed, and what could not be sent; see RobotOutput.update."""
        self._look_for_newcomers(now)
        if self._unsent is not None:  # by now it would begin too late, and from elsewhere
            self._unsent, self._newcomer_since = None, now
        if math.isnan(self._newcomer_since):
            return
        self._newcomer_since = min(self._newcomer_since, now)  # the clock may go back
        ready = now - self._newcomer_since >= _NEWCOMER_DELAY_S
        # To others, who may be in the middle of a move, an approach is not smooth: let it end.
        if ready and self._motion.finished(now):
            self._approach(now)

    def resume(self, command: Command, now: float) -> None:
        """Move from wherever others may have left the joints."""
        self._target = command
        self._approach(now)

    def leave(self, command: Command, now: float) -> None:
        """See RobotOutput.leave."""
        self._target = command
        if math.isnan(self._newcomer_since):
            self._move(now)
        else:
            self._approach(now)
        self.flush()

    def _look_for_newcomers(self, now: float) -> None:
        listeners = self.listeners
        if listeners > self._listeners:
            self._newcomer_since = now
        self._listeners = listeners

    def _move(self, now: float) -> None:
        target = self._target
        self._publish(
            self._motion.command(target.expression, now, target.intensity, target.duration)
        )

    def _approach(self, now: float) -> None:
        self._newcomer_since = math.nan
        target = self._target
        self._publish(self._motion.approach(target.expression, now, target.intensity))

    def _publish(self, points: list[TrajectoryPoint]) -> None:
        message = self.interface(joint_names=self._names)
        message.points = [
            self._point_type(
                positions=point.positions,
                velocities=point.velocities,
                time_from_start=Duration(seconds=point.time).to_msg(),
            )
            for point in points
        ]
        self.publish(message)
