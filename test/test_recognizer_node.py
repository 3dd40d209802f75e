"""The recognizer over real DDS: images in, labels out, faults survived, transitions repeated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import wait_until
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32MultiArray, Header, String

from expression_ros.nodes.common.image_messages import to_image_message, to_jpeg_message
from expression_ros.nodes.recognizer.node import Recognizer
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.resources import models_path

pytestmark = pytest.mark.usefixtures("quick_reports")

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}


@pytest.fixture
def portrait(astronaut):
    """Return 640x480 with the smiling face in it: more than one fragment for the middleware."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    scene[:, 64:576] = astronaut[:480]
    return scene


class Feed:
    """A camera under the test's control: sends an image over and over until told otherwise."""

    def __init__(self, ros, image, *, topic="image_raw", qos=RELIABLE, kind=Image):
        self.ros = ros
        self.message = image if not isinstance(image, np.ndarray) else self.image(image)
        self._publisher = ros.node.create_publisher(kind, topic, qos)
        self._timer = ros.node.create_timer(1 / 30, self._send)

    def image(self, image):
        return to_image_message(image, self.ros.node.get_clock().now().to_msg(), "camera")

    def _send(self):
        self.message.header.stamp = self.ros.node.get_clock().now().to_msg()
        self._publisher.publish(self.message)

    def stop(self):
        self.ros.node.destroy_timer(self._timer)


def start(ros, **parameters):
    """Start a recognizer as ``ros2 run`` would, with parameters."""
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    node.start()
    return node


def change(ros, transition):
    request = ChangeState.Request()
    request.transition.id = TRANSITIONS[transition]
    return ros.call(ChangeState, "/recognizer/change_state", request).success


def state(ros):
    return ros.call(GetState, "/recognizer/get_state", GetState.Request()).current_state.id


def status(collector, task, condition=lambda status: True):
    """Wait for a diagnostics status of the recognizer that fulfils the condition."""

    def look(messages):
        for message in reversed(messages):
            for one in message.status:
                if one.name == f"recognizer: {task}" and condition(one):
                    return one
        return None

    return collector.wait_for(look, f"a status of {task}")


def values(one):
    return {pair.key: pair.value for pair in one.values}


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT], ids=["reliable", "best effort"])
def test_a_smile_is_read_from_either_kind_of_camera(ros, portrait, qos):
    labels = ros.collect(String, "/face_emotion")
    start(ros)
    Feed(ros, portrait, qos=qos)
    labels.wait_for(lambda got: len(got) >= 10, "ten labels")
    assert {message.data for message in labels.messages} == {"happiness"}


def test_scores_come_with_their_labels(ros, portrait):
    scores = ros.collect(Float32MultiArray, "/face_emotion/scores")
    start(ros)
    Feed(ros, portrait)
    message = scores.wait_for(lambda got: got and got[-1])
    by_label = dict(zip((d.label for d in message.layout.dim), message.data, strict=True))
    assert max(by_label, key=by_label.get) == "happiness"
    assert sum(by_label.values()) == pytest.approx(1.0, abs=1e-5)


def test_compressed_images_are_read(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    start(ros, image_transport="compressed")
    jpeg = to_jpeg_message(portrait, ros.node.get_clock().now().to_msg(), "camera", 90)
    Feed(ros, jpeg, topic="image_raw/compressed", kind=CompressedImage)
    assert labels.wait_for(lambda got: len(got) >= 3 and got[-1]).data == "happiness"


@pytest.mark.parametrize("name", ["image", "image_raw"])
def test_the_camera_topic_can_be_remapped_by_either_name(ros, portrait, name):
    labels = ros.collect(String, "/face_emotion")
    node = ros.add(
        Recognizer(context=ros.context, cli_args=["--ros-args", "-r", f"{name}:=/eye/picture"])
    )
    node.start()
    Feed(ros, portrait, topic="/eye/picture")
    labels.wait_for(lambda got: got, "a label")


def test_a_namespace_moves_all_topics(ros, portrait):
    labels = ros.collect(String, "/left/face_emotion")
    node = ros.add(Recognizer(context=ros.context, namespace="left"))
    node.start()
    Feed(ros, portrait, topic="/left/image_raw")
    labels.wait_for(lambda got: got, "a label")


def test_nobody_in_view_is_silence(ros):
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros)
    Feed(ros, np.full((480, 640, 3), 128, np.uint8))
    status(diagnostics, "recognition", lambda s: int(values(s)["frames processed"]) >= 10)
    assert labels.messages == []


