"""When a joint controller that has just appeared is led to the pose, told with a scripted topic."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
pytest.importorskip("trajectory_msgs", reason="needs trajectory_msgs")

from expression_ros.mirroring.behaviour import Command
from expression_ros.mirroring.robot_table import load_robot
from expression_ros.nodes.mirror.outputs_joints import JointTrajectoryOutput

HEAD = load_robot("ros2_control_head")


class Topic:
    """A publisher whose subscriptions are set, and which keeps what is published."""

    topic_name = "/joints"

    def __init__(self):
        self.listeners = 0
        self.messages = []

    def get_subscription_count(self):
        return self.listeners

    def publish(self, message):
        self.messages.append(message)


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture
def head(topic):
    node = SimpleNamespace(create_publisher=lambda *args: topic)
    output = next(output for output in HEAD.outputs if output.type == "joint_trajectory")
    return JointTrajectoryOutput(node, output, HEAD)


def ends_in(message, word, output):
    pose = HEAD.poses_of(output)[word]
    return list(message.points[-1].positions) == pytest.approx(list(pose), abs=3e-4)


def test_a_new_controller_gets_time_to_listen_before_it_is_led_to_the_pose(head, topic):
    head.show(Command("smile"), 0.0)
    topic.messages.clear()
    topic.listeners = 1
    for now in (10.0, 10.1, 10.3):
        head.update(now)
    assert topic.messages == []
    head.show(Command("angry"), 10.35)  # goes into the approach
    assert topic.messages == []
    head.update(11.0)
    (approach,) = topic.messages
    assert len(approach.points) == 1 and ends_in(approach, "angry", head.output)
    head.show(Command("smile"), 20.0)
    assert len(topic.messages) == 2 and len(topic.messages[1].points) > 1


def test_each_new_controller_is_led_there_again(head, topic):
    for listeners, began in ((1, 0.0), (2, 100.0)):
        topic.listeners = listeners
        head.update(began)
        head.update(began + 1.0)
    assert [len(message.points) for message in topic.messages] == [1, 1]
    topic.listeners = 1  # who leaves needs nothing
    head.update(200.0)
    head.update(201.0)
    assert len(topic.messages) == 2


def test_a_new_controller_is_led_to_the_pose_though_the_clock_went_back(head, topic):
    topic.listeners = 1
    head.update(1000.0)
    head.update(1.0)
    assert topic.messages == []
    head.update(2.0)
    assert len(topic.messages) == 1


def test_an_approach_waits_until_the_others_have_ended_their_move(head, topic):
    topic.listeners = 1
    head.update(0.0)
    head.update(1.0)
    head.update(50.0)
    head.show(Command("smile", duration=5.0), 50.0)
    topic.messages.clear()
    topic.listeners = 2
    head.update(50.1)
    head.update(54.0)
    assert topic.messages == []
    head.update(56.0)
    assert [len(message.points) for message in topic.messages] == [1]
