"""The virtual face over real DDS: shows what /robot_expression says, and moves there."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_bench import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.mirroring.virtual_face import draw_face, expression_shape
from expression_ros.nodes.robot_face import RobotFace
from expression_ros.vocabulary import EMOTIONS

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
WORDS = ("neutral", "angry", "contemptuous", "disgusted", "afraid", "smile", "sad", "surprised")


@pytest.fixture
def face(ros):
    """Return the node, still-eyed so that its images can be compared."""
    overrides = [Parameter("idle", value=False), Parameter("width", value=320),
                 Parameter("height", value=240)]  # fmt: skip
    return ros.add(RobotFace(context=ros.context, parameter_overrides=overrides))


def pixels(message):
    data = np.frombuffer(message.data, np.uint8)
    return data.reshape(message.height, message.width, 3)


def looks_like(word):
    """Return a condition: the newest image is that expression, settled."""
    wanted = draw_face(expression_shape(word), 320, 240).astype(int)
    return lambda got: got and np.abs(pixels(got[-1]) - wanted).mean() < 0.5


def test_there_is_a_word_for_each_emotion():
    assert len(WORDS) == len(EMOTIONS)


@pytest.mark.parametrize("word", WORDS)
def test_each_expression_is_shown(ros, face, word):
    images = ros.collect(Image, "/robot_face/image", 2)
    ros.publisher(String, "/robot_expression", LATCHED).publish(String(data=word))
    images.wait_for(looks_like(word), word)


def test_the_face_moves_there_in_steps(ros, face):
    images = ros.collect(Image, "/robot_face/image", 10)
    words = ros.publisher(String, "/robot_expression", LATCHED)
    images.wait_for(looks_like("neutral"), "neutral")
    images.clear()
    words.publish(String(data="surprised"))
    images.wait_for(looks_like("surprised"), "surprised")
    steps = [np.abs(pixels(a).astype(int) - pixels(b)).mean()
             for a, b in zip(images.messages, images.messages[1:], strict=False)]  # fmt: skip
    moving = [step for step in steps if step > 0.1]
    assert len(moving) >= 4, steps  # images in between, not one jump


def test_an_unknown_word_is_told_once_and_survived(ros, face, capfd):
    images = ros.collect(Image, "/robot_face/image", 2)
    words = ros.publisher(String, "/robot_expression", LATCHED)
    log = []

    def told():
        log.append(capfd.readouterr().err)
        return "grumpy" in "".join(log)

    words.publish(String(data="grumpy"))
    wait_until(told, "a warning")
    words.publish(String(data="sad"))
    images.wait_for(looks_like("sad"), "sad")
    words.publish(String(data="grumpy"))
    images.clear()
    images.wait_for(lambda got: len(got) >= 5, "images after the second one")
    told()
    assert "".join(log).count("'grumpy'") == 1
    assert "neutral" in "".join(log)  # which words there are


def test_an_image_has_stamp_frame_and_size(ros, face):
    image = ros.collect(Image, "/robot_face/image", 2).wait_for(lambda got: got and got[-1])
    assert (image.width, image.height, image.encoding, image.step) == (320, 240, "bgr8", 960)
    assert image.header.frame_id == "robot_face" and image.header.stamp.sec > 0


def test_the_size_changes_while_it_runs(ros, face):
    images = ros.collect(Image, "/robot_face/image", 2)
    assert ros.set_parameter("/robot_face", "width", 200).successful
    images.wait_for(lambda got: got and got[-1].width == 200, "an image 200 wide")
    refused = ros.set_parameter("/robot_face", "frame_rate", 10.0)
    assert "when the node is started" in refused.reason
