"""The page's node over real DDS: shows the topics of running nodes and sets the mirror."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_bench import wait_until
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32MultiArray, String
from web_client import Client

from expression_ros.commands.robots import missing_types
from expression_ros.mirroring.robot_table import available_robots, load_robot
from expression_ros.nodes.common.image_messages import to_image_message, to_jpeg_message
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.nodes.recognizer.outputs import scores_message
from expression_ros.nodes.web import calibration as web_calibration
from expression_ros.nodes.web import node as web_node
from expression_ros.nodes.web.node import Web
from expression_ros.web.server import ServerError

pytestmark = pytest.mark.usefixtures("quick_reports")

REPOSITORY = Path(__file__).resolve().parent.parent
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
IMAGE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Keep the persons of whoever runs the tests out of it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture
def node(ros):
    overrides = [Parameter("port", value=0)]
    return ros.add(Web(context=ros.context, parameter_overrides=overrides))


@pytest.fixture
def web(node):
    return Client(node.address)


class Repeating:
    """Publishes a message thirty times a second, as a recognizer does."""

    def __init__(self, ros, kind, topic, message, qos=10):
        self.publisher = ros.node.create_publisher(kind, topic, qos)
        self.message = message
        self._timer = ros.node.create_timer(1 / 30, lambda: self.publisher.publish(self.message))

    def stop(self, ros):
        ros.node.destroy_timer(self._timer)


def test_label_and_scores_are_told_and_nobody_after_a_silence(ros, node, web):
    assert web.state()["label"] == ""
    scores = Repeating(ros, Float32MultiArray, "face_emotion/scores",
                       scores_message({"happiness": 0.75, "neutral": 0.25}))  # fmt: skip
    labels = Repeating(ros, String, "face_emotion", String(data="happiness"))
    state = wait_until(
        lambda: (s := web.state())["label"] == "happiness" and s["scores"] and s, "the label"
    )
    assert state["scores"] == {"happiness": 0.75, "neutral": 0.25}

    def remembered():
        with web.events() as events:
            _, history = next(events)
        return [point["scores"] for point in history]

    wait_until(lambda: {"happiness": 0.75, "neutral": 0.25} in remembered(), "the last minute")
    labels.stop(ros)
    scores.stop(ros)
    overlay(ros)
    with web.events():
        wait_until(lambda: web.state()["label"] == "", "nobody")
    assert {"happiness": 0.75, "neutral": 0.25} in remembered()


def test_scores_of_another_frame_are_not_shown_beside_a_label(ros, node, web):
    labels = ros.publisher(String, "/face_emotion")
    scores = ros.publisher(Float32MultiArray, "/face_emotion/scores")
    scores.publish(scores_message({"neutral": 0.1, "happiness": 0.9}))
    labels.publish(String(data="happiness"))
    wait_until(lambda: web.state()["scores"] == {"neutral": 0.1, "happiness": 0.9}, "the scores")
    labels.publish(String(data="neutral"))  # of a publisher that tells no scores
    wait_until(lambda: web.state()["label"] == "neutral", "the label")
    assert web.state()["scores"] == {}


def overlay(ros):
    grey, now = np.full((48, 64, 3), 90, np.uint8), ros.node.get_clock().now().to_msg()
    message = to_jpeg_message(grey, now, "camera")
    return Repeating(ros, CompressedImage, "face_emotion/image/compressed", message, IMAGE)


def test_a_camera_that_falls_silent_is_not_taken_for_an_empty_room(ros, node, web):
    labels = Repeating(ros, String, "face_emotion", String(data="happiness"))
    images = overlay(ros)
    with web.events() as events:
        wait_until(lambda: node._small_until and web.state()["label"] == "happiness", "frames")
        labels.stop(ros)
        images.stop(ros)
        wait_until(lambda: web.state()["age"] > web_node._NOBODY_S + 0.3, "an old frame")
        assert web.state()["label"] == "happiness"
        assert next(events)[0] == "history"
    with web.events() as events:  # whoever comes now is not told of an empty room either
        history = next(events)[1]
    assert history[-1]["age"] >= web_node._NOBODY_S


def test_who_is_silent_is_told_the_recognizer_or_its_camera(ros, node, web):
    wait_until(lambda: web.state()["silent"] == "recognizer", "a silent recognizer")
    overlay(ros)
    waits = DiagnosticStatus(name="recognizer: input", level=DiagnosticStatus.WARN)
    reports = Repeating(ros, DiagnosticArray, "/diagnostics", DiagnosticArray(status=[waits]))
    wait_until(lambda: web.state()["silent"] == "camera", "a silent camera")
    reports.stop(ros)
    ros.in_executor(node._reports._kept.clear)  # as after five seconds
    wait_until(lambda: web.state()["silent"] == "recognizer", "a silent recognizer")


def test_a_mirror_that_is_gone_shows_nothing(ros, node, web):
    words = ros.publisher(String, "robot_expression", LATCHED)
    words.publish(String(data="surprised"))
    values = [KeyValue(key="robot", value="virtual_face"), KeyValue(key="style", value="mirror")]
    report = DiagnosticArray(status=[DiagnosticStatus(name="mirror: robot", values=values)])
    reports = Repeating(ros, DiagnosticArray, "/diagnostics", report)
    shown = {"name": "virtual_face", "style": "mirror", "expression": "surprised"}
    wait_until(lambda: web.state()["robot"].items() >= shown.items(), "the mirror")
    reports.stop(ros)
    ros.in_executor(lambda: ros.node.destroy_publisher(words))
    ros.in_executor(node._reports._kept.clear)  # as after five seconds
    gone = dict.fromkeys(shown, "")
    wait_until(lambda: web.state()["robot"].items() >= gone.items(), "no mirror")


def test_faces_come_from_the_detections(ros, node, web):
    pytest.importorskip("vision_msgs", reason="needs vision_msgs")
    from std_msgs.msg import Header
    from vision_msgs.msg import Detection2DArray

    from expression_ros.nodes.recognizer.outputs import detections_message
    from expression_ros.recognition.boxes import Box
    from expression_ros.recognition.readings import FaceReading, FrameReading

    faces = tuple(FaceReading(k, Box(9, 9, 50, 50), label, 0.5, {label: 0.5, "anger": 0.25})
                  for k, label in ((4, "happiness"), (7, "fear")))  # fmt: skip
    message = detections_message(FrameReading(faces, primary=faces[0]), Header())
    Repeating(ros, Detection2DArray, "face_emotion/detections", message)
    Repeating(ros, String, "face_emotion", String(data="happiness"))
    seen = wait_until(lambda: web.state()["faces"], "faces")
    assert seen == [{"id": "4", "label": "happiness", "score": 0.5},
                    {"id": "7", "label": "fear", "score": 0.5}]  # fmt: skip


def test_the_overlay_is_subscribed_only_while_a_browser_looks(ros, node, web):
    wide = np.full((720, 1280, 3), (0, 0, 255), np.uint8)
    message = to_jpeg_message(wide, ros.node.get_clock().now().to_msg(), "camera")
    overlay = Repeating(
        ros, CompressedImage, "face_emotion/image/compressed", message, IMAGE
    ).publisher
    wait_until(lambda: not web.state()["problem"], "the publisher to be found")
    assert overlay.get_subscription_count() == 0
    assert web.ask("/picture/overlay")[0] == 204
    with web.events():
        wait_until(lambda: overlay.get_subscription_count() == 1, "the subscription")
        body = wait_until(lambda: web.ask("/picture/overlay")[2], "an image")
        image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (360, 640, 3) and image[..., 2].mean() > 200
    wait_until(lambda: overlay.get_subscription_count() == 0, "the end of the subscription")
    wait_until(lambda: web.ask("/picture/overlay")[0] == 204, "the image to be forgotten")


def test_a_small_overlay_is_passed_on_as_it_is_and_a_broken_one_is_survived(ros, node, web):
    grey, now = np.full((480, 640, 3), 90, np.uint8), ros.node.get_clock().now().to_msg()
    small = to_jpeg_message(grey, now, "camera")
    sender = Repeating(ros, CompressedImage, "face_emotion/image/compressed",
                       CompressedImage(format="jpeg", data=b"no image"), IMAGE)  # fmt: skip
    with web.events():
        wait_until(lambda: node._painter.problem, "the broken image to be noticed")
        sender.message = small
        body = wait_until(lambda: web.ask("/picture/overlay")[2], "an image")
    assert body == bytes(small.data)


def do(web, **wanted):
    status, _, body = web.ask("/calibration", "POST", json.dumps(wanted).encode())
    return status, json.loads(body)


def test_the_camera_is_subscribed_only_while_somebody_is_calibrated(ros, node, web, astronaut):
    message = to_image_message(astronaut, ros.node.get_clock().now().to_msg(), "camera")
    camera = Repeating(ros, Image, "image_raw", message).publisher
    assert web.state()["calibration"]["step"] == "idle"
    with web.events():
        assert do(web, do="start", name="ada")[0] == 200
        wait_until(lambda: camera.get_subscription_count() == 1, "the subscription")
        wait_until(lambda: web.state()["calibration"].get("taken"), "a clear image")
        assert do(web, do="cancel")[0] == 200
    wait_until(lambda: camera.get_subscription_count() == 0, "the end of the subscription")
    status, answer = do(web, do="use", name="nobody")
    assert status == 409 and "nobody is called nobody" in answer["error"]


def test_a_calibration_without_a_camera_says_so_and_what_to_do(ros, node, web, monkeypatch):
    monkeypatch.setattr(web_calibration, "_SILENT_S", 0.5)
    label = to_jpeg_message(np.zeros((48, 64, 3), np.uint8), ros.node.get_clock().now().to_msg(),
                            "camera")  # fmt: skip
    Repeating(ros, CompressedImage, "face_emotion/image/compressed", label, IMAGE)
    wait_until(lambda: not web.state()["problem"], "the recognizer to be found")
    with web.events():
        assert do(web, do="start", name="ada")[0] == 200
        problem = wait_until(lambda: web.state()["problem"], "the problem")
        assert "no image on /image_raw" in problem and "start a camera" in problem
        assert do(web, do="cancel")[0] == 200
        wait_until(lambda: not web.state()["problem"], "the problem to be over")


def test_a_missing_recognizer_is_told_with_the_remedy(ros, node, web):
    problem = wait_until(lambda: web.state()["problem"], "the problem")
    assert "/face_emotion/image/compressed" in problem and "start one" in problem


def test_own_diagnostics_are_told_the_worst_first_and_those_of_others_are_not(ros, node, web):
    def status(name, level, message):
        return DiagnosticStatus(name=name, level=level, message=message)

    array = DiagnosticArray(status=[
        status("front/recognizer: input", DiagnosticStatus.OK, "30.0 images/s"),
        status("mirror: expressions", DiagnosticStatus.WARN, "unknown label"),
        status("recognizer: model", DiagnosticStatus.ERROR, "no such model"),
        status("battery: cell 4", DiagnosticStatus.ERROR, "flat"),
    ])  # fmt: skip
    Repeating(ros, DiagnosticArray, "/diagnostics", array)
    rows = wait_until(lambda: web.state()["diagnostics"], "diagnostics")
    assert [(row["level"], row["name"]) for row in rows] == [
        ("error", "recognizer: model"), ("warning", "mirror: expressions"),
        ("ok", "front/recognizer: input"),
    ]  # fmt: skip
    assert rows[0]["message"] == "no such model"


def test_robot_and_style_are_set_at_the_mirror(ros, node, web):
    mirror = ros.add(Mirror(context=ros.context))
    wait_until(lambda: web.state()["robot"]["name"] == "virtual_face", "the mirror's report")
    wait_until(node._setter.service_is_ready, "the mirror's service")
    status, answer = web.choose(robot="led_eyes", style="empathic")
    assert status == 200, answer
    assert mirror.get_parameter("robot").value == "led_eyes"
    assert mirror.get_parameter("style").value == "empathic"
    Repeating(ros, String, "face_emotion", String(data="happiness"))
    word = load_robot("led_eyes").expression_for("happiness")
    robot = wait_until(
        lambda: (r := web.state()["robot"])["name"] == "led_eyes" and r["expression"] == word and r,
        "the robot's own word",
    )
    assert robot["style"] == "empathic"
    with web.events():
        assert wait_until(lambda: web.ask("/picture/robot")[2], "the drawn face")


def test_a_mirror_that_refuses_says_why(ros, node, web):
    needs = {name: missing_types(load_robot(name)) for name in available_robots()}
    robot = next((name for name, missing in needs.items() if missing), None)
    if robot is None:
        pytest.skip("the messages of every robot are installed: none is refused")
    ros.add(Mirror(context=ros.context))
    wait_until(node._setter.service_is_ready, "the mirror's service")
    status, answer = web.choose(robot=robot, style="mirror")
    assert status == 409 and next(iter(needs[robot])).split("/")[0] in answer["error"]


def test_without_a_mirror_a_choice_is_told_so(ros, node, web):
    status, answer = web.choose(robot="pal", style="mirror")
    assert status == 409 and "/mirror/set_parameters" in answer["error"]


def test_choosing_does_not_hold_up_ros(ros, node, web):
    """A mirror that is there and never answers: labels go on meanwhile."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    silent = Node("mirror", context=ros.context, start_parameter_services=False)
    silent.create_service(SetParameters, "~/set_parameters", lambda request, response: response)
    executor = SingleThreadedExecutor(context=ros.context)  # that never spins
    executor.add_node(silent)
    try:
        wait_until(node._setter.service_is_ready, "the silent mirror's service")
        answers = []
        asking = threading.Thread(
            target=lambda: answers.append(web.choose(robot="pal", style="mirror"))
        )
        asking.start()
        Repeating(ros, String, "face_emotion", String(data="fear"))
        wait_until(lambda: web.state()["label"] == "fear", "a label while the mirror is asked")
        assert not answers
        asking.join()
        assert answers[0][0] == 409 and "did not answer" in answers[0][1]["error"]
    finally:
        executor.remove_node(silent)
        executor.shutdown()
        silent.destroy_node()


