"""The recognizer speaks ROS4HRI (REP-155): real message classes, real DDS, faces come and go."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
pytest.importorskip(
    "hri_msgs.msg", reason="needs hri_msgs: tools/build_test_interfaces.py builds it"
)

from hri_msgs import msg as hri_msgs
from rclpy.parameter import Parameter
from ros_bench import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from test_recognizer_node import RELIABLE, Feed, change, start

from expression_ros.nodes.recognizer import hri_outputs
from expression_ros.nodes.recognizer import node as recognizer
from expression_ros.nodes.recognizer.hri_outputs import expression_message, roi_message
from expression_ros.nodes.recognizer.node import Recognizer
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.readings import FaceReading
from expression_ros.recognition.ros4hri import SIDE

pytestmark = pytest.mark.usefixtures("quick_reports")

TRACKED = "/humans/faces/tracked"


@pytest.fixture
def portrait(astronaut):
    """Return 640x480 with the smiling face in it."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    scene[:, 64:576] = astronaut[:480]
    return scene


@pytest.fixture
def nobody():
    """Return 640x480 without a face."""
    return np.full((480, 640, 3), 128, np.uint8)


def somebody(messages):
    """Return the ids of the newest message if there are any."""
    return list(messages[-1].ids) if messages else []


def test_a_face_is_tracked_and_described(ros, portrait):
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    start(ros)
    Feed(ros, portrait)
    (name,) = tracked.wait_for(somebody, "a face")
    assert re.fullmatch("[a-z]{5}", name)
    assert tracked.messages[-1].header.frame_id == "camera"
    topic = f"/humans/faces/{name}"

    rois = ros.collect(hri_msgs.NormalizedRegionOfInterest2D, f"{topic}/roi")
    roi = rois.wait_for(lambda got: got and got[-1], "where the face is")
    assert 0.3 < roi.xmin < roi.xmax < 0.6 and 0.05 < roi.ymin < roi.ymax < 0.5
    assert roi.c == 1.0 and roi.header.frame_id == "camera" and roi.header.stamp.sec > 0

    expressions = ros.collect(hri_msgs.Expression, f"{topic}/expression")
    said = expressions.wait_for(lambda got: got and got[-1], "what it expresses")
    assert said.expression == "happy" and said.header.frame_id == "camera"
    assert 0.3 < said.valence < 0.82 and 0.2 < said.arousal < 0.6
    assert 0.5 < said.confidence <= 1.0

    for kind in ("cropped", "aligned"):
        images = ros.collect(Image, f"{topic}/{kind}", RELIABLE)
        image = images.wait_for(lambda got: got and got[-1], kind)
        assert (image.height, image.width, image.encoding) == (SIDE, SIDE, "bgr8")
        assert image.header.frame_id == "camera" and image.header.stamp.sec > 0
        assert np.asarray(image.data).std() > 20  # somebody is in it
    assert {ids for message in tracked.messages for ids in message.ids} == {name}


def test_ids_and_topics_vanish_with_the_face(ros, portrait, nobody):
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    start(ros)
    feed = Feed(ros, portrait)
    (name,) = tracked.wait_for(somebody, "a face")
    wait_until(lambda: ros.node.count_publishers(f"/humans/faces/{name}/roi"), "its topics")
    feed.message = feed.image(nobody)
    tracked.wait_for(lambda got: not got[-1].ids, "that nobody is there")
    wait_until(
        lambda: not any(name in topic for topic, _ in ros.node.get_topic_names_and_types()),
        "the end of its topics",
    )
    feed.message = feed.image(portrait)
    (after,) = tracked.wait_for(somebody, "a face again")
    assert after != name


def test_two_faces_have_two_ids_and_each_its_own_place(ros, portrait):
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    start(ros, redetect_interval=0.1)
    Feed(ros, np.hstack([portrait, portrait]))
    names = tracked.wait_for(lambda got: len(somebody(got)) == 2 and somebody(got), "two faces")
    assert len(set(names)) == 2
    centres = []
    for name in names:
        rois = ros.collect(hri_msgs.NormalizedRegionOfInterest2D, f"/humans/faces/{name}/roi")
        roi = rois.wait_for(lambda got: got and got[-1])
        centres.append((roi.xmin + roi.xmax) / 2)
    assert abs(centres[0] - centres[1]) == pytest.approx(0.5, abs=0.05)


