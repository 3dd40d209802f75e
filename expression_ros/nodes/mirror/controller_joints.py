"""Whether the controllers behind a topic of trajectories move the joints of a robot's table.

A controller that lacks a joint of a trajectory refuses all of it, in its own log alone. Its joints
are a parameter (ros2_controllers, joint_trajectory_controller), which any node may ask for; that
takes no message package that is not installed everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node

from expression_ros.nodes.common.endpoints import UNNAMED, full_name

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
