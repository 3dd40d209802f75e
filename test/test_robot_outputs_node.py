"""Lights, hri_msgs expressions and services over real DDS, told by labels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from diagnostic_msgs.srv import AddDiagnostics
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_bench import PATIENCE_S, wait_until
from std_msgs.msg import ColorRGBA, String

from expression_ros.mirroring.robot_table import load_robot, robot_path
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.nodes.mirror.outputs import OutputError

pytestmark = pytest.mark.usefixtures("quick_reports")

# AddDiagnostics is a service of the common interfaces with one text in its request, and success and
# a message in its response.
SERVICE_ROBOT = """\
name: caller
expressions: {neutral: rest, happiness: joy, sadness: tears}
outputs:
  - {type: label, topic: words}
  - type: service
    service: robot/show
    service_type: diagnostic_msgs/srv/AddDiagnostics
    field: load_namespace
    timeout: TIMEOUT
"""


@pytest.fixture
def table(tmp_path):
    """Return a function that writes the table of a robot with a service and returns its path."""

    def write(old="TIMEOUT", new="20.0"):
        path = tmp_path / "caller.yaml"
        text = SERVICE_ROBOT.replace(old, new).replace("TIMEOUT", "20.0")
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def start(ros, **parameters):
    """Return a mirror of a robot and a publisher of labels for it."""
    values = {"min_hold": 0.0, "neutral_after": 60.0, "attack": 0.0, "release": 0.0, **parameters}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    mirror = ros.add(Mirror(context=ros.context, parameter_overrides=overrides))
    return mirror, ros.publisher(String, "face_emotion")


def say(labels, word):
    labels.publish(String(data=word))


class Driver:
    """A robot's driver: serves ``robot/show``; its answers can say no."""

    def __init__(self, ros):
        self.words: list[str] = []
        self.success = True
        self.node = ros.add(Node("driver", context=ros.context))
        self.service = self.node.create_service(AddDiagnostics, "robot/show", self._show)

    def _show(self, request, response):
        self.words.append(request.load_namespace)
        response.success = self.success
        response.message = "" if self.success else "the display is off"
        return response

    def wait_for(self, *words):
        wait_until(lambda: self.words[-len(words) :] == list(words), f"calls with {words}")


def status_of(ros, condition, what):
    """Wait for a report of the mirror that satisfies the condition; return its status."""

    def find(reports):
        for report in reports:
            for status in report.status:
                values = {entry.key: entry.value for entry in status.values}
                if status.name == "mirror: expressions" and condition(status, values):
                    return status
        return None

    return ros.collect(DiagnosticArray, "/diagnostics").wait_for(find, what)


# Lights


def close_to(colour):
    return lambda m: (m.r, m.g, m.b, m.a) == pytest.approx(colour, abs=1e-6)


def test_eyes_fade_to_the_colour_of_the_expression(ros, tmp_path):
    slow = tmp_path / "slow_eyes.yaml"  # so that a busy machine does not miss the fade
    text = robot_path("led_eyes").read_text(encoding="utf-8")
    slow.write_text(text.replace("fade: 0.4", "fade: 2.0"), encoding="utf-8")
    robot = load_robot(str(slow))
    assert robot.outputs[0].fade == 2.0
    colours = ros.collect(ColorRGBA, "robot_eyes/colour", 200)
    _, labels = start(ros, robot=str(slow))
    white, blue = (close_to(robot.colours[word]) for word in ("white", "blue"))
    colours.wait_for(lambda got: got and white(got[-1]), "white eyes")
    colours.clear()
    say(labels, "sadness")
    colours.wait_for(lambda got: got and blue(got[-1]), "blue eyes")
    reds = [message.r for message in colours.messages]
    assert len(reds) >= 3  # not in one jump
    assert reds == sorted(reds, reverse=True)
    say(labels, "neutral")
    colours.wait_for(lambda got: white(got[-1]), "white eyes again")


def test_eyes_are_left_neutral_at_once(ros):
    robot = load_robot("led_eyes")
    colours = ros.collect(ColorRGBA, "robot_eyes/colour", 200)
    mirror, labels = start(ros, robot="led_eyes", release=10.0)
    say(labels, "anger")
    colours.wait_for(lambda got: got and close_to(robot.colours["red"])(got[-1]), "red eyes")
    ros.in_executor(mirror.close)
    colours.wait_for(lambda got: close_to(robot.colours["white"])(got[-1]), "white eyes")


def test_eyes_are_neutral_when_switched_off_in_the_middle_of_a_fade(ros):
    robot = load_robot("led_eyes")
    white = close_to(robot.colours["white"])
    colours = ros.collect(ColorRGBA, "robot_eyes/colour", 200)
    _, labels = start(ros, robot="led_eyes", release=10.0)
    say(labels, "anger")
    colours.wait_for(lambda got: got and close_to(robot.colours["red"])(got[-1]), "red eyes")
    say(labels, "neutral")
    colours.wait_for(lambda got: 0.05 < got[-1].g < 0.5, "eyes on their way to white")
    assert ros.set_parameter("mirror", "enabled", False).successful
    colours.wait_for(lambda got: white(got[-1]), "white eyes")


# hri_msgs