def doubtful(image, classifier):
    """Return the image blurred until the ten models no longer all agree about it."""
    recognizer = ExpressionRecognizer(FaceDetector(), classifier)
    for width in range(1, 30):
        blurred = cv2.GaussianBlur(image, (0, 0), width / 2)
        faces = recognizer.read_still(cv2.cvtColor(blurred, cv2.COLOR_BGR2GRAY)).faces
        if len(faces) == 1 and faces[0].score < 0.85:
            return blurred
    raise AssertionError("the models agree about every blurred image")


def test_low_confidence_is_unknown_and_can_be_set_while_running(ros, portrait, shipped_classifier):
    labels = ros.collect(String, "/face_emotion")
    start(ros, smoothing=0.0, min_confidence=0.0)
    Feed(ros, doubtful(portrait, shipped_classifier))
    first = labels.wait_for(lambda got: got and got[-1])
    assert first.data != "unknown"
    assert ros.set_parameter("/recognizer", "min_confidence", 1.0).successful
    labels.wait_for(lambda got: got[-1].data == "unknown", "unknown")
    assert ros.set_parameter("/recognizer", "min_confidence", 0.0).successful
    labels.wait_for(lambda got: got[-1].data != "unknown", "a label again")


def test_the_card_says_how_sure_is_enough_until_somebody_does(ros, portrait):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros)
    Feed(ros, portrait)

    def is_in_use(value):
        return status(diagnostics, "model", lambda s: values(s).get("min_confidence") == value)

    assert is_in_use("0.6")
    assert ros.set_parameter("/recognizer", "min_confidence", 0.3).successful
    assert is_in_use("0.3")
    assert ros.set_parameter("/recognizer", "min_confidence", -1.0).successful
    assert is_in_use("0.6")


def test_what_the_model_has_not_learnt_is_not_taken_over_but_all_else_is(ros, portrait):
    node = start(ros)
    node._pipeline.classifier = Says()
    before = node._pipeline.settings
    Feed(ros, portrait)
    assert ros.set_parameter("/recognizer", "expectation", "posed").successful
    assert ros.set_parameter("/recognizer", "smoothing", 0.5).successful
    wait_until(lambda: node._pipeline.settings.smoothing == 0.5, "the other parameter")
    assert node._pipeline.settings == replace(before, smoothing=0.5)


def test_overlay_is_drawn_only_while_somebody_looks(ros, portrait):
    start(ros)
    Feed(ros, portrait)
    jpegs = ros.collect(CompressedImage, "/face_emotion/image/compressed", RELIABLE)
    jpeg = jpegs.wait_for(lambda got: got and got[-1])
    assert cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), 1).shape == portrait.shape
    images = ros.collect(Image, "/face_emotion/image", RELIABLE)
    image = images.wait_for(lambda got: got and got[-1])
    assert (image.height, image.width, image.encoding) == (480, 640, "bgr8")
    assert image.header.frame_id == "camera" and image.header.stamp.sec > 0
    drawn = np.frombuffer(image.data, np.uint8).reshape(480, 640, 3)
    assert np.abs(drawn.astype(int) - portrait).max() > 100  # box and bars are in it


def test_bad_images_are_refused_counted_and_survived(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros)
    feed = Feed(ros, portrait)
    labels.wait_for(lambda got: got, "a label before")
    good = feed.message
    damage = {
        "data": lambda m: setattr(m, "data", m.data[:1000]),
        "size": lambda m: setattr(m, "height", 0),
        "encoding": lambda m: setattr(m, "encoding", "no_such_encoding"),
        "step": lambda m: setattr(m, "step", 5),
    }
    for reason, spoil in damage.items():
        bad = feed.image(portrait)
        spoil(bad)
        feed.message = bad
        one = status(diagnostics, "input", lambda s, r=reason: f"refused: {r}" in values(s))
        assert int(values(one)[f"refused: {reason}"]) > 0
    warned = status(diagnostics, "input", lambda s: s.level == DiagnosticStatus.WARN)
    assert "check the camera driver" in warned.message or "supported" in warned.message
    feed.message = good
    labels.clear()
    labels.wait_for(lambda got: got, "a label after")


