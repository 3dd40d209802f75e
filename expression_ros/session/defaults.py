"""The mirror without its node, set as the node is by default.

For the window and the page; imports no ROS. The table of parameters is plain data.
"""

from __future__ import annotations

from typing import Any

from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.mirroring.robot_table import Robot
from expression_ros.mirroring.styles import Style
from expression_ros.parameters.nodes import MIRROR_PARAMETERS

_MIRROR: dict[str, Any] = {spec.name: spec.default for spec in MIRROR_PARAMETERS}
_TIMES = ("min_hold", "neutral_after", "cooldown", "attack", "release", "full_score")


def behaviour_as_node(robot: Robot, style: Style) -> MirrorBehaviour:
    """Return what decides in the node ``mirror`` what the robot shows."""
    times: dict[str, Any] = {name: float(_MIRROR[name]) for name in _TIMES}
    return MirrorBehaviour(robot, **times, style=style)
