"""``expression-ros robots``: lists and checks the robots' tables, and prints one for a person.

Part of ``expression_ros.commands``: imports no ROS by itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from expression_ros.mirroring.interfaces import NotInstalledError, interface_class
from expression_ros.mirroring.joint_motion import JointMotion
from expression_ros.mirroring.robot_table import (
    ANSWERS,
    CONCERN,
    Robot,
    RobotTableError,
    available_robots,
    load_robot,
    robot_path,
)
from expression_ros.mirroring.styles import available_styles, load_style

_WIDTH = 100  # characters of a line of text


def add_robots_parser(commands: Any) -> None:
    """Add ``robots`` and ``robots show`` to the subparsers of the command line."""
    parser = commands.add_parser("robots", help="list and check the robots, show one's table")
    parser.set_defaults(func=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    show = actions.add_parser("show", help="print a robot's table, checked")
    show.add_argument("robot", metavar="NAME", help="a name from the list, or a YAML file")
    show.set_defaults(func=_show)


def _list(_: argparse.Namespace) -> int:
    """Print one line per shipped robot; return 2 if a table is wrong."""
    rows, remarks, wrong = [("ROBOT", "OUTPUTS", "")], [], False
    not_installed: set[str] = set()
    for name in available_robots():
        try:
            robot = load_robot(name)
        except RobotTableError as error:
            rows.append((name, "", "wrong"))
            remarks.append(str(error))
            wrong = True
            continue
        missing = missing_types(robot)
        outputs = ", ".join(dict.fromkeys(output.type for output in robot.outputs))
        needs = ", ".join(sorted({name.split("/")[0] for name in missing}))
        rows.append((name, outputs, f"needs {needs}" if needs else "ready"))
        remarks += missing.values()
        not_installed |= set(missing.values())
    print("\n".join(_columns(rows)))
    print()
    for style in map(load_style, available_styles()):
        print(f"style {style.name}: {style.description}")
    if importlib.util.find_spec("rclpy") is None:
        print("\nROS 2 is not here (sourced or installed): which types are, is not known.")
        remarks = [remark for remark in remarks if remark not in not_installed]
    for remark in dict.fromkeys(remarks):
        print(f"\n{remark}")
    return 2 if wrong else 0


def _show(args: argparse.Namespace) -> int:
    """Print the table of one robot."""
    name = args.robot
    if "/" in name or name.lower().endswith((".yaml", ".yml")):
        name = _absolute(name)
    robot = load_robot(name)
    print("\n".join(robot_lines(robot)))
    print(f"\ntable: {robot_path(name)}")
    for remark in missing_types(robot).values():
        print(f"\n{remark}")
    return 0


def _absolute(name: str) -> str:
    try:
        return os.path.abspath(os.path.expanduser(name))
    except OSError as error:
        raise RobotTableError(
            f"{name}: the current folder is gone ({error.strerror}): give the absolute path"
        ) from None


def missing_types(robot: Robot) -> dict[str, str]:
    """Return the ROS types of a robot's outputs that are not installed, each with the remedy."""
    missing = {}
    for output in robot.outputs:
        try:
            interface_class(output.interface)
        except NotInstalledError as error:
            missing[output.interface] = str(error)
    return missing


def robot_lines(robot: Robot) -> list[str]:
    """Return a robot's table as lines for a person to read."""
    lines = [f"{robot.name}: {robot.description}" if robot.description else robot.name]
    if robot.checked_against:
        lines += textwrap.wrap(f"Checked against {robot.checked_against}.", _WIDTH)
    lines += ["", *_output_lines(robot), "", *_expression_lines(robot)]
    if robot.joints:
        lines += ["", *_limit_lines(robot), "", *_pose_lines(robot)]
    return lines


def _output_lines(robot: Robot) -> list[str]:
    rows: list[Sequence[str]] = [("OUTPUT", "TOPIC OR SERVICE", "ROS TYPE", "")]
    for output in robot.outputs:
        detail = ""
        if output.type == "joint_trajectory":
            motion = JointMotion(robot.joints_of(output), robot.poses_of(output), robot.neutral)
            detail = f"{len(robot.joints_of(output))} joints, moves of {motion.move_time:.2f} s"
        elif output.type == "led":
            detail = f"fades for {output.fade:g} s"
        elif output.type == "service":
            detail = f"word in {output.field}, time limit {output.timeout:g} s"
        rows.append((output.type, output.topic, output.interface, detail))
    return _columns(rows)


def _expression_lines(robot: Robot) -> list[str]:
    heads = ["EMOTION", "THE ROBOT'S WORD"]
    heads += ["VALENCE", "AROUSAL"] if robot.affect else []
    heads += ["RED", "GREEN", "BLUE", "OPACITY"] if robot.colours else []
    rows: list[Sequence[str]] = [heads]
    for answer in ANSWERS:
        word = robot.expression_for(answer)
        if answer == CONCERN and word == robot.expressions["sadness"]:
            continue
        numbers = [f"{value:+.2f}" for value in robot.affect.get(word, ())]
        numbers += [f"{value:.2f}" for value in robot.colours.get(word, ())]
        rows.append([answer, word, *numbers])
    return _columns(rows)


def _limit_lines(robot: Robot) -> list[str]:
    rows: list[Sequence[str]] = [("JOINT", "MIN", "MAX", "VELOCITY", "ACCELERATION")]
    for joint in robot.joints:
        most = joint.max_acceleration
        rows.append((joint.name, f"{joint.minimum:g}", f"{joint.maximum:g}",
                     f"{joint.max_velocity:g}", "-" if most is None else f"{most:g}"))  # fmt: skip
    return [*_columns(rows), "(rad or m, and per second)"]


def _pose_lines(robot: Robot) -> list[str]:
    rows: list[Sequence[str]] = [("POSE", *(joint.name for joint in robot.joints))]
    for word in robot.words:
        rows.append((word, *(f"{position:g}" for position in robot.poses[word])))
    return _columns(rows)


def _columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of equal length as lines with aligned columns."""
    rows = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
