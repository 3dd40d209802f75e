"""Robot tables: the shipped ones, and one clear line for each way in which one can be wrong."""

from __future__ import annotations

import pytest

from expression_ros.mirroring.robot_table import (
    ANSWERS,
    OUTPUT_TYPES,
    Output,
    RobotTableError,
    load_robot,
)

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
    assert set(robot.expressions) == set(ANSWERS)
    assert robot.expression_for("anger") == "rest"


def test_joint_left_out_of_a_pose_stays_where_it_is_in_neutral(table):
    assert load_robot(table()).poses == {"rest": (0.25, 0.0), "QT/happy": (0.25, -0.25)}


def test_joint_at_its_limit_is_accepted(table):
    assert load_robot(table("tilt: -0.25", "tilt: -0.5")).poses["QT/happy"] == (0.25, -0.5)


def test_wrong_name_lists_the_robots():
    with pytest.raises(RobotTableError, match=r"no robot 'nonsense'; robots: boris, .*_face"):
        load_robot("nonsense")


@pytest.mark.parametrize("name", ["bots/bot.yaml", "bot.yaml", "../ros2_control_head"])
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
    ("max_velocity: 2.0", "max_velocity: 1.0e-9", r"joint pan: at these limits it takes 2e\+09 s"),
    ("min: -1.0", "min: -1.0e+308", r"joint pan: at these limits it takes .* correct them"),
    ("max_acceleration: 9", "max_acceleration: 1.0e-9", r"joint tilt: at these limits it takes"),
    ("QT/happy}", '"a\\ud800"}', r"expressions.happiness is .*: ROS cannot send it"),
    ("QT/happy}", '"a\\0b"}', r"expressions.happiness is .*: ROS cannot send it"),
    ("min: -1.0", "min: 1.0", r"joint pan: min 1 is not below max 1"),
    ("tilt: -0.25", "tilt: -0.6", r"pose 'QT/happy' puts tilt at -0.6, outside -0.5 .. 0.5"),
    ("tilt: -0.25", "roll: 0.1", r"names the unknown joint 'roll': joints are pan, tilt"),
    ("pan: 0.25, ", "", r"pose 'rest': joint pan is missing"),
    ("  tilt: {", "  pan: {", r"line 8: 'pan' is given twice: keep one of them"),
    ("tilt: 0}", "pan: 0}", r"'pan' is given twice"),
    ("name: bot", "name: bot\nname: robot", r"line 2: 'name' is given twice"),
    (", topic: /bot/show", "", r"output 1 \(label\): topic is missing: add it"),
    ("/bot/show", "'/bot show'", r"topic is '/bot show': use letters"),
    ("type: label", "type: lamp", r"unknown type 'lamp': known are label, joint_trajectory, led"),
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
            r"output 1 \(joint_trajectory\) moves joints, but joints is missing",
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


# Outputs of other types

FULL = """\
name: full
description: All types of output at once.
checked_against: nothing
expressions: {neutral: rest, happiness: joy, concern: care}
outputs:
  - {type: label, topic: words}
  - {type: joint_trajectory, topic: neck/trajectory, joints: [tilt, pan]}
  - {type: joint_trajectory, topic: face/trajectory, joints: [jaw]}
  - {type: led, topic: eyes, fade: 0.5}
  - {type: expression, topic: face}
  - {type: service, service: words, service_type: bot_msgs/srv/Show, field: name, timeout: 3}
joints:
  pan: {min: -1, max: 1, max_velocity: 2}
  tilt: {min: -1, max: 1, max_velocity: 2}
  jaw: {min: 0, max: 1, max_velocity: 2}
poses:
  rest: {pan: 0.1, tilt: 0.2, jaw: 0.3}
  joy: {jaw: 1.0}
  care: {tilt: 0.5}
colours: {rest: [0, 0, 0], joy: [1, 1, 0, 0.5], care: [0, 0, 1]}
affect:
  rest: {valence: 0, arousal: 0}
  joy: {valence: 0.9, arousal: 0.5}
  care: {valence: -0.3, arousal: -0.1}
"""


