"""The selector over real DDS: labels of several recognizers in, those of one out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from std_msgs.msg import Float32MultiArray, MultiArrayDimension, MultiArrayLayout, String

from expression_ros.nodes.common.parameters import ParameterError
from expression_ros.nodes.emotion_selector import EmotionSelector
from expression_ros.nodes.recognizer.outputs import scores_message

pytestmark = pytest.mark.usefixtures("quick_reports")


class Camera:
    """Stands in for a recognizer in a namespace: says a label and its score 30 times a second."""

    def __init__(self, ros, name, label="happiness", score=0.8):
        self.label, self.score, self.speaks = label, score, True
        self._labels = ros.node.create_publisher(String, f"/{name}/face_emotion", 10)
        self._scores = ros.node.create_publisher(
            Float32MultiArray, f"/{name}/face_emotion/scores", 10
        )
        ros.node.create_timer(1 / 30, self._say)

    def _say(self):
        if not self.speaks:
            return
        if self.score is not None:
            self._scores.publish(scores_message({self.label: self.score, "rest": 1 - self.score}))
        self._labels.publish(String(data=self.label))


def start(ros, sources="front,left", **parameters):
    overrides = [Parameter(k, value=v) for k, v in {"sources": sources, **parameters}.items()]
    return ros.add(EmotionSelector(context=ros.context, parameter_overrides=overrides))


def last(label):
    return lambda got: got and got[-1].data == label


def status(collector, condition=lambda status: True):
    """Wait for a diagnostics status of the selector that fulfils the condition."""

    def look(messages):
        for message in reversed(messages):
            for one in message.status:
                if one.name == "emotion_selector: source" and condition(one):
                    return one
        return None

    return collector.wait_for(look, "a status")


def values(one):
    return {pair.key: pair.value for pair in one.values}


def test_the_surest_camera_is_passed_on_with_its_scores(ros):
    labels = ros.collect(String, "/face_emotion")
    scores = ros.collect(Float32MultiArray, "/face_emotion/scores")
    start(ros)
    Camera(ros, "front", "anger", 0.5)
    Camera(ros, "left", "surprise", 0.9)
    labels.wait_for(last("surprise"), "the label of left")
    labels.clear()
    scores.clear()
    labels.wait_for(lambda got: len(got) > 20, "labels for a while")
    assert {message.data for message in labels.messages} == {"surprise"}
    message = scores.wait_for(lambda got: got and got[-1])
    assert [d.label for d in message.layout.dim] == ["surprise", "rest"]
    assert list(message.data) == pytest.approx([0.9, 0.1])


def test_a_change_takes_over_and_a_small_one_does_not(ros):
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros, switch_margin=0.2)
    front = Camera(ros, "front", "anger", 0.6)
    labels.wait_for(last("anger"), "the label of front")
    left = Camera(ros, "left", "surprise", 0.7)
    status(diagnostics, lambda s: float(values(s)["left: score"] or 0) > 0.69)
    assert labels.messages[-1].data == "anger"
    left.score = 0.95
    labels.wait_for(last("surprise"), "the label of left")
    front.score = 1.0  # no lead of the margin
    one = status(diagnostics, lambda s: float(values(s)["front: score"] or 0) > 0.99)
    assert one.message == "answering left" and one.level == DiagnosticStatus.OK
    assert values(one)["switches"] == "1" and values(one)["front: label"] == "anger"


def test_silence_of_the_chosen_one_and_of_all(ros):
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros, source_timeout=0.3)
    front, left = Camera(ros, "front", "anger", 0.9), Camera(ros, "left", "surprise", 0.4)
    labels.wait_for(last("anger"), "the label of front")
    front.speaks = False
    labels.wait_for(last("surprise"), "the label of left")
    left.speaks = False
    status(diagnostics, lambda s: s.message == "no camera has a face")
    labels.clear()
    diagnostics.clear()
    status(diagnostics)
    assert labels.messages == []
    front.speaks = True
    labels.wait_for(last("anger"), "the label of front again")


def test_a_camera_without_scores_is_answered_when_alone(ros):
    labels = ros.collect(String, "/face_emotion")
    start(ros)
    Camera(ros, "front", "fear", None)
    labels.wait_for(last("fear"), "the label of front")
    Camera(ros, "left", "sadness", 0.4)
    labels.wait_for(last("sadness"), "the label of left")


def test_scores_that_cannot_be_read_are_counted_and_not_passed_on(ros, capfd):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    scores = ros.collect(Float32MultiArray, "/face_emotion/scores")
    start(ros)
    Camera(ros, "front", "fear", None)
    publisher = ros.publisher(Float32MultiArray, "/front/face_emotion/scores")
    layout = MultiArrayLayout(dim=[MultiArrayDimension(label="anger", size=1, stride=1)])
    publisher.publish(Float32MultiArray(layout=layout, data=[0.5, 0.5]))
    status(diagnostics, lambda s: values(s)["scores that could not be read"] == "1")
    assert "2 scores with 1 labels" in capfd.readouterr().err
    assert scores.messages == []


def test_a_recognizer_that_is_missing_is_named(ros):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    start(ros)
    Camera(ros, "front")
    one = status(diagnostics, lambda s: s.message.startswith("answering front;"))
    assert one.level == DiagnosticStatus.WARN
    assert "no publisher on /left/face_emotion" in one.message and "sources" in one.message


def test_the_node_may_be_in_a_namespace_itself(ros):
    labels = ros.collect(String, "/robot/face_emotion")
    overrides = [Parameter("sources", value="front")]
    ros.add(EmotionSelector(context=ros.context, namespace="robot", parameter_overrides=overrides))
    Camera(ros, "robot/front")
    labels.wait_for(last("happiness"), "a label")


def test_margin_and_timeout_change_at_run_time_and_the_sources_do_not(ros):
    node = start(ros)
    assert ros.set_parameter("/emotion_selector", "switch_margin", 0.5).successful
    assert ros.set_parameter("/emotion_selector", "source_timeout", 2.0).successful
    ros.in_executor(node._update)
    assert (node._choice.switch_margin, node._choice.source_timeout) == (0.5, 2.0)
    refused = ros.set_parameter("/emotion_selector", "sources", "rear")
    assert not refused.successful and "set it when the node is started" in refused.reason
    assert not ros.set_parameter("/emotion_selector", "switch_margin", 2.0).successful


@pytest.mark.parametrize("sources", ["", "front,front", "/front"])
def test_sources_that_cannot_be_are_refused(ros, sources):
    with pytest.raises(ParameterError, match="sources: "):
        start(ros, sources)


def test_a_process_without_sources_says_what_to_give():
    done = subprocess.run(
        [sys.executable, "-m", "expression_ros.nodes.emotion_selector"],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    assert done.returncode == 2
    output = done.stdout + done.stderr
    assert "as in front,left" in output and "Traceback" not in output
