"""The shipped robots: each says what its robot understands, and what it was checked against."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from expression_ros.mirroring.joint_motion import JointMotion
from expression_ros.mirroring.robot_table import (
    ANSWERS,
    OUTPUT_TYPES,
    available_robots,
    load_robot,
    robot_path,
)
from expression_ros.mirroring.styles import StyleError, available_styles, load_style
from expression_ros.mirroring.virtual_face import expression_shape
from expression_ros.vocabulary import EMOTIONS

# The words that hri_msgs 2.0.0 lists for the field expression of hri_msgs/Expression.
HRI_WORDS = {
    "neutral", "angry", "sad", "happy", "surprised", "disgusted", "scared", "pleading",
    "vulnerable", "despaired", "guilty", "disappointed", "embarrassed", "horrified", "skeptical",
    "annoyed", "furious", "suspicious", "rejected", "bored", "tired", "asleep", "confused",
    "amazed", "excited",
}  # fmt: skip
# The words of fbot_hri (README, "Available Emotions").
BORIS_WORDS = {"happy", "sad", "neutral", "surprised", "angry", "suspicious", "sleepy"}


def outputs_of(name):
    return [(output.interface, output.topic) for output in load_robot(name).outputs]


def test_the_robots_are_there():
    assert available_robots() == [
        "boris", "led_eyes", "pal", "qtrobot", "qtrobot_v3", "ros2_control_head", "virtual_face",
    ]  # fmt: skip


@pytest.mark.parametrize("name", available_robots())
def test_table_is_named_like_its_file_and_says_what_it_was_checked_against(name):
    robot = load_robot(name)
    assert robot.name == name
    assert robot.description
    assert re.search(r"20\d\d-\d\d-\d\d", robot.checked_against), "name what, and when"
    head = robot_path(name).read_text(encoding="utf-8").split("\nname:")[0]
    assert head.startswith("# ") and "# Drives:" in head


@pytest.mark.parametrize("name", available_robots())
def test_emotions_that_matter_look_different(name):
    robot = load_robot(name)
    faces = [robot.expression_for(e) for e in ("neutral", "anger", "happiness", "sadness",
                                               "surprise")]  # fmt: skip
    assert len(set(faces)) == len(faces)


@pytest.mark.parametrize("name", ["virtual_face", "ros2_control_head", "led_eyes", "pal"])
def test_robots_that_can_have_a_face_of_its_own_for_every_answer(name):
    assert len(load_robot(name).words) == len(ANSWERS)


def test_pal():
    assert outputs_of("pal") == [("hri_msgs/msg/Expression", "/robot_face/expression")]
    robot = load_robot("pal")
    assert set(robot.words) <= HRI_WORDS
    valence = {emotion: robot.affect[robot.expressions[emotion]][0] for emotion in EMOTIONS}
    arousal = {emotion: robot.affect[robot.expressions[emotion]][1] for emotion in EMOTIONS}
    assert robot.affect["neutral"] == (0.0, 0.0)
    assert valence["happiness"] > 0 > max(valence["sadness"], valence["anger"], valence["fear"])
    assert arousal["sadness"] < 0 < min(arousal["anger"], arousal["fear"], arousal["surprise"])


def test_pal_words_are_those_of_the_installed_hri_msgs():
    expression = pytest.importorskip("hri_msgs.msg", reason="no hri_msgs").Expression
    if not hasattr(expression, "HAPPY"):
        pytest.skip("this hri_msgs was generated for the tests and lists no words")
    listed = {getattr(expression, name) for name in dir(expression) if name.isupper()}
    assert set(load_robot("pal").words) <= listed


def test_qtrobot():
    assert outputs_of("qtrobot") == [("std_msgs/msg/String", "/qt_robot/emotion/show")]
    robot = load_robot("qtrobot")
    assert robot.expression_for("happiness") == "QT/happy"
    assert all(word.startswith("QT/") and "." not in word for word in robot.words)
    assert load_robot("qtrobot_v3").expressions == robot.expressions


def test_qtrobot_v3():
    (output,) = load_robot("qtrobot_v3").outputs
    assert (output.topic, output.service_type, output.field) == (
        "/qtrobot/face/emotion/show", "qtrobot_interfaces/srv/FaceEmotionShow", "emotion",
    )  # fmt: skip


def test_boris():
    assert outputs_of("boris") == [("std_msgs/msg/String", "/fbot_face/emotion")]
    assert set(load_robot("boris").words) <= BORIS_WORDS


def test_virtual_face_is_sent_words_it_knows():
    for word in load_robot("virtual_face").words:
        expression_shape(word)


def test_head_is_a_neck_of_three_joints_and_face_servos_quick_enough_for_a_smile():
    robot = load_robot("ros2_control_head")
    neck, face = robot.outputs
    assert len(robot.joints_of(neck)) == 3
    assert {"brow_left", "mouth_left"} <= {joint.name for joint in robot.joints_of(face)}
    for output in robot.outputs:
        motion = JointMotion(robot.joints_of(output), robot.poses_of(output), robot.neutral)
        assert motion.move_time <= 0.5


# The documentation

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "robots.md"


def yaml_blocks():
    text = DOCUMENT.read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_every_shipped_robot_is_in_the_documentation():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in available_robots():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{o.topic}`" in row for o in load_robot(name).outputs[:1]) or "two" in row


def test_the_walk_through_of_the_documentation_is_a_table(tmp_path):
    *parts, style = yaml_blocks()
    table = {key: value for part in parts for key, value in part.items()}
    words = table["expressions"].values()
    for key in ("affect", "colours", "poses"):  # it shows two words, and says "..."
        table[key] = {word: table[key].get(word, table[key]["idle"]) for word in words}
    (tmp_path / "robot.yaml").write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    robot = load_robot(str(tmp_path / "robot.yaml"))
    assert {output.type for output in robot.outputs} == set(OUTPUT_TYPES)
    (tmp_path / "style.yaml").write_text(yaml.safe_dump(style), encoding="utf-8")
    assert load_style(str(tmp_path / "style.yaml")).answers["fear"] == "concern"


# Styles


def test_the_styles_are_there():
    assert available_styles() == ["empathic", "mirror"]
    assert load_style("mirror").answers == {emotion: emotion for emotion in EMOTIONS}
    assert load_style("empathic").answers["anger"] == "concern"
    assert load_style("empathic").answers["happiness"] == "happiness"


@pytest.mark.parametrize("robot", available_robots())
@pytest.mark.parametrize("style", available_styles())
def test_every_style_suits_every_robot(robot, style):
    for answer in load_style(style).answers.values():
        assert load_robot(robot).expression_for(answer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nanswers: {rage: fear}\n", "answers has the unknown emotion 'rage': emotions"),
        ("name: x\nanswers: {happy: fear}\n", "unknown emotion 'happy': write happiness"),
        ("name: x\nanswers: {fear: calm}\n", "fear has the unknown emotion 'calm': write neutral"),
        ("name: x\nanswers: {fear: love}\n", "unknown emotion 'love': emotions are .*, concern"),
        ("name: x\nanswers: {concern: fear}\n", "answers has the unknown emotion 'concern'"),
        ("name: x\nanswers: {fear: 3}\n", "answers.fear is 3: make it a text"),
        ("name: x\nanswers: {fear: no}\n", "answers.fear is the YAML truth value false"),
        ("name: x\n", "answers is empty: make it a mapping"),
        ("answers: {}\n", "name is missing: add it"),
        ("name: x\nanswer: {}\n", "unknown key 'answer': known are name, description, answers"),
        ("name: x\nanswers: {fear: fear, fear: fear}\n", "line 2: 'fear' is given twice"),
        ("", "the table is empty: make it a mapping"),
    ],
)
def test_wrong_style_says_what_is_wrong_and_what_to_do(tmp_path, text, message):
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StyleError, match=message) as caught:
        load_style(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_style_that_is_not_there_lists_those_that_are(tmp_path):
    with pytest.raises(StyleError, match="no style 'stern'; styles: empathic, mirror, or"):
        load_style("stern")
    with pytest.raises(StyleError, match="give the absolute path"):
        load_style("own.yaml")
    with pytest.raises(StyleError, match="No such file or directory: give the path of a style"):
        load_style(str(tmp_path / "none.yaml"))


def test_emotion_that_a_style_leaves_out_is_mirrored(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("name: own\nanswers: {anger: neutral}\n", encoding="utf-8")
    answers = load_style(str(path)).answers
    assert answers["anger"] == "neutral"
    assert answers["fear"] == "fear"