def test_a_change_of_size_and_encoding_in_mid_stream_is_followed(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    start(ros)
    feed = Feed(ros, portrait)
    labels.wait_for(lambda got: got, "a label")
    small = cv2.cvtColor(cv2.resize(portrait, (320, 240)), cv2.COLOR_BGR2GRAY)
    feed.message = feed.image(small)
    wait_until(lambda: feed.message.encoding == "mono8", "the change")
    labels.clear()
    labels.wait_for(lambda got: len(got) > 5, "labels from the smaller grey images")


def test_no_camera_is_told_with_the_topics_there_are(ros):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    ros.node.create_publisher(Image, "/eye/picture", 1)
    start(ros, image_timeout=0.1)
    one = status(
        diagnostics,
        "input",
        lambda s: s.level == DiagnosticStatus.WARN and "/eye/picture (raw)" in s.message,
    )
    assert "no image on /image_raw" in one.message and "publishers: none" in one.message


def test_a_publisher_that_sends_nothing_is_told_apart_from_none(ros):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    ros.node.create_publisher(Image, "/image_raw", RELIABLE)
    start(ros, image_timeout=0.1)
    one = status(diagnostics, "input", lambda s: "test_bench (reliable)" in s.message)
    assert "fastdds_large_images.xml" in one.message


def test_a_missing_model_leaves_the_node_unconfigured_and_says_which_file(ros, tmp_path):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros, model=str(tmp_path / "none"))
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED
    one = status(diagnostics, "model", lambda s: s.level == DiagnosticStatus.ERROR)
    assert str(tmp_path / "none") in one.message and "\n" not in one.message
    assert ros.set_parameter("/recognizer", "model", "").successful
    assert change(ros, "configure") and change(ros, "activate")
    assert state(ros) == State.PRIMARY_STATE_ACTIVE


def test_a_corrupt_model_file_is_named(ros, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(models_path("fisherfaces"), copy)
    victim = sorted(p for p in copy.iterdir() if ".xml" in p.name)[3]
    victim.write_bytes(victim.read_bytes()[:500])
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros, model=str(copy))
    one = status(diagnostics, "model", lambda s: s.level == DiagnosticStatus.ERROR)
    assert victim.name in one.message
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED


def test_every_transition_can_be_repeated(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    start(ros, autostart=False)
    Feed(ros, portrait)
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED
    for _ in range(3):
        assert change(ros, "configure") and change(ros, "activate")
        labels.clear()
        labels.wait_for(lambda got: got, "a label while active")
        assert change(ros, "deactivate")
        assert change(ros, "activate") and change(ros, "deactivate")
        assert change(ros, "cleanup")
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED


def test_deactivate_ends_the_publications_at_once(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    node = start(ros)
    Feed(ros, portrait)
    labels.wait_for(lambda got: got, "a label")
    assert change(ros, "deactivate")
    labels.clear()
    markers = ros.collect(String, "/marker")
    marker = ros.publisher(String, "/marker")
    for _ in range(3):  # what was under way arrives before a later message does
        marker.publish(String(data="after"))
    markers.wait_for(lambda got: len(got) == 3)
    late = len(labels.messages)
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    diagnostics.wait_for(lambda got: len(got) >= 2, "two seconds of silence")
    assert len(labels.messages) == late
    assert node.count_subscribers("/image_raw") == 0


def test_parameters_refuse_what_cannot_be_and_what_cannot_change_now(ros):
    start(ros)
    assert ros.set_parameter("/recognizer", "min_face", 0.3).successful
    too_large = ros.set_parameter("/recognizer", "min_face", 7.0)
    assert not too_large.successful and too_large.reason
    wrong_word = ros.set_parameter("/recognizer", "face_selection", "some")
    assert "one of all, single" in wrong_word.reason
    assert ros.set_parameter("/recognizer", "classifier", "fisherfaces").successful  # as it is
    fixed = ros.set_parameter("/recognizer", "classifier", "svm")
    assert "cannot change while the node is running" in fixed.reason
    assert "cleanup" in fixed.reason


def test_without_vision_msgs_the_recognizer_says_so_once(ros, monkeypatch, capfd):
    from expression_ros.nodes.recognizer import outputs as recognizer_outputs

    monkeypatch.setattr(recognizer_outputs, "Detection2DArray", None)
    node = start(ros)
    assert node.count_publishers("/face_emotion/detections") == 0
    assert change(ros, "deactivate") and change(ros, "cleanup")
    assert capfd.readouterr().err.count("/face_emotion/detections is off") == 1


def test_detections_carry_box_id_scores_and_the_image_header(ros, portrait):
    messages = pytest.importorskip(
        "vision_msgs.msg", reason="needs vision_msgs: tools/build_test_interfaces.py builds it"
    )
    detections = ros.collect(messages.Detection2DArray, "/face_emotion/detections")
    start(ros)
    Feed(ros, portrait)
    message = detections.wait_for(lambda got: next((m for m in got if m.detections), None))
    assert message.header.frame_id == "camera" and message.header.stamp.sec > 0
    (one,) = message.detections
    assert one.header == message.header
    assert one.id == "1"
    assert 230 < one.bbox.center.position.x < 340 and 60 < one.bbox.center.position.y < 170
    assert one.bbox.size_x > 60 and one.bbox.size_y > 60
    scores = [(r.hypothesis.class_id, r.hypothesis.score) for r in one.results]
    assert scores[0][0] == "happiness"
    assert [s for _, s in scores] == sorted((s for _, s in scores), reverse=True)
    assert sum(s for _, s in scores) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("unknown", [("unknown", 0.5), ("fear", 0.5), ("anger", 0.3), ("neutral", 0.2)]),
        ("anger", [("anger", 0.3), ("fear", 0.5), ("neutral", 0.2)]),  # settled; fear may pass
        ("fear", [("fear", 0.5), ("anger", 0.3), ("neutral", 0.2)]),
    ],
)
def test_a_detection_says_first_what_is_said_of_the_face_everywhere_else(label, wanted):
    pytest.importorskip(
        "vision_msgs.msg", reason="needs vision_msgs: tools/build_test_interfaces.py builds it"
    )
    from expression_ros.nodes.recognizer.outputs import detections_message

    scores = {"anger": 0.3, "fear": 0.5, "neutral": 0.2}
    face = FaceReading(1, Box(9, 9, 50, 50), label, scores.get(label, 0.5), scores)
    (one,) = detections_message(FrameReading((face,), primary=face), Header()).detections
    said = [(result.hypothesis.class_id, result.hypothesis.score) for result in one.results]
    assert said == wanted


