"""A robot as a table: which of its expressions answers which emotion, and how they are shown.

Part of ``expression_ros.mirroring``: imports no ROS. A table is one YAML file; the shipped ones are
in ``config/robots/``, and docs/robots.md explains every key. This module is the way in; the parts
are ``robot``, ``robot_reader`` and ``yaml_tables``.
"""

from __future__ import annotations

from pathlib import Path

from expression_ros.mirroring.robot import (
    ANSWERS,
    CONCERN,
    EXPRESSION_TOPIC,
    OUTPUT_TYPES,
    Joint,
    Output,
    Robot,
)
from expression_ros.mirroring.robot_reader import RobotReader, RobotTableError
from expression_ros.mirroring.yaml_tables import find_table, read_table, table_names
from expression_ros.resources import config_path

__all__ = [
    "ANSWERS",
    "CONCERN",
    "EXPRESSION_TOPIC",
    "OUTPUT_TYPES",
    "Joint",
    "Output",
    "Robot",
    "RobotTableError",
    "available_robots",
    "load_robot",
    "robot_path",
]


def available_robots() -> list[str]:
    """Return the names of the shipped robot tables, sorted.

    Raises:
        ResourceError: the package's config folder is not installed.
    """
    return table_names(config_path("robots"))


def robot_path(name_or_path: str) -> Path:
    """Return the file of a robot's table.

    Raises:
        RobotTableError: there is no such robot, or the path is not absolute.
        ResourceError: the package's config folder is not installed.
    """
    return find_table(str(name_or_path), config_path("robots"), "robot", RobotTableError)


def load_robot(name_or_path: str) -> Robot:
    """Return the robot of a shipped table (``virtual_face``) or of a file (``/home/me/bot.yaml``).

    An emotion the table leaves out is answered by the robot's neutral expression, concern by that
    of sadness; a joint a pose leaves out stays where it is in the neutral pose.

    Raises:
        RobotTableError: there is no such robot, or its table is wrong: one line that says which
            file, what is wrong, and what to do.
        ResourceError: the package's config folder is not installed.
    """
    path = robot_path(name_or_path)
    return RobotReader(str(path)).robot(read_table(path, "robot", RobotTableError))
