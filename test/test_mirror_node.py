"""The mirror over real DDS: a label by hand in, the robot's commands out."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import ClockType
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_bench import PATIENCE_S, wait_until
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, String
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from expression_ros.mirroring.robot_table import RobotTableError, available_robots, load_robot
from expression_ros.mirroring.styles import StyleError
from expression_ros.nodes.common import clock_watch
from expression_ros.nodes.common.parameters import ParameterError
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.vocabulary import EMOTIONS

pytestmark = pytest.mark.usefixtures("quick_reports")

FACE = load_robot("virtual_face")
HEAD = load_robot("ros2_control_head")
NECK = HEAD.outputs[0]

QT = """\
name: qt
expressions: {neutral: QT/neutral, happiness: QT/happy}
outputs: [{type: label, topic: qt/show}]
"""


class Bench:
    """A mirror under test: labels in by hand, expressions collected."""

    def __init__(self, ros, **parameters):
        self.ros = ros
        # Waiting is what other tests are about.
        values = {"min_hold": 0.0, "neutral_after": 60.0, **parameters}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.expressions = ros.collect(String, "robot_expression")
        self.mirror = ros.add(Mirror(context=ros.context, parameter_overrides=overrides))
        self.labels = ros.publisher(String, "face_emotion")
        if values.get("enabled", True):
            self.wait_for("neutral", "QT/neutral")

    def say(self, label: str) -> None:
        self.labels.publish(String(data=label))

    def wait_for(self, *words: str) -> None:
        """Wait until the newest expression is one of these."""
        self.expressions.wait_for(lambda got: got and got[-1].data in words, f"{words}")

    def set(self, name: str, value) -> None:
        result = self.ros.set_parameter("mirror", name, value)
        assert result.successful, result.reason

    def enable(self, value: bool) -> SetBool.Response:
        return self.ros.call(SetBool, "mirror/enable", SetBool.Request(data=value))

    def wait_for_status(self, condition, what: str) -> DiagnosticStatus:
        """Wait for a report of the mirror whose status and values satisfy the condition."""
        reports = self.ros.collect(DiagnosticArray, "/diagnostics")
        try:
            return reports.wait_for(lambda got: self._find(got, condition), what)
        finally:
            self.ros.node.destroy_subscription(reports.subscription)

    @staticmethod
    def _find(reports, condition):
        for report in reports:
            for status in report.status:
                if status.name == "mirror: expressions" and condition(status, values_of(status)):
                    return status
        return None


def scores_message(**scores: float) -> Float32MultiArray:
    """Return scores as the recognizer publishes them, each label the name of a dimension."""
    message = Float32MultiArray(data=list(scores.values()))
    message.layout.dim = [MultiArrayDimension(label=label, size=1) for label in scores]
    return message


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {entry.key: entry.value for entry in status.values}


def seconds(duration) -> float:
    return duration.sec + duration.nanosec * 1e-9


def assert_within_limits(message: JointTrajectory, output=NECK) -> None:
    joints = HEAD.joints_of(output)
    assert list(message.joint_names) == [joint.name for joint in joints]
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (0, 0)
    times = [seconds(point.time_from_start) for point in message.points]
    assert times[0] > 0
    assert all(before < after for before, after in itertools.pairwise(times))
    assert list(message.points[-1].velocities) == [0.0] * len(joints)
    for point in message.points:
        for joint, position, velocity in zip(
            joints, point.positions, point.velocities, strict=True
        ):
            assert joint.minimum <= position <= joint.maximum
            assert abs(velocity) <= joint.max_velocity


def ends_in(messages, word: str, output=NECK):
    """Return the newest trajectory if it ends in the pose of ``word``."""
    wanted = pytest.approx(HEAD.poses_of(output)[word], abs=3e-4)  # a limit is not touched
    return messages and list(messages[-1].points[-1].positions) == wanted and messages[-1]


# The face


def test_label_by_hand_is_answered_for_all_emotions(ros):
    bench = Bench(ros)
    for emotion in [*EMOTIONS[1:], "neutral"]:
        bench.say(emotion)
        bench.wait_for(FACE.expressions[emotion])


def test_alias_is_answered(ros):
    bench = Bench(ros)
    bench.say("happy")
    bench.wait_for("smile")


def test_late_subscriber_gets_the_present_expression(ros):
    bench = Bench(ros)
    bench.say("happiness")
    bench.wait_for("smile")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    for qos in (latched, 10):
        late = ros.collect(String, "robot_expression", qos)
        late.wait_for(lambda got: got and got[0].data == "smile")


def test_expression_is_held_for_min_hold(ros):
    bench = Bench(ros, min_hold=0.6)
    began = time.monotonic()
    bench.say("happiness")
    bench.wait_for("smile")
    bench.say("anger")
    bench.wait_for("angry")
    assert time.monotonic() - began >= 0.6


def test_silence_returns_to_neutral(ros):
    bench = Bench(ros, neutral_after=0.3)
    bench.say("sadness")
    bench.expressions.wait_for(lambda got: [m.data for m in got][-2:] == ["sad", "neutral"])


def test_service_switches_off_and_on(ros):
    bench = Bench(ros)
    bench.say("happiness")
    bench.wait_for("smile")
    answer = bench.enable(False)
    assert answer.success
    assert "switched off" in answer.message
    bench.wait_for("neutral")
    bench.say("anger")
    bench.wait_for_status(lambda _, values: values["enabled"] == "no", "a report: off")
    assert bench.mirror.get_parameter("enabled").value is False
    assert bench.enable(True).success
    bench.say("sadness")
    bench.wait_for("sad")
    assert "angry" not in [message.data for message in bench.expressions.messages]


def test_parameter_switches_off_like_the_service(ros):
    bench = Bench(ros)
    bench.say("happiness")
    bench.wait_for("smile")
    bench.set("enabled", False)
    bench.wait_for("neutral")


def test_mirror_that_starts_switched_off_leaves_the_robot_alone(ros):
    bench = Bench(ros, enabled=False)
    bench.wait_for_status(lambda _, values: values["enabled"] == "no", "a report: off")
    assert not bench.expressions.messages
    bench.enable(True)
    bench.wait_for("neutral")


def test_unknown_word_is_reported_and_survived(ros):
    bench = Bench(ros)
    for word in ("foo", "foo", "", "happ\niness"):
        bench.say(word)
    bench.say("unknown")
    status = bench.wait_for_status(
        lambda _, values: values["labels that say unknown"] == "1", "a report of the labels"
    )
    assert status.level == DiagnosticStatus.WARN
    assert "on /face_emotion; known labels: neutral, anger" in status.message
    assert values_of(status)["unknown words"] == "4"
    assert values_of(status)["labels received"] == "5"
    bench.say("happiness")
    bench.wait_for("smile")


def test_report_says_what_is_shown(ros):
    bench = Bench(ros)
    bench.say("happiness")
    status = bench.wait_for_status(lambda _, v: v["expression"] == "smile", "a report: smile")
    values = values_of(status)
    assert status.level == DiagnosticStatus.OK
    assert values["robot"] == "virtual_face"
    assert values["emotion"] == "happiness"
    assert values["publishers on /face_emotion"] == "1"
    assert values["subscribers on /robot_expression"] == "1"


def test_mirror_lives_in_a_namespace(ros):
    mirror = ros.add(Mirror(context=ros.context, namespace="left_robot"))
    expressions = ros.collect(String, "/left_robot/robot_expression")
    ros.publisher(String, "/left_robot/face_emotion").publish(String(data="fear"))
    expressions.wait_for(lambda got: got and got[-1].data == "afraid")
    assert mirror.get_fully_qualified_name() == "/left_robot/mirror"


# Other robots


def test_robot_is_switched_at_run_time(ros, tmp_path):
    table = tmp_path / "qt.yaml"
    table.write_text(QT, encoding="utf-8")
    bench = Bench(ros)
    shown = ros.collect(String, "qt/show")
    bench.say("happiness")
    bench.wait_for("smile")
    bench.set("robot", str(table))
    bench.wait_for("QT/happy")
    wait_until(lambda: ros.node.count_publishers("qt/show"), "the publisher of qt/show")
    bench.say("neutral")
    shown.wait_for(lambda got: got and got[-1].data == "QT/neutral")
    bench.say("happiness")
    shown.wait_for(lambda got: got and got[-1].data == "QT/happy")
    bench.set("robot", "virtual_face")
    shown.wait_for(lambda got: got[-1].data == "QT/neutral", "the old robot left neutral")
    bench.wait_for("smile")
    wait_until(lambda: not ros.node.count_publishers("qt/show"), "the end of qt/show")


def test_edited_table_is_read_again(ros, tmp_path):
    table = tmp_path / "qt.yaml"
    table.write_text(QT, encoding="utf-8")
    bench = Bench(ros, robot=str(table))
    bench.say("happiness")
    bench.wait_for("QT/happy")
    table.write_text(QT.replace("QT/happy", "QT/laugh"), encoding="utf-8")
    bench.set("robot", str(table))
    bench.wait_for("QT/laugh")


def test_style_is_changed_at_run_time(ros, tmp_path):
    own = tmp_path / "calm.yaml"
    own.write_text("name: calm\nanswers: {anger: neutral}\n", encoding="utf-8")
    bench = Bench(ros, style="empathic")
    bench.say("anger")
    bench.wait_for("concerned")
    bench.set("style", "mirror")
    bench.wait_for("angry")
    bench.set("style", str(own))
    bench.wait_for("neutral")
    status = bench.wait_for_status(lambda _, values: values["style"] == "calm", "a report: calm")
    assert values_of(status)["emotion"] == "anger"


def test_wrong_style_is_refused_with_the_list(ros):
    bench = Bench(ros)
    result = ros.set_parameter("mirror", "style", "cruel")
    assert not result.successful
    assert result.reason == (
        "no style 'cruel'; styles: empathic, mirror, or the absolute path of a table"
    )
    with pytest.raises(StyleError, match="no style 'cruel'"):
        Mirror(context=ros.context, parameter_overrides=[Parameter("style", value="cruel")])
    bench.say("anger")
    bench.wait_for("angry")


def test_expression_cools_down(ros):
    bench = Bench(ros, cooldown=600.0)
    bench.say("happiness")
    bench.wait_for("smile")
    bench.say("anger")
    bench.wait_for("angry")
    bench.say("happiness")
    bench.wait_for("neutral")
    bench.set("cooldown", 0.0)
    bench.wait_for("smile")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nonsense", "no robot 'nonsense'; robots: boris, "),
        (7, "no robot '7'"),
        ("/none.yaml", "/none.yaml: No such file or directory"),
        (True, "robot must be a text|no robot 'True'"),
    ],
)
def test_wrong_robot_is_refused_with_the_list(ros, value, reason):
    bench = Bench(ros)
    result = ros.set_parameter("mirror", "robot", value)
    assert not result.successful
    assert re.search(reason, result.reason)
    bench.say("happiness")
    bench.wait_for("smile")


def test_wrong_value_of_another_parameter_is_refused(ros):
    Bench(ros)
    for name, value in (("min_hold", 11.0), ("neutral_after", 0.0), ("enabled", "maybe")):
        result = ros.set_parameter("mirror", name, value)
        assert not result.successful
        assert name in result.reason


def test_hold_changes_at_run_time(ros):
    bench = Bench(ros, min_hold=10.0)
    bench.say("happiness")
    bench.wait_for("smile")
    bench.say("anger")
    bench.set("min_hold", 0)
    bench.wait_for("angry")


def test_wrong_robot_at_start_is_an_error(ros):
    with pytest.raises(RobotTableError, match=r"robots: boris, .*virtual_face"):
        Mirror(context=ros.context, parameter_overrides=[Parameter("robot", value="nonsense")])
    with pytest.raises(ParameterError, match="min_hold"):
        Mirror(context=ros.context, parameter_overrides=[Parameter("min_hold", value=-1.0)])


# The head


def test_head_moves_within_its_limits(ros):
    moves = {output: ros.collect(JointTrajectory, output.topic) for output in HEAD.outputs}
    bench = Bench(ros, robot="ros2_control_head")
    for output, collector in moves.items():
        first = collector.wait_for(lambda got, o=output: ends_in(got, "neutral", o), "the approach")
        assert len(first.points) == 1  # slowly, from wherever the head is
    for emotion in EMOTIONS[1:]:
        word = HEAD.expressions[emotion]
        bench.say(emotion)
        for output, collector in moves.items():
            collector.wait_for(
                lambda got, o=output, w=word: ends_in(got, w, o), f"a move of {output.topic}"
            )
    for output, collector in moves.items():
        for message in collector.messages:
            assert_within_limits(message, output)


def test_attack_and_release_are_the_durations_of_the_moves(ros):
    moves = ros.collect(JointTrajectory, NECK.topic)
    bench = Bench(ros, robot="ros2_control_head", attack=1.2, release=2.5)
    approach = moves.wait_for(lambda got: ends_in(got, "neutral"), "the approach to neutral")
    began = time.monotonic()
    wait_until(
        lambda: time.monotonic() - began > seconds(approach.points[0].time_from_start),
        "the end of the approach",
    )
    bench.say("surprise")
    there = moves.wait_for(lambda got: ends_in(got, "surprised"), "a move to surprised")
    assert seconds(there.points[-1].time_from_start) == pytest.approx(1.2)
    bench.say("neutral")
    back = moves.wait_for(lambda got: ends_in(got, "neutral"), "a move to neutral")
    assert seconds(back.points[-1].time_from_start) == pytest.approx(2.5)
    for message in moves.messages:
        assert_within_limits(message)


def test_score_sets_the_strength_of_a_pose(ros):
    moves = ros.collect(JointTrajectory, NECK.topic)
    bench = Bench(ros, robot="ros2_control_head", full_score=0.8)
    moves.wait_for(lambda got: ends_in(got, "neutral"), "the approach to neutral")
    scores = ros.publisher(Float32MultiArray, "face_emotion/scores")
    scores.publish(scores_message(surprise=0.4))
    bench.wait_for_status(lambda _, v: v["scores that could not be read"] == "0", "a report")
    half = pytest.approx([0.5 * value for value in HEAD.poses_of(NECK)["surprised"]], abs=3e-4)

    def moved_half(got):
        # The label counts with scores that are at most half a second old: send both again.
        scores.publish(scores_message(surprise=0.4))
        bench.say("surprise")
        time.sleep(0.02)
        return list(got[-1].points[-1].positions) == half

    wait_until(lambda: moved_half(moves.messages), "a half surprised head")
    status = bench.wait_for_status(lambda _, v: v["expression"] == "surprised", "a report")
    assert values_of(status)["intensity"] == "0.50"


def test_scores_without_labels_are_counted_and_survived(ros):
    bench = Bench(ros)
    scores = ros.publisher(Float32MultiArray, "face_emotion/scores")
    scores.publish(Float32MultiArray(data=[0.5, 0.5]))
    scores.publish(scores_message(happiness=float("nan")))
    bench.wait_for_status(lambda _, v: v["scores that could not be read"] == "2", "a count of 2")
    bench.say("happiness")
    bench.wait_for("smile")


def test_controller_that_appears_later_is_led_to_the_present_pose(ros):
    bench = Bench(ros, robot="ros2_control_head")
    bench.say("happiness")
    bench.wait_for("smile")
    moves = ros.collect(JointTrajectory, NECK.topic)
    # The move to the smile may still be on its way when the subscription is made.
    message = moves.wait_for(
        lambda got: (last := ends_in(got, "smile")) and len(last.points) == 1 and last,
        "the approach to the smile",
    )
    assert seconds(message.points[0].time_from_start) > 1.0
    assert_within_limits(message)


def test_missing_controller_is_reported(ros):
    bench = Bench(ros, robot="ros2_control_head")
    status = bench.wait_for_status(
        lambda status, _: status.level == DiagnosticStatus.WARN, "a warning"
    )
    assert "nobody subscribes /neck_controller/joint_trajectory: start" in status.message


def test_switching_off_moves_the_head_to_neutral(ros):
    moves = ros.collect(JointTrajectory, NECK.topic)
    bench = Bench(ros, robot="ros2_control_head")
    bench.say("surprise")
    moves.wait_for(lambda got: ends_in(got, "surprised"), "a move to surprised")
    bench.enable(False)
    moves.wait_for(lambda got: ends_in(got, "neutral"), "a move to neutral")


def test_output_whose_messages_are_not_installed_is_refused(ros, monkeypatch):
    bench = Bench(ros)
    monkeypatch.setitem(sys.modules, "trajectory_msgs.msg", None)
    result = ros.set_parameter("mirror", "robot", "ros2_control_head")
    assert not result.successful
    assert "trajectory_msgs/msg/JointTrajectory is not installed" in result.reason
    assert "ros-$ROS_DISTRO-trajectory-msgs" in result.reason
    bench.say("happiness")
    bench.wait_for("smile")


# Time


def test_the_mirror_holds_and_lets_go_whatever_a_simulated_clock_does(ros):
    clock = ros.node.create_publisher(Clock, "/clock", 10)
    bench = Bench(ros, use_sim_time=True, neutral_after=0.5, min_hold=0.1)
    assert bench.mirror.get_clock().clock_type == ClockType.ROS_TIME
    wait_until(lambda: clock.get_subscription_count(), "the mirror on /clock")

    def at(second: int) -> None:
        """Repeat the time until the mirror has it: the clock's subscription is best-effort."""

        def told() -> bool:
            clock.publish(Clock(clock=Time(sec=second)))
            return bench.mirror.get_clock().now().nanoseconds == second * 10**9

        wait_until(told, f"the mirror's clock at {second} s")

    at(100)
    for second, label, word in ((100, "happiness", "smile"), (3, "anger", "angry")):
        bench.say(label)
        bench.wait_for(word)
        at(second)  # it stands still, and then it goes back
        bench.wait_for("neutral")
    bench.say("happiness")
    bench.wait_for("smile")
    bench.set("neutral_after", 60.0)
    at(7200)  # a jump ahead is no silence
    bench.say("anger")
    bench.wait_for("angry")


