"""A middleware that does not take a message: tried again, counted, told, and nobody dies of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy._rclpy_pybind11 import RCLError
from rclpy.qos import HistoryPolicy, QoSProfile
from ros_bench import wait_until
from std_msgs.msg import String

from expression_ros.nodes.common.publishing import lost_messages, publish

# Listens, and stops taking anything when it is told to.
_LISTENER = """
import rclpy
from rclpy.qos import HistoryPolicy, QoSProfile
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("listener")
qos = QoSProfile(depth=1, history=HistoryPolicy.KEEP_ALL)
node.create_subscription(String, "/words", lambda message: print(message.data, flush=True), qos)
rclpy.spin(node)
"""


class Refusing:
    """A publisher whose middleware does not take the first messages; like the real one else."""

    def __init__(self, publisher, times: float):
        self._publisher = publisher
        self.times = times

    def publish(self, message):
        if self.times > 0:
            self.times -= 1
            raise RCLError("Failed to publish: cannot publish data, at rmw_publish.cpp:68")
        self._publisher.publish(message)

    def __getattr__(self, name):
        return getattr(self._publisher, name)


def told(diagnostics, name, condition):
    """Wait for a status of that name that meets the condition."""

    def of(messages):
        found = [s for array in messages for s in array.status if s.name == name]
        return next((s for s in found[::-1] if condition(s)), None)

    return diagnostics.wait_for(of, name)


def lost(status):
    return int(next(pair.value for pair in status.values if pair.key == "messages lost"))


def test_a_listener_that_is_stuck_costs_messages_and_not_the_node(ros):
    """The real thing: who keeps all for a listener that takes nothing has no room in the end."""
    listener = subprocess.Popen(
        [sys.executable, "-c", _LISTENER], stdout=subprocess.PIPE, text=True
    )
    try:
        qos = QoSProfile(depth=1, history=HistoryPolicy.KEEP_ALL)
        publisher = ros.node.create_publisher(String, "/words", qos)
        wait_until(publisher.get_subscription_count, "the listener")
        assert publish(ros.node, publisher, String(data="first"))
        assert listener.stdout.readline() == "first\n"
        os.kill(listener.pid, signal.SIGSTOP)
        taken = 0
        while publish(ros.node, publisher, String(data="x" * 1000)):
            taken += 1
            assert taken < 100_000, "the middleware has room for ever"
        assert lost_messages(ros.node) == (1, 1)
        assert lost_messages(ros.node) == (1, 0)
        os.kill(listener.pid, signal.SIGCONT)
        wait_until(lambda: publish(ros.node, publisher, String(data="last")), "room again")
        assert any(line == "last\n" for line in listener.stdout)
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


@pytest.mark.parametrize(("times", "taken", "count"), [(0, True, 0), (2, True, 0), (3, False, 1)])
def test_the_third_attempt_is_the_last(ros, times, taken, count):
    words = ros.collect(String, "/words")
    publisher = ros.publisher(String, "/words")
    assert publish(ros.node, Refusing(publisher, times), String(data="word")) == taken
    assert lost_messages(ros.node) == (count, count)
    if taken:
        words.wait_for(lambda got: [m.data for m in got] == ["word"])


def test_a_lost_expression_is_sent_again_and_told(ros):
    from rclpy.parameter import Parameter

    from expression_ros.nodes.mirror.node import Mirror

    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    mirror = ros.add(Mirror(context=ros.context,
                            parameter_overrides=[Parameter("robot", value="boris")]))  # fmt: skip
    words = ros.collect(String, "/fbot_face/emotion")
    labels = ros.publisher(String, "/face_emotion")
    output = mirror._outputs[0]
    wait_until(lambda: output.listeners, "the robot's face")
    refusing = output._publisher = Refusing(output._publisher, 5)  # more than three attempts
    labels.publish(String(data="happiness"))
    words.wait_for(lambda got: got and got[-1].data == "happy", "happiness, in the end")
    assert refusing.times == 0
    one = told(diagnostics, "mirror: expressions", lambda s: lost(s) == 1)
    assert one.level == DiagnosticStatus.WARN and "did not take 1 messages" in one.message
    told(diagnostics, "mirror: expressions", lambda s: "did not take" not in s.message)


def test_no_node_dies_of_messages_that_are_not_taken(ros, astronaut):
    """Publishers of three nodes refuse for a while, that of the diagnostics among them."""
    from rclpy.qos import DurabilityPolicy
    from sensor_msgs.msg import Image

    from expression_ros.nodes.common.image_messages import to_image_message
    from expression_ros.nodes.mirror.node import Mirror
    from expression_ros.nodes.recognizer.node import Recognizer
    from expression_ros.nodes.robot_face import RobotFace

    recognizer = ros.add(Recognizer(context=ros.context))
    recognizer.start()
    mirror = ros.add(Mirror(context=ros.context))
    face = ros.add(RobotFace(context=ros.context))
    shown = ros.collect(Image, "/robot_face/image", 1)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    words = ros.collect(String, "/robot_expression", latched)
    overlays = ros.collect(Image, "/face_emotion/image", 1)
    refusing = []
    for owner, name in (
        (recognizer, "_diagnostics"), (recognizer._outputs, "_label"),
        (recognizer._outputs, "_scores"), (recognizer._outputs, "_image"),
        (mirror._report, "_publisher"), (mirror._expression, "_publisher"), (face, "_publisher"),
    ):  # fmt: skip
        refusing.append(Refusing(getattr(owner, name), float("inf")))
        setattr(owner, name, refusing[-1])
    images = ros.publisher(Image, "/image_raw")

    def send():
        stamp = ros.node.get_clock().now().to_msg()
        images.publish(to_image_message(astronaut, stamp, "eye"))

    timer = ros.node.create_timer(0.05, send)
    for node in (recognizer, mirror, face):
        wait_until(lambda node=node: lost_messages(node)[0] >= 2, f"losses of {node.get_name()}")
    assert recognizer._statistics.failed == 0
    for publisher in refusing:
        publisher.times = 0
    words.wait_for(lambda got: got and got[-1].data != "neutral", "an answer of the robot")
    shown.wait_for(lambda got: got, "the robot's face")
    overlays.wait_for(lambda got: got, "an overlay")
    ros.node.destroy_timer(timer)
