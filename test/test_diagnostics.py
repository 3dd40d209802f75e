"""/diagnostics: levels by thresholds that are parameters, and sentences a person can act on."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.nodes.common.diagnostics import (
    ERROR,
    OK,
    WARN,
    RecentShare,
    level_above,
    level_below,
    summary,
)
from expression_ros.nodes.common.image_input import ImageInput
from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.nodes.recognizer.node import Recognizer
from expression_ros.nodes.recognizer.statistics import RecognizerStatistics
from expression_ros.parameters.nodes import MIRROR_PARAMETERS
from expression_ros.parameters.recognizer import RECOGNIZER_PARAMETERS, RECOGNIZER_THRESHOLDS
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.resources import models_path

pytestmark = pytest.mark.usefixtures("quick_reports")

REPOSITORY = Path(__file__).resolve().parent.parent
ROBOT = """
name: robot
expressions: {neutral: rest, happiness: joy}
outputs: [{type: label, topic: nobody/reads/this}]
"""


# ---- the pieces ----


@pytest.mark.parametrize(
    ("value", "above", "below"),
    [(0.0, OK, ERROR), (1.0, OK, ERROR), (1.5, WARN, ERROR), (2.0, WARN, WARN), (2.5, ERROR, WARN),
     (3.0, ERROR, OK)],
)  # fmt: skip
def test_a_threshold_itself_is_not_exceeded(value, above, below):
    assert level_above(value, 1.0, 2.0) == above
    assert level_below(value, 3.0, 2.0) == below


def test_the_worst_is_told_first_and_what_is_fine_not_at_all():
    findings = [(OK, "a"), (WARN, "b"), (ERROR, "c"), (OK, "d"), (WARN, "e")]
    assert summary(findings, "fine") == (ERROR, "c; b; e")
    assert summary(findings[:1], "fine") == (OK, "fine")
    assert summary([], "fine") == (OK, "fine")


def test_a_share_is_that_of_the_last_looks_only():
    share = RecentShare(looks=2)
    assert share.update(0, 0) == 0.0
    assert share.update(5, 10) == 0.5
    assert share.update(5, 20) == 0.25
    assert share.update(5, 30) == 0.0, "the first ten are forgotten"
    assert share.update(15, 40) == 0.5
    assert share.update(15, 40) == 1.0
    assert share.update(15, 40) == 0.0, "nothing new"


def test_too_few_events_say_nothing():
    share = RecentShare(looks=5, fewest=20)
    assert share.update(19, 19) == 0.0
    assert share.update(20, 20) == 1.0


# ---- the recognizer's judgement, at chosen times ----


class Judge:
    """Statistics of a recognizer whose seconds are counted by the test."""

    def __init__(self, ros, **parameters):
        self.node, self.now, self.dropped = ros.node, 0.0, 0
        self.limits = NodeParameters(ros.node, RECOGNIZER_PARAMETERS)
        for name, value in parameters.items():
            assert ros.node.set_parameters([Parameter(name, value=value)])[0].successful
        self.source = ImageInput(ros.node, "/nowhere", "raw", lambda _: None)
        self.counts = RecognizerStatistics(self.now)

    def second(self, images=0, read=0, label="happiness", latency=0.01, refused=0):
        """Let a second pass with so many events; return the statuses of input and recognition."""
        self.now += 1.0
        for _ in range(images):
            self.counts.image_received(self.now)
        for _ in range(refused):
            self.counts.image_refused("data", "image is truncated; check the camera driver")
        face = FaceReading(1, Box(0, 0, 50, 50), label, 0.9, {"happiness": 1.0})
        for _ in range(read):
            self.counts.frame_read(FrameReading((face,), {}, face), latency)
        self.dropped += images - read - refused
        return (
            self.counts.input_status(self.node, self.source, self.dropped, self.now, self.limits),
            self.counts.recognition_status(self.node, self.dropped, self.now, self.limits),
        )


@pytest.fixture
def judge(ros):
    made = []

    def make(**parameters):
        ros.in_executor(lambda: made.append(Judge(ros, **parameters)))
        return made[-1]

    yield make
    for one in made:
        ros.in_executor(one.source.close)


def values(status):
    return {pair.key: pair.value for pair in status.values}


def test_all_is_well_at_thirty_images_a_second(judge):
    seconds = judge()
    for _ in range(8):
        source, recognition = seconds.second(images=30, read=30)
        assert source.level == recognition.level == OK
    assert source.message == "30.0 images/s on /nowhere"
    assert recognition.message == "1 face, happiness"


def test_silence_warns_and_becomes_an_error(judge):
    seconds = judge()
    seconds.second(images=30, read=30)
    levels = [seconds.second()[0].level for _ in range(12)]
    assert levels == [OK, OK] + [WARN] * 8 + [ERROR] * 2
    source, _ = seconds.second()
    assert source.message.startswith("no image on /nowhere for 13 s; publishers: none; ")
    assert seconds.second(images=30, read=30)[0].level == OK


@pytest.mark.parametrize(("rate", "level"), [(30, OK), (5, OK), (4, WARN), (1, WARN)])
def test_few_images_are_told_when_three_seconds_agree(judge, rate, level):
    seconds = judge()
    levels = [seconds.second(images=rate, read=rate)[0].level for _ in range(6)]
    # The first look has no rate yet, so it is of the three that agree only for a low one.
    assert levels[:2] == [OK, OK] and levels[3:] == [level] * 3


def test_a_second_without_images_is_no_low_rate(judge):
    seconds = judge()
    for k in range(10):
        assert seconds.second(images=0 if k % 2 else 30, read=0 if k % 2 else 30)[0].level == OK


def test_one_image_in_two_seconds_is_an_error_of_rate(judge):
    seconds = judge(image_rate_error=2.0)
    levels = [seconds.second(images=k % 2, read=k % 2)[0].level for k in range(8)]
    assert levels[-1] == ERROR
    told, _ = seconds.second(images=1, read=1)
    assert told.message.endswith("or lower image_rate_warn")


def test_a_refused_image_warns_for_five_seconds(judge):
    seconds = judge()
    seconds.second(images=30, read=30)
    source, _ = seconds.second(images=30, read=29, refused=1)
    assert source.level == WARN
    assert source.message == (
        "2% of the images refused: image is truncated; check the camera driver"
    )
    levels = [seconds.second(images=30, read=30)[0].level for _ in range(6)]
    assert levels == [WARN] * 4 + [OK] * 2


def test_nothing_but_refused_images_is_an_error(judge):
    seconds = judge()
    source = [seconds.second(images=30, refused=30)[0] for _ in range(3)][-1]
    assert source.level == ERROR and source.message.startswith("100% of the images refused: ")


@pytest.mark.parametrize(
    ("latency", "level"), [(0.02, OK), (0.19, OK), (0.21, WARN), (0.99, WARN), (1.1, ERROR)]
)
def test_late_labels_are_told(judge, latency, level):
    seconds = judge()
    first, second = (seconds.second(images=30, read=30, latency=latency)[1] for _ in range(2))
    assert first.level == OK, "the first look has nothing to compare its counts with"
    assert second.level == level
    assert ("send smaller ones" in second.message) == (level != OK)


def test_stamps_of_another_clock_are_told_as_such(judge):
    seconds = judge()
    for _ in range(2):
        told = seconds.second(images=30, read=30, latency=86_400.0)[1]
    assert told.level == ERROR
    assert "stamped 86400 s before they come" in told.message and "use_sim_time" in told.message


def test_a_latency_of_the_past_is_no_news(judge):
    seconds = judge()
    for _ in range(3):
        late = seconds.second(images=30, read=30, latency=5.0)[1]
    assert late.level == ERROR
    assert seconds.second()[1].level == OK


@pytest.mark.parametrize(("read", "level"), [(30, OK), (16, OK), (12, WARN), (2, ERROR)])
def test_dropped_images_are_told_by_their_share(judge, read, level):
    seconds = judge()
    told = [seconds.second(images=30, read=read)[1] for _ in range(5)][-1]
    assert told.level == level
    assert values(told)["share of images dropped (5 s)"] == f"{1 - read / 30:.2f}"
    if level != OK:
        assert f"{read} read a second" in told.message


def test_frames_that_fail_warn_and_are_forgotten_but_stay_counted(judge):
    seconds = judge()
    seconds.counts.failed += 1
    told = seconds.second(images=30, read=29)[1]
    assert told.level == WARN and "3% of the frames could not be read, 1 so far" in told.message
    for _ in range(5):
        told = seconds.second(images=30, read=30)[1]
    assert told.level == OK and values(told)["frames failed"] == "1"
    seconds.counts.failed += 400
    assert seconds.second(images=30)[1].level == ERROR


def test_faces_that_are_mostly_unknown_are_told(judge):
    seconds = judge(unknown_error=0.95)
    for _ in range(5):
        seconds.second(images=30, read=30)
    levels = [seconds.second(images=30, read=30, label="unknown")[1] for _ in range(5)]
    assert [one.level for one in levels] == [OK] * 4 + [ERROR]
    assert "lower min_confidence" in levels[-1].message
    assert values(levels[-1])["share of unknown (5 s)"] == "1.00"
    assert values(levels[-1])["faces read as unknown"] == "150"


def test_several_troubles_are_told_together(judge):
    seconds = judge()
    for _ in range(3):
        told = seconds.second(images=30, read=12, latency=2.0)[1]
    assert told.level == ERROR
    assert told.message.startswith("labels come 2.00 s after")
    assert "; 60% of the images dropped, 12 read a second: " in told.message


# ---- the running nodes ----


class Camera:
    """Sends an image thirty times a second, stamped with the time and an offset."""

    def __init__(self, ros, image):
        self.ros, self.image, self.offset = ros, image, 0.0
        self._publisher = ros.node.create_publisher(Image, "image_raw", 1)
        ros.node.create_timer(1 / 30, self._send)

    def _send(self):
        now = self.ros.node.get_clock().now().nanoseconds + round(1e9 * self.offset)
        self._publisher.publish(
            to_image_message(self.image, Time(nanoseconds=now).to_msg(), "camera")
        )


class Reports:
    """The newest status of a name that fulfils a condition."""

    def __init__(self, ros):
        self._messages = ros.collect(DiagnosticArray, "/diagnostics")

    def wait(self, name, condition, what):
        def look(messages):
            for message in reversed(messages):
                for one in message.status:
                    if one.name == name and condition(one):
                        return one
            return None

        return self._messages.wait_for(look, f"{name}: {what}")

    def level(self, name, level, part=""):
        self._messages.clear()
        return self.wait(name, lambda one: one.level == level and part in one.message, part)


@pytest.fixture
def reports(ros):
    return Reports(ros)


@pytest.fixture
def portrait(astronaut):
    return np.ascontiguousarray(astronaut[:480])


def recognizer(ros, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    node.start()
    return node


@pytest.mark.parametrize(
    ("task", "settings", "warn", "error", "part"),
    [
        ("input", {}, {"image_rate_warn": 400.0}, {"image_rate_error": 300.0}, "are few"),
        ("recognition", {}, {"latency_warn": 0.0}, {"latency_error": 0.0}, "labels come 0.0"),
        ("recognition", {"min_confidence": 1.0}, {"unknown_warn": 0.5}, {"unknown_error": 0.5},
         "of the faces are read as unknown"),
    ],
)  # fmt: skip
def test_thresholds_change_while_the_recognizer_runs(
    ros, reports, portrait, task, settings, warn, error, part
):
    name = f"recognizer: {task}"
    thresholds = {"unknown_warn": 1.0, "latency_warn": 5.0, "latency_error": 5.0, **settings}
    recognizer(ros, **thresholds)
    Camera(ros, portrait)
    reports.wait(name, lambda one: "1 face" in one.message or "images/s" in one.message, "a frame")
    reports.level(name, OK)
    for changes, level in ((warn, WARN), (error, ERROR)):
        for parameter, value in changes.items():
            assert ros.set_parameter("/recognizer", parameter, value).successful
        reports.level(name, level, part)


def test_stamps_of_another_day_are_explained(ros, reports, portrait):
    recognizer(ros)
    Camera(ros, portrait).offset = -100_000.0
    told = reports.level("recognizer: recognition", ERROR, "stamped 100000 s before they come")
    assert "use_sim_time" in told.message


def test_diagnostics_go_on_while_a_simulated_clock_stands_still(ros, reports):
    """Nobody publishes /clock: time is 0 for ever, and a timer of the node's clock never fires."""
    recognizer(ros, use_sim_time=True, image_timeout=0.5)
    reports.wait("recognizer: input", lambda one: one.level == WARN, "the silent camera")
    reports.level("recognizer: input", WARN, "no image on /image_raw")


