"""Diagnostics in every state, of every node, and of a robot that is not what its table says."""

from __future__ import annotations

from contextlib import ExitStack

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_bench import RosBench
from std_msgs.msg import Int32, String
from trajectory_msgs.msg import JointTrajectory

from expression_ros.nodes.camera import Camera
from expression_ros.nodes.common.diagnostics import ERROR, OK, WARN
from expression_ros.nodes.emotion_selector import EmotionSelector
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.nodes.mirror.outputs_joints import mismatch
from expression_ros.nodes.recognizer.node import Recognizer

pytestmark = pytest.mark.usefixtures("quick_reports")
TASKS = ("model", "input", "recognition")
LABEL_TABLE = """
name: robot
expressions: {neutral: rest, happiness: joy}
outputs: [{type: label, topic: /robot/word}]
"""
JOINT_TABLE = """
name: robot
expressions: {neutral: rest, happiness: joy}
outputs: [{type: joint_trajectory, topic: /head_controller/joint_trajectory}]
joints:
  pan: {min: -1.0, max: 1.0, max_velocity: 1.0}
  tilt: {min: -1.0, max: 1.0, max_velocity: 1.0}
poses:
  rest: {pan: 0.0, tilt: 0.0}
  joy: {pan: 0.5, tilt: 0.5}
"""


class Reports:
    def __init__(self, ros):
        self._messages = ros.collect(DiagnosticArray, "/diagnostics")

    def newest(self, name, condition=lambda status: True, what="a report"):
        """Return the next status of that name that fulfils a condition."""
        self._messages.clear()

        def look(messages):
            every = (one for message in reversed(messages) for one in message.status)
            return next((one for one in every if one.name == name and condition(one)), None)

        return self._messages.wait_for(look, f"{name}: {what}")

    def level(self, name, level, part=""):
        return self.newest(name, lambda one: one.level == level and part in one.message, part)


@pytest.fixture
def reports(ros):
    return Reports(ros)


@pytest.fixture
def elsewhere():
    """Yield a function that makes a bench in a DDS participant of its own, as another process."""
    with ExitStack() as benches:
        yield lambda: benches.enter_context(RosBench())


def overrides(**parameters):
    return [Parameter(name, value=value) for name, value in parameters.items()]


# ---- the recognizer's states ----


def test_every_state_of_the_recognizer_keeps_its_statuses_and_says_so(ros, reports):
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides(autostart=False)))
    begin = "no image is read; to begin: "
    for trigger, state, commands in (
        (None, "unconfigured", ("configure", "activate")),
        ("configure", "inactive", ("activate",)),
        ("activate", "", ()),
        ("deactivate", "inactive", ("activate",)),
        ("cleanup", "unconfigured", ("configure", "activate")),
    ):
        if trigger:
            ros.in_executor(getattr(node, f"trigger_{trigger}"))
        words = " && ".join(f"ros2 lifecycle set /recognizer {step}" for step in commands)
        for task in ("input", "recognition"):
            told = reports.newest(
                f"recognizer: {task}",
                lambda one, s=state: one.message.startswith(f"{s}: ") or not s,
            )
            assert told.hardware_id == "/image_raw"
            assert not state or told.message == f"{state}: {begin}{words}"
            assert not state or told.level == OK
            assert not state or not {"label", "faces"} & {entry.key for entry in told.values}
        assert reports.newest("recognizer: model").hardware_id == "/image_raw"


def test_a_recognizer_that_could_not_be_configured_is_no_quiet_one(ros, reports, tmp_path):
    node = ros.add(
        Recognizer(context=ros.context, parameter_overrides=overrides(model=str(tmp_path)))
    )
    node.start()
    for task in ("input", "recognition"):
        told = reports.level(f"recognizer: {task}", ERROR, "unconfigured: no image is read")
        assert told.message.endswith("(see recognizer: model)")
    reports.level("recognizer: model", ERROR)


