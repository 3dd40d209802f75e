"""A face has one label: ``predict``, ``evaluate`` and the running node say the same of it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from itertools import groupby

import cv2
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from rclpy.parameter import Parameter
from ros_bench import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.cli import main
from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.recognizer.node import Recognizer
from expression_ros.session.recognizer import (
    PARAMETERS,
    RUN_TIME_NAMES,
    RecognizerSettings,
    make_recognizer,
)

FRAMES = {"single_face.mp4": (5, 50), "WolfgangLanger_Pexels.mp4": (60, 200, 300)}


@pytest.fixture(scope="module")
def images(clips, astronaut):
    """Return real images by name, (H, W, 3) uint8 BGR, each with one face."""
    found = {"astronaut": astronaut}
    for clip, numbers in FRAMES.items():
        capture = cv2.VideoCapture(str(clips / clip))
        for number in numbers:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            read, frame = capture.read()
            assert read
            found[f"{clip[:6]}_{number}"] = frame
    return found


def said_by_predict(folder, names, capsys) -> dict[str, str]:
    capsys.readouterr()
    assert main(["predict", "--json", *(str(folder / f"{name}.png") for name in names)]) == 0
    results = json.loads(capsys.readouterr().out)
    assert all(len(result["faces"]) == 1 for result in results)
    return {name: r["faces"][0]["label"] for name, r in zip(names, results, strict=True)}


def said_by_evaluate(image, name, tmp_path) -> str:
    """Return the label of a data set with this image alone."""
    folder = tmp_path / name / "neutral"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / f"{name}.png"), image)
    report = tmp_path / f"{name}.json"
    words = ["evaluate", "--data", folder.parent, "--faces", "detect", "--json", report]
    assert main([str(word) for word in words]) == 0
    scores = json.loads(report.read_text())
    assert scores["n"] == 1
    (said,) = [
        label
        for label, column in zip(
            scores["labels"], zip(*scores["confusion"], strict=True), strict=True
        )
        if any(column)
    ]
    return said  # fmt: skip


def said_by_node(ros, image) -> str:
    """Return the label that a recognizer publishes for a camera that shows this image."""
    overrides = [Parameter(name, value=0.0)
                 for name in ("smoothing", "switch_margin", "min_confidence")]  # fmt: skip
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    node.start()
    labels = ros.collect(String, "/face_emotion")
    images = ros.publisher(Image, "/image_raw")

    def send_until_read() -> bool:
        images.publish(to_image_message(image, ros.node.get_clock().now().to_msg(), "camera"))
        return bool(labels.messages)

    wait_until(send_until_read, "a label")
    return labels.messages[0].data


def test_predict_evaluate_and_the_node_agree(ros, images, tmp_path, capsys):
    for name, image in images.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    predicted = said_by_predict(tmp_path, list(images), capsys)
    evaluated = {name: said_by_evaluate(p, name, tmp_path) for name, p in images.items()}
    assert predicted == evaluated
    assert len(set(predicted.values())) >= 3  # or it would prove little
    first, *_ = images
    assert said_by_node(ros, images[first]) == predicted[first]


@pytest.mark.parametrize("name", ["single_5", "Wolfga_60", "Wolfga_300"])
def test_the_node_says_what_predict_says(ros, images, name, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / f"{name}.png"), images[name])
    assert said_by_node(ros, images[name]) == said_by_predict(tmp_path, [name], capsys)[name]


# In streams


def reader(background: bool):
    """Return what analyze reads with or, with the search in the background, window and page."""
    return make_recognizer(RecognizerSettings.from_values(background=background))


def test_a_stream_is_read_with_the_same_settings_everywhere(ros):
    """By the node, by analyze, and by the window and the page; each is a parameter of the node."""
    node = ros.add(Recognizer(context=ros.context))
    node.start()
    analyze, window = reader(False).settings, reader(True).settings
    assert node._pipeline.settings == window == replace(analyze, background=True)
    values = {field.name: getattr(analyze, field.name) for field in fields(analyze)}
    assert set(values) == {*RUN_TIME_NAMES, "background"}
    defaults = {name: PARAMETERS[name].default for name in RUN_TIME_NAMES}
    assert {n for n in RUN_TIME_NAMES if values[n] != defaults[n]} == {"min_confidence"}
    assert defaults["min_confidence"] < 0  # the model's card says


def test_the_window_says_what_analyze_says_of_a_stream(clips):
    said = [[], []]
    for labels, background in zip(said, (False, True), strict=True):
        recognizer = reader(background)
        capture = cv2.VideoCapture(str(clips / "single_face.mp4"))
        while (frame := capture.read()[1]) is not None:
            grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            reading = recognizer.read(grey, len(labels) / 30)
            labels.append(reading.primary.label if reading.primary else "")
        recognizer.close()
    assert said[0] == said[1]
    assert [label for label, _ in groupby(said[0])] == ["neutral", "happiness"]