def test_the_model_is_told_with_its_age_its_folder_and_its_labels(ros, reports, tmp_path):
    for name in ("fisherfaces", "embedding"):
        shutil.copytree(models_path(name), tmp_path / name)
    folder = tmp_path / "fisherfaces"
    ten_days_ago = time.time() - 10.5 * 86_400
    for file in folder.iterdir():
        os.utime(file, (ten_days_ago, ten_days_ago))
    recognizer(ros, model=str(folder), autostart=True)
    name = "recognizer: model"
    one = reports.wait(name, lambda one: one.message != "not configured", "the model")
    assert one.level == OK
    assert one.message == "fisherfaces, 7 labels, written 10 days ago"
    told = values(one)
    assert told["folder"] == str(folder) and told["age (days)"] == "10.5"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["written"])
    assert told["labels"].split(", ")[0] == "anger" and len(told["labels"].split(", ")) == 7

    os.utime(folder / "manifest.yaml")  # what is written there now is not what was loaded
    assert ros.set_parameter("/recognizer", "model_age_warn", 9).successful
    one = reports.level(name, WARN, "train or fetch a newer one into")
    assert ros.set_parameter("/recognizer", "model_age_error", 10.4).successful
    reports.level(name, ERROR, "written 10 days ago")
    for parameter in ("model_age_warn", "model_age_error"):
        assert ros.set_parameter("/recognizer", parameter, 0.0).successful
    reports.level(name, OK)


