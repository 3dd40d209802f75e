"""Cameras with useless stamps, and clocks that stand still: labels come and go all the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.parameter import Parameter
from ros_bench import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.nodes.common import clock_watch
from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.nodes.recognizer.node import Recognizer

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.fixture
def portrait(astronaut):
    """Return (480, 640, 3) uint8 with the smiling face in it."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    scene[:, 64:576] = astronaut[:480]
    return scene


def zero(ros):
    return itertools.repeat(Time())


def still(ros):
    return itertools.repeat(ros.node.get_clock().now().to_msg())


def whole_seconds(ros):
    while True:
        yield Time(sec=ros.node.get_clock().now().seconds_nanoseconds()[0])


def two_cameras(ros):
    for k in itertools.count():
        seconds, nanoseconds = ros.node.get_clock().now().seconds_nanoseconds()
        yield Time(sec=seconds + 7200 * (k % 2), nanosec=nanoseconds)


def hours_ahead(ros):
    while True:
        seconds, nanoseconds = ros.node.get_clock().now().seconds_nanoseconds()
        yield Time(sec=seconds + 7200, nanosec=nanoseconds)


class Camera:
    """Sends an image thirty times a second, with the stamps that it is given."""

    def __init__(self, ros, image, stamps):
        self.image = image
        self.frames = 0
        self._stamps = stamps
        self._publisher = ros.node.create_publisher(Image, "image_raw", 1)
        ros.node.create_timer(1 / 30, self._send)

    def _send(self):
        self._publisher.publish(to_image_message(self.image, next(self._stamps), "camera"))
        self.frames += 1


def recognizer(ros, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    node.start()
    return node


def input_status(diagnostics, condition):
    """Wait for the status of the input that fulfils the condition."""

    def look(messages):
        found = (
            one
            for message in reversed(messages)
            for one in message.status
            if one.name == "recognizer: input" and condition(one)
        )
        return next(found, None)

    return diagnostics.wait_for(look, "recognizer: input")


def values(one):
    return {pair.key: pair.value for pair in one.values}


def leaves(camera, labels):
    """Let the face leave; return how many labels came after the third frame without it."""
    camera.image = np.full_like(camera.image, 90)
    frames = camera.frames
    wait_until(lambda: camera.frames > frames + 5, "the empty room")
    labels.clear()
    frames = camera.frames
    wait_until(lambda: camera.frames > frames + 15, "half a second of it")
    return len(labels.messages)


@pytest.mark.parametrize(
    ("stamps", "said"),
    [(zero, "are zero"), (still, "stand still"), (whole_seconds, "stand still"),
     (two_cameras, "one camera alone"), (hours_ahead, "ahead of this node's clock")],
)  # fmt: skip
def test_a_face_is_read_and_gone_when_it_is_gone_and_the_stamps_are_told(
    ros, portrait, stamps, said
):
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    recognizer(ros)
    camera = Camera(ros, portrait, stamps(ros))
    labels.wait_for(lambda got: len(got) >= 20, "labels")
    told = input_status(diagnostics, lambda one: said in one.message)
    assert told.level == DiagnosticStatus.WARN
    ahead = stamps is hours_ahead
    assert values(told)["stamps"].startswith("trusted" if ahead else "ignored: ")
    assert leaves(camera, labels) == 0
    for message in diagnostics.messages:  # a latency is that of the reading, not a clock's error
        for one in message.status:
            assert float(values(one).get("latency median (ms)", 0)) < 3000


def test_a_simulated_clock_that_never_comes_stops_neither_labels_nor_the_letting_go(
    ros, portrait, monkeypatch
):
    monkeypatch.setattr(clock_watch, "_PATIENCE_S", 0.3)
    labels = ros.collect(String, "/face_emotion")
    shown = ros.collect(String, "/robot_expression")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    recognizer(ros, use_sim_time=True)
    overrides = [Parameter("use_sim_time", value=True), Parameter("neutral_after", value=0.5)]
    ros.add(Mirror(context=ros.context, parameter_overrides=overrides))
    camera = Camera(ros, portrait, zero(ros))
    shown.wait_for(lambda got: got and got[-1].data == "smile", "a smile")
    told = input_status(diagnostics, lambda one: "no /clock comes" in one.message)
    assert told.level == DiagnosticStatus.WARN
    assert values(told)["clock"] == "simulated, stands still"
    assert leaves(camera, labels) == 0
    shown.wait_for(lambda got: got[-1].data == "neutral", "a robot that lets go")


def test_stamps_that_move_are_trusted(ros, portrait):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    recognizer(ros)

    def now():
        while True:
            yield ros.node.get_clock().now().to_msg()

    Camera(ros, portrait, now())
    told = input_status(diagnostics, lambda one: int(values(one)["images received"]) > 30)
    assert values(told)["stamps"] == "trusted" and values(told)["clock"] == "system"


def read_ids(node, portrait, stamps, begin=0.0):
    """Let the node read images; return the ids of the faces in each."""
    arrivals = itertools.count(begin, 1 / 30)
    ids = []
    publish = node._outputs.publish
    node._outputs.publish = lambda reading, header: (
        ids.append([face.id for face in reading.faces]), publish(reading, header),
    )  # fmt: skip
    for stamp in stamps:
        seconds = Time(sec=int(stamp), nanosec=round(1e9 * (stamp % 1)))
        node._read((to_image_message(portrait, seconds, "camera"), next(arrivals)))
    node._outputs.publish = publish
    return ids


def test_a_bag_that_loops_shows_other_faces(ros, portrait):
    node = recognizer(ros)
    ids = read_ids(node, portrait, [100 + k / 30 for k in range(8)] * 2)
    assert all(one == ids[0] for one in ids[:8])
    assert ids[-1] != ids[0]


def test_a_face_of_before_a_deactivation_is_another_one_after_it(ros, portrait):
    node = recognizer(ros)
    before = read_ids(node, portrait, [100.0, 100.1])
    request = ChangeState.Request()
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        request.transition.id = transition
        assert ros.call(ChangeState, "/recognizer/change_state", request).success
    after = read_ids(node, portrait, [100.2], begin=0.1)
    assert len(after[0]) == 1 and after[0] != before[-1]