def test_every_status_says_what_hardware_it_is_about(ros, reports, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    ros.add(Mirror(context=ros.context))
    ros.add(Camera(context=ros.context, parameter_overrides=overrides(source=str(tmp_path))))
    ros.add(
        EmotionSelector(context=ros.context, parameter_overrides=overrides(sources="front,left"))
    )
    for name, hardware in (
        ("mirror: expressions", "virtual_face"),
        ("camera: source", str(tmp_path)),
        ("emotion_selector: source", "front, left"),
    ):
        assert reports.newest(name).hardware_id == hardware


# ---- the mirror's partners ----


def mirror(ros, table="", **parameters):
    robot = {"robot": str(table)} if table else {}
    values = {"publisher_gone_warn": 3600.0, **robot, **parameters}
    return ros.add(Mirror(context=ros.context, parameter_overrides=overrides(**values)))


@pytest.fixture
def table(tmp_path):
    def write(text):
        (tmp_path / "robot.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "robot.yaml"

    return write


def test_labels_that_nobody_publishes_any_more_are_told(ros, reports, elsewhere):
    recognizer = elsewhere()
    publisher = recognizer.node.create_publisher(String, "/face_emotion", 1)
    mirror(ros, publisher_gone_warn=0.4)
    reports.level("mirror: expressions", OK)
    recognizer.in_executor(lambda: recognizer.node.destroy_publisher(publisher))
    reports.level("mirror: expressions", WARN, "nobody has published /face_emotion for")


def test_labels_of_another_type_are_told(ros, reports, elsewhere):
    elsewhere().node.create_publisher(Int32, "/face_emotion", 1)
    mirror(ros)
    told = reports.level("mirror: expressions", WARN, "/test_bench uses std_msgs/msg/Int32").message
    assert "on /face_emotion, whose labels are of std_msgs/msg/String" in told


def test_a_robot_that_takes_another_type_is_told_with_both(ros, reports, elsewhere, table):
    elsewhere().collect(Int32, "/robot/word")
    mirror(ros, table(LABEL_TABLE))
    told = reports.level("mirror: expressions", WARN, "/test_bench uses std_msgs/msg/Int32").message
    assert "on /robot/word, where the table of robot sends std_msgs/msg/String" in told
    elsewhere().collect(String, "/robot/word")
    reports.level("mirror: expressions", OK)


class Controller(Node):
    """A joint trajectory controller as others see it: a subscription and two parameters."""

    def __init__(self, ros, joints, partial):
        super().__init__("head_controller", context=ros.context)
        self.declare_parameter("joints", joints)
        self.declare_parameter("allow_partial_joints_goal", partial)
        self.create_subscription(JointTrajectory, "~/joint_trajectory", lambda _: None, 1)


@pytest.mark.parametrize(
    ("joints", "partial", "problem"),
    [
        (["pan", "tilt"], False, ""),
        (["pan", "tilt", "lift"], True, ""),
        (["pan", "tilt", "lift"], False, "refuses trajectories without lift: "),
        (["pan", "roll"], False, "/head_controller moves pan, roll and not tilt, so that it "),
    ],
)
def test_a_controller_with_other_joints_is_told(
    ros, reports, elsewhere, table, monkeypatch, joints, partial, problem
):
    monkeypatch.setattr("expression_ros.nodes.mirror.outputs_joints._ASK_AGAIN_S", 0.1)
    there = elsewhere()
    controller = there.add(Controller(there, joints, partial))
    node = mirror(ros, table(JOINT_TABLE))
    if problem:
        reports.level("mirror: expressions", WARN, problem)
        right = Parameter("joints", value=["pan", "tilt"])
        there.in_executor(lambda: controller.set_parameters([right]))  # the printed remedy
    checks = node._outputs[0]._controllers
    reports.newest(
        "mirror: expressions",
        lambda one: one.level == OK and checks._told.get("/head_controller") == "",
        "the controller to be found right",
    )


def test_a_driver_without_joints_as_a_parameter_is_left_alone(ros, reports, elsewhere, table):
    elsewhere().collect(JointTrajectory, "/head_controller/joint_trajectory")
    node = mirror(ros, table(JOINT_TABLE))
    reports.newest(
        "mirror: expressions",
        lambda one: one.level == OK and "/test_bench" in node._outputs[0]._controllers._told,
        "the driver to be asked",
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "partial", "words"),
    [
        ([], ["a"], False, ""),
        (["a"], ["a"], False, ""),
        (["b", "a"], ["a", "b"], False, ""),
        (["a", "b"], ["a"], True, ""),
        (["a", "b"], ["a"], False, "/c refuses trajectories without b"),
        (["a", "b"], ["a", "c"], True, "/c moves a, b and not c"),
    ],
)
def test_which_joints_a_controller_refuses(theirs, ours, partial, words):
    said = mismatch("/c", theirs, ours, partial, "robot")
    assert said.startswith(words) and bool(said) == bool(words)
