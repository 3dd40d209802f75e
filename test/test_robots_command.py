"""``expression-ros robots``: what a person sees."""

from __future__ import annotations

import sys

import pytest

from expression_ros.cli import main
from expression_ros.commands import robots as robot_commands
from expression_ros.mirroring.robot_table import RobotTableError, available_robots, load_robot

TABLE = """\
name: mine
expressions: {neutral: rest, happiness: joy}
outputs:
  - {type: label, topic: mine/words}
  - {type: service, service: show, service_type: my_robot_msgs/srv/Show, field: name, timeout: 3}
"""


def test_list_names_every_robot_with_its_outputs_and_the_styles(capsys):
    assert main(["robots"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert set(available_robots()) <= set(rows)
    assert rows["ros2_control_head"][0] == "joint_trajectory"
    assert rows["qtrobot_v3"][0] == "service"
    assert "style mirror: Every emotion is answered with itself." in lines
    assert any(line.startswith("style empathic: ") for line in lines)


def test_list_says_which_types_are_not_installed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "hri_msgs.msg", None)
    assert main(["robots"]) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if line.startswith("pal ")] == [
        ["pal", "expression", "needs", "hri_msgs"]
    ]
    assert "hri_msgs/msg/Expression is not installed: sudo apt install ros-$ROS_DISTRO" in out


def test_list_goes_on_after_a_wrong_table_and_fails(capsys, monkeypatch):
    def load(name):
        if name == "pal":
            raise RobotTableError("pal.yaml: joint x: min is missing: add it")
        return load_robot(name)

    monkeypatch.setattr(robot_commands, "load_robot", load)
    assert main(["robots"]) == 2
    out = capsys.readouterr().out
    assert ["pal", "wrong"] in [line.split() for line in out.splitlines()]
    assert "pal.yaml: joint x: min is missing: add it" in out
    assert "virtual_face" in out


@pytest.mark.parametrize("name", available_robots())
def test_show_prints_the_table_of_every_robot(capsys, name):
    assert main(["robots", "show", name]) == 0
    out = capsys.readouterr().out
    robot = load_robot(name)
    assert out.startswith(f"{name}: {robot.description}\nChecked against ")
    for output in robot.outputs:
        assert output.topic in out and output.interface in out
    for emotion, word in robot.expressions.items():
        if emotion != "concern":
            assert any(line.split()[:2] == [emotion, word] for line in out.splitlines()), emotion
    assert max(map(len, out.split("\ntable:")[0].splitlines())) <= 120


def test_show_prints_limits_poses_colours_and_affect(capsys):
    main(["robots", "show", "ros2_control_head"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["neck_yaw", "-1", "1", "2.5", "30"] in lines
    assert ["jaw", "0", "0.5", "5", "-"] in lines
    assert ["surprised", "0", "-0.14", "0", "0.35", "0.35", "0", "0", "0.45"] in lines
    main(["robots", "show", "led_eyes"])
    assert ["anger", "red", "1.00", "0.05", "0.00", "1.00"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]
    main(["robots", "show", "pal"])
    assert ["happiness", "happy", "+0.80", "+0.50"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


def test_show_checks_a_table_of_ones_own_by_a_relative_path(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(TABLE, encoding="utf-8")
    assert main(["robots", "show", "mine.yaml"]) == 0
    out = capsys.readouterr().out
    assert "word in name, time limit 3 s" in out
    assert "my_robot_msgs/srv/Show is not installed: " in out
    (tmp_path / "mine.yaml").write_text(TABLE.replace("happiness", "joy"), encoding="utf-8")
    assert main(["robots", "show", "mine.yaml"]) == 2
    assert capsys.readouterr().err == (
        f"expression-ros: {tmp_path}/mine.yaml: expressions has the unknown emotion 'joy': "
        "write happiness\n"
    )


def test_show_of_a_robot_that_is_not_there_lists_those_that_are(capsys):
    assert main(["robots", "show", "nobody"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("expression-ros: no robot 'nobody'; robots: boris, led_eyes, pal")
    assert error.count("\n") == 1
