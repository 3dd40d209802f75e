"""For every shipped robot: the exact messages on the wire for all eight emotions.

A label is published by hand; what the robot's driver would receive is compared with figures that
are written here and not read from the tables.
"""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.srv import AddDiagnostics
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_bench import wait_until
from std_msgs.msg import ColorRGBA, String
from trajectory_msgs.msg import JointTrajectory

from expression_ros.mirroring.robot_table import robot_path
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.vocabulary import EMOTIONS

# neutral comes last: the robot is neutral from the start, and says only what changes.
ORDER = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

WORDS = {
    "virtual_face": ("/robot_expression", "angry contemptuous disgusted afraid smile sad surprised "
                     "neutral"),
    "qtrobot": ("/qt_robot/emotion/show", "QT/angry QT/confused QT/disgusted QT/afraid QT/happy "
                "QT/sad QT/surprise QT/neutral"),
    "boris": ("/fbot_face/emotion", "angry suspicious suspicious surprised happy sad surprised "
              "neutral"),
}  # fmt: skip
PAL = [
    ("angry", -0.6, 0.7), ("skeptical", -0.5, 0.1), ("disgusted", -0.7, 0.3),
    ("scared", -0.6, 0.8), ("happy", 0.8, 0.5), ("sad", -0.7, -0.4), ("surprised", 0.2, 0.8),
    ("neutral", 0.0, 0.0),
]  # fmt: skip
EYES = [
    (1.00, 0.05, 0.00, 1.0), (0.55, 0.10, 0.70, 1.0), (0.25, 0.75, 0.05, 1.0),
    (0.55, 0.75, 1.00, 1.0), (1.00, 0.80, 0.05, 1.0), (0.05, 0.15, 0.90, 1.0),
    (1.00, 0.45, 0.05, 1.0), (0.60, 0.60, 0.55, 1.0),
]  # fmt: skip
NECK = [
    (0.0, 0.16, 0.0), (0.12, -0.10, 0.08), (-0.20, -0.08, 0.10), (0.0, -0.18, 0.0),
    (0.0, -0.06, 0.06), (0.0, 0.24, -0.08), (0.0, -0.14, 0.0), (0.0, 0.0, 0.0),
]  # fmt: skip
FACE = [
    (-0.50, -0.50, -0.25, -0.25, 0.0), (0.30, -0.20, 0.45, -0.05, 0.0),
    (-0.35, -0.35, -0.45, -0.45, 0.12), (0.50, 0.50, -0.35, -0.35, 0.22),
    (0.12, 0.12, 0.60, 0.60, 0.10), (0.40, 0.40, -0.50, -0.50, 0.0),
    (0.35, 0.35, 0.0, 0.0, 0.45), (0.0, 0.0, 0.05, 0.05, 0.0),
]  # fmt: skip


def test_all_eight_emotions_are_asked_for():
    assert sorted(ORDER) == sorted(EMOTIONS)


@pytest.fixture
def mirror_of(ros):
    """Return a function that starts a mirror of a robot and returns one that says a label."""

    def start(robot):
        values = {"robot": str(robot), "min_hold": 0.0, "neutral_after": 60.0, "attack": 0.0,
                  "release": 0.0}  # fmt: skip
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        ros.add(Mirror(context=ros.context, parameter_overrides=overrides))
        labels = ros.publisher(String, "/face_emotion")
        return lambda label: labels.publish(String(data=label))

    return start


@pytest.mark.parametrize("robot", WORDS)
def test_words(ros, mirror_of, robot):
    topic, words = WORDS[robot]
    words = words.split()
    heard = ros.collect(String, topic)
    say = mirror_of(robot)
    before = "neutral" if robot != "qtrobot" else "QT/neutral"
    heard.wait_for(lambda seen: seen and seen[-1].data == before, "the neutral face")
    for label, word in zip(ORDER, words, strict=True):
        say(label)
        heard.wait_for(lambda seen, word=word: seen[-1].data == word, f"{word} for {label}")
    told = [message.data for message in heard.messages]
    changes = [word for k, word in enumerate(told) if k == 0 or word != told[k - 1]]
    expected = [word for k, word in enumerate(words) if k == 0 or word != words[k - 1]]
    assert changes == [before, *expected]  # these words, in this order, and no others


def test_pal(ros, mirror_of):
    expressions = pytest.importorskip("hri_msgs.msg", reason="needs hri_msgs").Expression
    heard = ros.collect(expressions, "/robot_face/expression")
    say = mirror_of("pal")
    for label, (word, valence, arousal) in zip(ORDER, PAL, strict=True):
        say(label)
        told = heard.wait_for(
            lambda seen, word=word: seen and seen[-1].expression == word and seen[-1], word
        )
        assert (told.valence, told.arousal) == pytest.approx((valence, arousal), abs=1e-6)


def test_eyes(ros, mirror_of):
    heard = ros.collect(ColorRGBA, "/robot_eyes/colour")
    say = mirror_of("led_eyes")
    for label, colour in zip(ORDER, EYES, strict=True):
        say(label)
        heard.wait_for(
            lambda seen, colour=colour: seen and (seen[-1].r, seen[-1].g, seen[-1].b, seen[-1].a)
            == pytest.approx(colour, abs=1e-6), f"the colour of {label}"
        )  # fmt: skip


def test_head(ros, mirror_of):
    # A pose on a limit is kept off it by a ten thousandth of a radian.
    parts = {
        "/neck_controller/joint_trajectory": (("neck_yaw", "neck_pitch", "neck_roll"), NECK),
        "/face_controller/joint_trajectory": (
            ("brow_left", "brow_right", "mouth_left", "mouth_right", "jaw"), FACE
        ),
    }  # fmt: skip
    heard = {topic: ros.collect(JointTrajectory, topic) for topic in parts}
    say = mirror_of("ros2_control_head")
    for number, label in enumerate(ORDER):
        say(label)
        for topic, (joints, poses) in parts.items():
            told = heard[topic].wait_for(
                lambda seen, pose=poses[number]: (
                    seen
                    and tuple(seen[-1].points[-1].positions) == pytest.approx(pose, abs=2e-4)
                    and seen[-1]
                ),
                f"{label} on {topic}",
            )
            assert tuple(told.joint_names) == joints
            assert list(told.points[-1].velocities) == [0.0] * len(joints)  # at rest in the pose
            last = told.points[-1].time_from_start
            assert 0 < last.sec + last.nanosec / 1e9 < 5.0


def test_qtrobot_v3(ros, mirror_of, tmp_path):
    """By the shipped table; qtrobot_interfaces is not to be had here, another service stands in."""
    table = robot_path("qtrobot_v3").read_text(encoding="utf-8")
    for old, new in (
        ("qtrobot_interfaces/srv/FaceEmotionShow", "diagnostic_msgs/srv/AddDiagnostics"),
        ("field: emotion", "field: load_namespace"),
    ):
        assert old in table
        table = table.replace(old, new)
    path = tmp_path / "qtrobot_v3.yaml"
    path.write_text(table, encoding="utf-8")
    words: list[str] = []

    def show(request, response):
        words.append(request.load_namespace)
        response.success = True
        return response

    driver = ros.add(Node("driver", context=ros.context))
    driver.create_service(AddDiagnostics, "/qtrobot/face/emotion/show", show)
    say = mirror_of(path)
    wait_until(lambda: words[-1:] == ["QT/neutral"], "the neutral face")
    for label, word in zip(ORDER, WORDS["qtrobot"][1].split(), strict=True):
        say(label)
        wait_until(lambda word=word: words[-1] == word, f"{word} for {label}")