def run_process(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "expression_ros.nodes.recognizer", "--ros-args", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "RCUTILS_LOGGING_BUFFERED_STREAM": "0"},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly(ros, portrait, number):
    labels = ros.collect(String, "/face_emotion")
    process = run_process()
    try:
        Feed(ros, portrait)
        labels.wait_for(lambda got: got, "a label from the process")
        process.send_signal(number)
        output, _ = process.communicate(timeout=10)
        assert process.returncode == 0, output
        assert "Traceback" not in output
    finally:
        process.kill()
        process.wait()


def test_a_broken_parameter_file_is_one_clear_line(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("recognizer:\n  ros__parameters: [")
    process = run_process("--params-file", str(broken))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "broken.yaml" in output and "Traceback" not in output


def test_an_impossible_parameter_at_start_is_one_clear_line():
    process = run_process("-p", "min_face:=7.0")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "min_face" in output and "Traceback" not in output


def test_thresholds_of_a_classifier_without_any_are_an_error_with_the_remedy(ros):
    node = start(ros, label_thresholds="surprise=0.4")
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED
    assert "min_confidence" in node._problem


def test_what_is_expected_can_be_told_while_running(ros, portrait):
    node = start(ros)
    labels = ros.collect(String, "/face_emotion")
    Feed(ros, portrait)
    labels.wait_for(lambda got: got and got[-1])
    fisherfaces = node._pipeline.classifier
    assert not fisherfaces.priors.any()
    assert ros.set_parameter("/recognizer", "expectation", "posed").successful
    wait_until(lambda: fisherfaces.priors[fisherfaces.labels.index("neutral")] < 0, "posed faces")
    assert ros.set_parameter("/recognizer", "expectation", "everyday").successful
    wait_until(lambda: not fisherfaces.priors.any(), "everyday faces")
    assert not ros.set_parameter("/recognizer", "expectation", "sleepy").successful


def test_the_primary_face_is_chosen_at_run_time(ros, portrait):
    start(ros, primary="id", primary_id=7)
    detections = ros.collect(String, "/face_emotion")
    Feed(ros, portrait)
    assert ros.set_parameter("/recognizer", "primary_id", 1).successful
    detections.wait_for(len, "the label of face 1")
    assert not ros.set_parameter("/recognizer", "primary", "nobody").successful


class Says:
    """A classifier that says what it is told to say, and counts how often it is asked."""

    labels = ("neutral", "happiness")

    def __init__(self):
        self.neutral = 0.0
        self.reads = 0

    def read(self, grey_frame, box):
        self.reads += 1
        scores = {"neutral": self.neutral, "happiness": 1 - self.neutral}
        label = max(scores, key=scores.__getitem__)
        return Prediction(label, scores[label], scores)


@pytest.mark.parametrize("change_it", ["switch_margin", "activate again"])
def test_a_label_is_kept_until_its_margin_is_changed_or_the_node_activated_again(
    ros, portrait, change_it
):
    labels = ros.collect(String, "/face_emotion")
    node = start(ros, smoothing=0.0, switch_margin=0.5, min_confidence=0.0)
    node._pipeline.classifier = says = Says()
    Feed(ros, portrait)
    labels.wait_for(len, "a label")
    says.neutral, before = 0.6, says.reads
    wait_until(lambda: says.reads > before + 2, "more faces to be read")
    assert {message.data for message in labels.messages} == {"happiness"}
    if change_it == "switch_margin":
        assert ros.set_parameter("/recognizer", "switch_margin", 0.0).successful
    else:
        assert change(ros, "deactivate") and change(ros, "activate")
    labels.wait_for(lambda got: got[-1].data == "neutral", "the label that leads now")