def test_a_simulated_clock_that_nobody_publishes_is_told_and_stops_nothing(ros, monkeypatch):
    monkeypatch.setattr(clock_watch, "_PATIENCE_S", 0.3)
    bench = Bench(ros, use_sim_time=True, neutral_after=0.5)
    bench.say("happiness")
    bench.wait_for("smile")
    bench.wait_for("neutral")
    status = bench.wait_for_status(lambda s, _: "no /clock comes" in s.message, "the clock")
    assert status.level == DiagnosticStatus.WARN and "set use_sim_time to false" in status.message
    assert values_of(status)["clock"] == "simulated, stands still"


# The end


def test_close_leaves_the_robot_neutral(ros):
    moves = ros.collect(JointTrajectory, NECK.topic)
    bench = Bench(ros, robot="ros2_control_head")
    bench.say("happiness")
    moves.wait_for(lambda got: ends_in(got, "smile"), "a move to the smile")
    ros.in_executor(bench.mirror.close)
    bench.wait_for("neutral")
    moves.wait_for(lambda got: ends_in(got, "neutral"), "a move to neutral")
    assert_within_limits(moves.messages[-1])
    ros.in_executor(bench.mirror.close)  # a second time changes nothing


def start_process(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "expression_ros.nodes.mirror", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_process_ends_cleanly_and_leaves_the_robot_neutral(ros, number):
    expressions = ros.collect(String, "robot_expression")
    process = start_process("--ros-args", "-p", "neutral_after:=60.0")
    try:
        expressions.wait_for(lambda got: got, "the mirror's first expression")
        ros.publisher(String, "face_emotion").publish(String(data="happiness"))
        expressions.wait_for(lambda got: got[-1].data == "smile")
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        took = time.monotonic() - began
    finally:
        process.kill()
        errors = process.communicate()[1]
    expressions.wait_for(lambda got: got[-1].data == "neutral", "neutral at the end")
    assert "Traceback" not in errors
    # About 0.3 s; what it may take is bounded so that nobody has to send the signal again.
    assert took < 1.0 + min(4.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_process_with_a_wrong_robot_ends_with_one_line():
    process = start_process("--ros-args", "-p", "robot:=nonsense")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert errors == (
        f"[ERROR] no robot 'nonsense'; robots: {', '.join(available_robots())}, "
        "or the absolute path of a table\n"
    )