def test_pal_face_is_told_word_valence_and_arousal(ros):
    hri = pytest.importorskip(
        "hri_msgs.msg",
        reason="no hri_msgs: tools/build_test_interfaces.py .cache/interfaces makes it for tests",
    )
    robot = load_robot("pal")
    shown = ros.collect(hri.Expression, "/robot_face/expression")
    mirror, labels = start(ros, robot="pal")
    shown.wait_for(lambda got: got and got[-1].expression == "neutral", "a neutral face")
    for emotion, word in robot.expressions.items():
        if emotion in ("neutral", "concern"):
            continue
        say(labels, emotion)
        message = shown.wait_for(
            lambda got, word=word: got[-1].expression == word and got[-1], f"the face {word}"
        )
        assert (message.valence, message.arousal) == pytest.approx(robot.affect[word])
        assert message.confidence == 1.0
        assert message.header.stamp.sec > 0
    assert ros.set_parameter("mirror", "style", "empathic").successful
    say(labels, "anger")
    shown.wait_for(lambda got: got[-1].expression == "vulnerable", "concern")
    ros.in_executor(mirror.close)
    shown.wait_for(lambda got: got[-1].expression == "neutral", "a face left neutral")


def test_pal_without_hri_msgs_is_one_clear_line(ros, monkeypatch):
    monkeypatch.setitem(sys.modules, "hri_msgs.msg", None)
    with pytest.raises(OutputError) as caught:
        Mirror(context=ros.context, parameter_overrides=[Parameter("robot", value="pal")])
    assert str(caught.value) == (
        "output expression on /robot_face/expression: hri_msgs/msg/Expression is not installed: "
        "sudo apt install ros-$ROS_DISTRO-hri-msgs, or build hri_msgs in your workspace, and "
        "source it"
    )
    _, labels = start(ros)
    refused = ros.set_parameter("mirror", "robot", "pal")
    assert not refused.successful and "hri_msgs/msg/Expression is not installed" in refused.reason
    words = ros.collect(String, "robot_expression")
    say(labels, "happiness")
    words.wait_for(lambda got: got and got[-1].data == "smile", "a mirror that goes on")


# Services


def test_words_are_sent_to_the_service_and_to_the_topic(ros, table):
    driver = Driver(ros)
    words = ros.collect(String, "words")
    mirror, labels = start(ros, robot=table())
    driver.wait_for("rest")
    say(labels, "happiness")
    driver.wait_for("rest", "joy")
    say(labels, "sadness")
    driver.wait_for("joy", "tears")
    words.wait_for(lambda got: got[-1].data == "tears")
    ros.in_executor(mirror.close)
    driver.wait_for("tears", "rest")
    words.wait_for(lambda got: got[-1].data == "rest", "neutral at the end")


def test_process_that_ends_leaves_the_robot_neutral_by_its_service(ros, table):
    driver = Driver(ros)
    process = subprocess.Popen(
        [sys.executable, "-m", "expression_ros.nodes.mirror", "--ros-args",
         "-p", f"robot:={table()}", "-p", "min_hold:=0.0", "-p", "neutral_after:=60.0"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        driver.wait_for("rest")
        ros.publisher(String, "face_emotion").publish(String(data="happiness"))
        driver.wait_for("rest", "joy")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        driver.wait_for("joy", "rest")
    finally:
        process.kill()
        assert "Traceback" not in process.communicate()[1]


def test_service_that_appears_later_is_told_the_present_word(ros, table):
    _, labels = start(ros, robot=table(new="0.2"))
    say(labels, "happiness")
    status = status_of(
        ros, lambda status, _: "robot/show" in status.message, "a warning about the service"
    )
    assert status.level == DiagnosticStatus.WARN
    failed = "calls of /robot/show that failed"
    status_of(ros, lambda _, v: "0 without" not in v.get(failed, "0 without"), "failed calls")
    driver = Driver(ros)
    driver.wait_for("joy")


def test_service_that_goes_away_is_reported(ros, table):
    driver = Driver(ros)
    ros.collect(String, "words")
    _, labels = start(ros, robot=table(new="0.2"))
    driver.wait_for("rest")
    ros.in_executor(lambda: driver.node.destroy_service(driver.service))
    say(labels, "happiness")
    status = status_of(
        ros, lambda status, _: "there is no service /robot/show: start" in status.message, "a WARN"
    )
    assert status.level == DiagnosticStatus.WARN


def test_refused_word_is_reported_and_survived(ros, table):
    driver = Driver(ros)
    driver.success = False
    _, labels = start(ros, robot=table())
    ros.collect(String, "words")
    driver.wait_for("rest")
    say(labels, "happiness")
    driver.wait_for("rest", "joy")
    status = status_of(
        ros,
        lambda _, values: "(2 refused" in values.get("calls of /robot/show that failed", ""),
        "two refused calls",
    )
    assert status.level == DiagnosticStatus.WARN
    driver.success = True
    say(labels, "sadness")
    driver.wait_for("joy", "tears")


def test_service_that_never_answers_does_not_hold_up_the_mirror(ros, table):
    words = ros.collect(String, "words")
    _, labels = start(ros, robot=table(new="0.1"))
    for label, word in [("happiness", "joy"), ("sadness", "tears"), ("neutral", "rest")] * 3:
        say(labels, label)
        words.wait_for(lambda got, word=word: got and got[-1].data == word, word)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "load_namespace",
            "word",
            "the request of diagnostic_msgs/srv/AddDiagnostics has no text field 'word': its text "
            "fields are load_namespace",
        ),
        ("AddDiagnostics", "Nothing", "diagnostic_msgs/srv/Nothing is not installed: sudo apt"),
        (
            "diagnostic_msgs/srv/AddDiagnostics",
            "std_srvs/srv/SetBool",
            "has no text field 'load_namespace': its text fields are none",
        ),
    ],
)
def test_wrong_service_is_refused_with_the_reason(ros, table, old, new, reason):
    with pytest.raises(OutputError) as caught:
        Mirror(context=ros.context, parameter_overrides=[Parameter("robot", value=table(old, new))])
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
