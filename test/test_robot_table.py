"""Robot tables: the shipped ones, and one clear line for each way in which one can be wrong."""

from __future__ import annotations

import pytest

from expression_ros.mirroring.robot_table import (
    OUTPUT_TYPES,
    Output,
    RobotTableError,
    available_robots,
    load_robot,
)
from expression_ros.vocabulary import EMOTIONS

GOOD = """\
name: bot
expressions: {neutral: rest, happiness: QT/happy}
outputs:
  - {type: label, topic: /bot/show}
  - {type: joint_trajectory, topic: neck/joint_trajectory}
joints:
  pan: {min: -1.0, max: 1.0, max_velocity: 2.0}
  tilt: {min: -0.5, max: 0.5, max_velocity: 1.0, max_acceleration: 9}
poses:
  rest: {pan: 0.25, tilt: 0}
  QT/happy: {tilt: -0.25}
"""


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table, with one text replaced, and returns its path."""

    def write(old: str = "", new: str = "", text: str = GOOD) -> str:
        assert old in text
        path = tmp_path / "bot.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return str(path)

    return write


def test_shipped_robots_load_and_are_named_like_their_files():
    assert {"virtual_face", "servo_head"} <= set(available_robots())
    for name in available_robots():
        robot = load_robot(name)
        assert robot.name == name
        assert robot.description
        assert robot.neutral == "neutral"


@pytest.mark.parametrize("name", ["virtual_face", "servo_head"])
def test_our_robots_have_a_word_of_their_own_for_every_emotion(name):
    assert len(set(load_robot(name).expressions.values())) == len(EMOTIONS)


def test_virtual_face_is_sent_words_it_knows():
    faces = pytest.importorskip("expression_ros.mirroring.virtual_face")
    assert set(load_robot("virtual_face").expressions.values()) <= set(faces.EXPRESSIONS)


def test_user_table_is_read_from_its_path(table):
    robot = load_robot(table())
    assert robot.outputs == (
        Output("label", "/bot/show"),
        Output("joint_trajectory", "neck/joint_trajectory"),
    )
    assert [joint.name for joint in robot.joints] == ["pan", "tilt"]
    assert robot.joints[0].max_acceleration is None
    assert robot.joints[1].max_acceleration == 9.0
    assert robot.expression_for("happiness") == "QT/happy"


def test_missing_emotion_is_answered_by_neutral(table):
    robot = load_robot(table())
    assert set(robot.expressions) == set(EMOTIONS)
    assert robot.expression_for("anger") == "rest"


def test_joint_left_out_of_a_pose_stays_where_it_is_in_neutral(table):
    assert load_robot(table()).poses == {"rest": (0.25, 0.0), "QT/happy": (0.25, -0.25)}


def test_joint_at_its_limit_is_accepted(table):
    assert load_robot(table("tilt: -0.25", "tilt: -0.5")).poses["QT/happy"] == (0.25, -0.5)


def test_wrong_name_lists_the_robots():
    with pytest.raises(RobotTableError, match=r"no robot 'nonsense'.*servo_head, virtual_face"):
        load_robot("nonsense")


@pytest.mark.parametrize("name", ["bots/bot.yaml", "bot.yaml", "../servo_head"])
def test_relative_path_is_refused(name):
    with pytest.raises(RobotTableError, match="give the absolute path"):
        load_robot(name)


WRONG = [
    ("happiness: QT", "joy: QT", r"unknown emotion 'joy': write happiness"),
    ("happiness: QT", "hapiness: QT", r"unknown emotion 'hapiness': emotions are neutral, anger"),
    ("happiness: QT", "unknown: QT", r"unknown emotion 'unknown': emotions are"),
    ("neutral: rest, ", "", r"lacks neutral"),
    ("neutral: rest", "neutral: no", r"expressions.neutral is the YAML truth value false.*quotes"),
    ("neutral: rest", "neutral: ''", r"expressions.neutral is '': make it a text"),
    ("max: 1.0, ", "", r"joint pan: max is missing: add it"),
    (
        "max_velocity: 2.0",
        "max_velocity: .nan",
        r"joint pan: max_velocity is nan: make it a finite",
    ),
    ("max_velocity: 2.0", "max_velocity: fast", r"max_velocity is 'fast': make it a finite number"),
    ("max_velocity: 2.0", "max_velocity: 0", r"joint pan: max_velocity and .* above 0"),
    ("max_acceleration: 9", "max_acceleration: -9", r"joint tilt: .* above 0"),
    ("max_velocity: 2.0", "speed: 2.0", r"joint pan has the unknown key 'speed': known are min"),
    ("min: -1.0", "min: 1.0", r"joint pan: min 1 is not below max 1"),
    ("tilt: -0.25", "tilt: -0.6", r"pose 'QT/happy' puts tilt at -0.6, outside -0.5 .. 0.5"),
    ("tilt: -0.25", "roll: 0.1", r"names the unknown joint 'roll': joints are pan, tilt"),
    ("pan: 0.25, ", "", r"pose 'rest': joint pan is missing"),
    ("  tilt: {", "  pan: {", r"line 8: 'pan' is given twice: keep one of them"),
    ("tilt: 0}", "pan: 0}", r"'pan' is given twice"),
    ("name: bot", "name: bot\nname: robot", r"line 2: 'name' is given twice"),
    (", topic: /bot/show", "", r"output 1 \(label\): topic is missing: add it"),
    ("/bot/show", "'/bot show'", r"has the topic '/bot show': use letters"),
    ("type: label", "type: lamp", r"unknown type 'lamp': known are label, joint_trajectory"),
    ("neck/joint_trajectory", "/bot/show", r"two outputs are on /bot/show: keep one"),
    ("neck/joint_trajectory", "robot_expression", r"robot_expression carries the label"),
    ("  QT/happy: {tilt: -0.25}\n", "", r"poses lacks the expression 'QT/happy': add a pose"),
    ("  rest:", "  sad: {pan: 0}\n  rest:", r"poses has 'sad', which answers no emotion"),
    ("{tilt: -0.25}", "[1, 2]", r"pose 'QT/happy' is \[1, 2\]: make it a mapping"),
    ("name: bot\n", "", r"name is missing"),
    ("name: bot", "nom: bot", r"unknown key 'nom': known are name, description"),
    ("name: bot", "3: bot", r"the table has the key 3: put it in quotes"),
    ("name: bot", "name: [", r"line \d+: .*correct the YAML"),
    ("name: bot", "name: !!python/object:os.system x", r"line 1: .*constructor"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_wrong_table_says_which_file_what_is_wrong_and_what_to_do(table, old, new, message):
    path = table(old, new)
    with pytest.raises(RobotTableError, match=message) as caught:
        load_robot(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty: make it a mapping with the keys name"),
        ("- a\n- b\n", "make it a mapping"),
        ("name: x\nexpressions: {neutral: n}\n", "outputs is empty: make it a list"),
        (
            "name: x\nexpressions: {neutral: n}\noutputs: [{type: joint_trajectory, topic: t}]\n",
            "output 1 moves joints, but joints is missing",
        ),
        (
            "name: x\nexpressions: {neutral: n}\noutputs: [{type: label, topic: t}]\nposes: {}\n",
            "poses but no joints",
        ),
        ("[" * 1500, "nested too deeply|correct the YAML"),
    ],
)
def test_table_without_its_parts_is_refused(table, text, message):
    with pytest.raises(RobotTableError, match=message) as caught:
        load_robot(table(text=text))
    assert "\n" not in str(caught.value)


def test_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(RobotTableError, match="No such file"):
        load_robot(str(tmp_path / "none.yaml"))
    with pytest.raises(RobotTableError, match="Is a directory"):
        load_robot(f"{tmp_path}/")
    (tmp_path / "bytes.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(RobotTableError, match="UTF-8"):
        load_robot(str(tmp_path / "bytes.yaml"))


def test_every_output_type_of_the_tables_has_a_class():
    pytest.importorskip("rclpy", reason="needs rclpy")
    from expression_ros.nodes.robot_outputs import message_type

    assert {kind: message_type(kind).__name__ for kind in OUTPUT_TYPES} == {
        "label": "String",
        "joint_trajectory": "JointTrajectory",
    }