def test_several_outputs_at_once(table):
    robot = load_robot(table(text=FULL))
    assert [output.interface for output in robot.outputs] == [
        "std_msgs/msg/String",
        "trajectory_msgs/msg/JointTrajectory",
        "trajectory_msgs/msg/JointTrajectory",
        "std_msgs/msg/ColorRGBA",
        "hri_msgs/msg/Expression",
        "bot_msgs/srv/Show",
    ]
    label, neck, face, led, _, service = robot.outputs
    assert (led.fade, service.field, service.timeout) == (0.5, "name", 3.0)
    assert label.topic == service.topic == "words"  # a topic and a service may share a name
    assert [joint.name for joint in robot.joints_of(neck)] == ["tilt", "pan"]
    assert robot.poses_of(neck) == {"rest": (0.2, 0.1), "joy": (0.2, 0.1), "care": (0.5, 0.1)}
    assert robot.poses_of(face)["joy"] == (1.0,)
    assert robot.colours["joy"] == (1.0, 1.0, 0.0, 0.5)
    assert robot.colours["rest"] == (0.0, 0.0, 0.0, 1.0)
    assert robot.affect["care"] == (-0.3, -0.1)
    assert robot.words == ("rest", "joy", "care")
    assert robot.expression_for("concern") == "care"
    assert robot.checked_against == "nothing"


WRONG_OUTPUTS = [
    ("[jaw]", "[jaw, pan]", r"joint pan is moved by output 2 and output 3: give each output its"),
    ("[jaw]", "[jaw, jaw]", r"output 3 \(joint_trajectory\) names the joint jaw twice: keep one"),
    ("[tilt, pan]", "[tilt]", r"joint pan is moved by no output: remove it, or name it"),
    ("[jaw]", "[yaw]", r"names the unknown joint 'yaw': joints are pan, tilt, jaw"),
    ("[jaw]", "jaw", r"joints is 'jaw': make it a list"),
    (", joints: [jaw]", "", r"joint pan is moved by output 2 and output 3"),
    ("fade: 0.5", "fade: -1", r"output 4 \(led\): fade is -1: make it 0 to 10"),
    ("fade: 0.5", "joints: [jaw]", r"output 4 \(led\) has the unknown key 'joints'"),
    ("bot_msgs/srv/Show", "bot_msgs/Show", r"service_type is 'bot_msgs/Show': write it as package"),
    (", service_type: bot_msgs/srv/Show", "", r"output 6 \(service\): service_type is missing"),
    ("field: name", "field: the name", r"field is 'the name': name a field of the request"),
    (", field: name", "", r"output 6 \(service\): field is missing"),
    ("timeout: 3", "timeout: 0", r"timeout is 0: make it 0.1 to 60"),
    ("service: words", "topic: words", r"output 6 \(service\) has the unknown key 'topic'"),
    (", care: [0, 0, 1]}", "}", r"colours lacks the expression 'care': add a colour for it"),
    ("joy: [1, 1, 0, 0.5]", "joy: [1, 1]", r"colour 'joy' is \[1, 1\]: make it \[red, green"),
    ("joy: [1, 1, 0, 0.5]", "joy: [1, 1, 255]", r"colour 'joy' is 255: make it 0 to 1"),
    ("joy: [1, 1, 0, 0.5]", "joy: '#ff0'", r"colour 'joy' is '#ff0': make it \[red"),
    ("  - {type: led, topic: eyes, fade: 0.5}\n", "", r"colours is given but there is no led"),
    ("  - {type: expression, topic: face}\n", "", r"affect is given but there is no expression"),
    ("joy: {valence: 0.9, ", "joy: {", r"affect 'joy': valence is missing: add it"),
    ("valence: 0.9", "valence: 9", r"affect 'joy': valence is 9: make it -1 to 1"),
    ("  care: {valence: -0.3, arousal: -0.1}\n", "", r"affect lacks the expression 'care'"),
    ("concern: care", "worry: care", r"unknown emotion 'worry': emotions are .*, concern"),
    ("jaw: {min: 0, ", "jaw: {", r"joint jaw: min is missing: add it"),
    ("checked_against: nothing", "checked_against: [1]", r"checked_against is \[1\]: make it a"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG_OUTPUTS)
def test_wrong_output_says_what_is_wrong_and_what_to_do(table, old, new, message):
    path = table(old, new, FULL)
    with pytest.raises(RobotTableError, match=message) as caught:
        load_robot(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_every_output_type_of_the_tables_has_a_class():
    pytest.importorskip("rclpy", reason="needs rclpy")
    from expression_ros.nodes.mirror.outputs import CLASSES

    assert tuple(CLASSES) == OUTPUT_TYPES