def test_images_are_drawn_only_while_somebody_looks(ros, portrait, monkeypatch):
    drawn = []
    cropped_face = hri_outputs.cropped_face

    def count(*arguments):
        drawn.append("cropped")
        return cropped_face(*arguments)

    monkeypatch.setattr(hri_outputs, "cropped_face", count)
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    start(ros)
    Feed(ros, portrait)
    (name,) = tracked.wait_for(somebody, "a face")
    rois = ros.collect(hri_msgs.NormalizedRegionOfInterest2D, f"/humans/faces/{name}/roi")
    rois.wait_for(lambda got: len(got) > 5, "some frames")
    assert not drawn
    images = ros.collect(Image, f"/humans/faces/{name}/cropped", RELIABLE)
    images.wait_for(len, "an image")
    ros.in_executor(lambda: ros.node.destroy_subscription(images.subscription))
    rois.clear()
    rois.wait_for(lambda got: len(got) > 5, "some frames without anybody who looks")
    wait_until(
        lambda: not ros.node.count_subscribers(f"/humans/faces/{name}/cropped"), "the end of it"
    )
    rois.clear()
    rois.wait_for(lambda got: len(got) > 2, "what was under way")
    before = len(drawn)
    rois.clear()
    rois.wait_for(lambda got: len(got) > 5, "some more frames")
    assert len(drawn) == before


def test_deactivation_says_that_nobody_is_there_and_ids_are_not_given_twice(ros, portrait):
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    start(ros)
    Feed(ros, portrait)
    given = []
    for _ in range(3):
        given += tracked.wait_for(somebody, "a face")
        topic = f"/humans/faces/{given[-1]}/roi"
        assert change(ros, "deactivate")
        tracked.wait_for(lambda got: not got[-1].ids, "that nobody is there")
        wait_until(lambda topic=topic: not ros.node.count_publishers(topic), "the end of it")
        tracked.clear()
        assert change(ros, "activate")
    assert len(set(given)) == 3
    assert change(ros, "deactivate") and change(ros, "cleanup")
    wait_until(lambda: not ros.node.count_publishers(TRACKED), "the end of the list")
    assert change(ros, "configure") and change(ros, "activate")
    tracked.wait_for(somebody, "a face after a cleanup")


def test_a_silent_camera_leaves_nobody(ros, portrait):
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    start(ros, image_timeout=0.1)
    feed = Feed(ros, portrait)
    tracked.wait_for(somebody, "a face")
    ros.in_executor(feed.stop)
    tracked.wait_for(lambda got: not got[-1].ids, "that nobody is there")


def test_a_recognizer_in_a_namespace_has_faces_of_its_own(ros, portrait):
    names = []
    for camera in ("front", "left"):
        tracked = ros.collect(hri_msgs.IdsList, f"/{camera}{TRACKED}")
        node = ros.add(Recognizer(context=ros.context, namespace=camera))
        node.start()
        Feed(ros, portrait, topic=f"/{camera}/image_raw")
        names += tracked.wait_for(somebody, f"a face in front of {camera}")
    assert len(set(names)) == 2
    assert not ros.node.count_publishers(TRACKED)


def test_it_can_be_switched_off_before_configuring(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    start(ros, publish_hri=False)
    Feed(ros, portrait)
    labels.wait_for(len, "a label")
    assert not ros.node.count_publishers(TRACKED)
    refused = ros.set_parameter("/recognizer", "publish_hri", True)
    assert not refused.successful and "cleanup" in refused.reason
    assert change(ros, "deactivate") and change(ros, "cleanup")
    assert ros.set_parameter("/recognizer", "publish_hri", True).successful
    assert change(ros, "configure") and change(ros, "activate")
    tracked = ros.collect(hri_msgs.IdsList, TRACKED)
    tracked.wait_for(somebody, "a face")


def test_without_hri_msgs_the_recognizer_says_so_once(ros, portrait, monkeypatch, capfd):
    monkeypatch.setattr(hri_outputs, "IdsList", None)
    assert not recognizer.hri_available()
    labels = ros.collect(String, "/face_emotion")
    start(ros)
    Feed(ros, portrait)
    labels.wait_for(len, "a label")
    assert not ros.node.count_publishers(TRACKED)
    said = capfd.readouterr().err
    assert said.count("hri_msgs is not installed: /humans/faces is off") == 1
    assert change(ros, "deactivate") and change(ros, "cleanup")


def test_nothing_is_said_where_it_is_switched_off(ros, monkeypatch, capfd):
    monkeypatch.setattr(hri_outputs, "IdsList", None)
    overrides = [Parameter("publish_hri", value=False)]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    node.start()
    assert "hri_msgs" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("label", "word"), [("contempt", "skeptical"), ("unknown", ""), ("envy", "")]
)
def test_contempt_and_unknown_are_messages_too(label, word):
    face = FaceReading(1, Box(0, 0, 10, 10), label, 0.7, {label: 0.7, "neutral": 0.3})
    message = expression_message(face, Header(frame_id="camera"))
    assert message.expression == word and message.header.frame_id == "camera"
    assert message.confidence == pytest.approx(0.7)
    assert -1 <= message.valence <= 0 <= message.arousal <= 1


def test_a_face_that_leaves_the_frame_is_clipped():
    face = FaceReading(1, Box(-10, 50, 40, 100), "neutral", 1.0, {"neutral": 1.0})
    roi = roi_message(face, Header(), (100, 100))
    assert (roi.xmin, roi.ymin, roi.xmax, roi.ymax) == pytest.approx((0.0, 0.5, 0.3, 1.0))