def test_the_mirror_s_word_is_shown_to_who_comes_late(ros, node, web):
    words = ros.publisher(String, "robot_expression", LATCHED)
    words.publish(String(data="surprised"))
    wait_until(lambda: web.state()["robot"]["expression"] == "surprised", "the word")


def test_in_a_namespace_all_topics_are_in_it(ros):
    node = ros.add(Web(context=ros.context, namespace="/robot",
                       parameter_overrides=[Parameter("port", value=0)]))  # fmt: skip
    web = Client(node.address)
    Repeating(ros, String, "/robot/face_emotion", String(data="fear"))
    wait_until(lambda: web.state()["label"] == "fear", "the label")
    problem = wait_until(lambda: web.state()["problem"], "the missing overlay to be told")
    assert "/robot/face_emotion/image/compressed" in problem


def test_a_port_in_use_is_one_line(ros, node, web):
    with pytest.raises(ServerError) as problem:
        Web(context=ros.context, parameter_overrides=[Parameter("port", value=web.port)])
    assert str(web.port) in str(problem.value)


def test_without_tornado_the_node_ends_with_one_line_and_the_remedy(tmp_path):
    (tmp_path / "tornado.py").write_text("raise ImportError('not here')")  # hides the real one
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    done = subprocess.run([sys.executable, "-m", "expression_ros.nodes.web"], env=environment,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 2
    assert "the page needs Tornado: sudo apt install python3-tornado" in done.stderr
    assert "Traceback" not in done.stderr