def mirror(ros, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    return ros.add(Mirror(context=ros.context, parameter_overrides=overrides))


MIRROR = "mirror: expressions"


def test_a_mirror_that_nobody_sends_labels_says_so(ros, reports):
    mirror(ros, publisher_gone_warn=0.5, publisher_gone_error=2.5)
    one = reports.wait(MIRROR, lambda one: one.level == WARN, "the missing recognizer")
    assert "nobody has published /face_emotion for" in one.message
    assert one.message.endswith("start the recognizer, or remap the topic")
    reports.wait(MIRROR, lambda one: one.level == ERROR, "an error after a while")
    ros.publisher(String, "face_emotion")
    assert reports.level(MIRROR, OK).message == "virtual_face shows neutral"


def test_a_mirror_that_is_switched_off_misses_nobody(ros, reports):
    mirror(ros, publisher_gone_warn=0.0, publisher_gone_error=0.0, enabled=False)
    for _ in range(2):
        assert "switched off" in reports.level(MIRROR, OK).message


def test_an_output_that_does_not_work_warns_and_becomes_an_error(ros, reports, tmp_path):
    table = tmp_path / "robot.yaml"
    table.write_text(ROBOT, encoding="utf-8")
    ros.publisher(String, "face_emotion", matched=0)
    mirror(ros, robot=str(table), output_problem_error=1.5)
    one = reports.wait(MIRROR, lambda one: one.level == WARN, "the output nobody reads")
    assert "nobody subscribes /nobody/reads/this: start" in one.message
    assert values(one)["outputs ready"] == "0 of 1"
    reports.wait(MIRROR, lambda one: one.level == ERROR, "the same for longer")
    ros.collect(String, "/nobody/reads/this")
    assert values(reports.level(MIRROR, OK))["outputs ready"] == "1 of 1"


def test_the_last_command_is_told_with_its_age(ros, reports):
    mirror(ros, min_hold=0.0, neutral_after=60.0)
    labels = ros.publisher(String, "face_emotion")
    labels.publish(String(data="happiness"))
    one = reports.wait(MIRROR, lambda one: "smile" in one.message, "a smile")
    assert re.fullmatch(r"smile at [01]\.\d\d, [012] s ago", values(one)["last command"])
    older = "2 s ago", "3 s ago", "4 s ago"
    reports.wait(MIRROR, lambda one: values(one)["last command"].endswith(older), "time to pass")


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_an_unknown_word_is_told_for_as_long_as_asked_for(ros, reports, seconds):
    mirror(ros, unknown_word_warn=seconds)
    labels = ros.publisher(String, "face_emotion")
    labels.publish(String(data="foo"))
    counted = reports.wait(MIRROR, lambda one: values(one)["unknown words"] == "1", "the word")
    assert (counted.level == WARN) == (seconds > 0)
    assert seconds == 0 or "unknown label 'foo'" in counted.message
    reports.level(MIRROR, OK)


# ---- what is written of them ----


def test_every_threshold_is_in_the_document_with_its_default():
    text = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    thresholds = [
        *RECOGNIZER_THRESHOLDS,
        *(spec for spec in MIRROR_PARAMETERS if spec.name.endswith(("_warn", "_error"))),
    ]
    assert len(thresholds) > 15
    for spec in thresholds:
        assert f"`{spec.name}` {spec.default:g}" in text, spec.name


@pytest.mark.parametrize("table", [RECOGNIZER_PARAMETERS, MIRROR_PARAMETERS])
def test_no_error_threshold_is_reached_before_its_warning(table):
    defaults = {spec.name: spec.default for spec in table}
    pairs = [(name, name.replace("_error", "_warn")) for name in defaults if "_error" in name]
    for error, warn in pairs:
        warn = warn if warn in defaults else error.removesuffix("_error")
        lower, upper = (error, warn) if error == "image_rate_error" else (warn, error)
        assert defaults[lower] <= defaults[upper], error
