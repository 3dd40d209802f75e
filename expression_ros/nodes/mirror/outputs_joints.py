"""Trajectories for the joints of a head."""

from __future__ import annotations

import math

from rclpy.duration import Duration
from rclpy.node import Node

from expression_ros.mirroring.behaviour import Command
from expression_ros.mirroring.joint_motion import JointMotion, TrajectoryPoint
from expression_ros.mirroring.robot_table import Output, Robot
from expression_ros.nodes.common.interfaces import interface_class
from expression_ros.nodes.mirror.controller_joints import ControllerJoints
from expression_ros.nodes.mirror.outputs_base import TopicOutput

_NEWCOMER_DELAY_S = 0.5  # between seeing a subscription and trusting that it hears us too


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
        return super().problem or self._controllers.problem

    def destroy(self) -> None:
        self._controllers.close()
        super().destroy()

    def show(self, command: Command, now: float) -> None:
        self._look_for_newcomers(now)
        self._target = command
        if math.isnan(self._newcomer_since):
            self._move(now)

    def adjust(self, command: Command, now: float) -> None:
        self.show(command, now)

    def update(self, now: float) -> None:
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
        self._target = command
        self._approach(now)

    def leave(self, command: Command, now: float) -> None:
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
