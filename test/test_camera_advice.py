"""A camera whose images do not arrive: cured, or the remedy in the diagnostics works.

Each situation is made over real DDS, and the remedy followed to the letter.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_bench import RosBench
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from expression_ros.nodes.common.diagnostics import OK, WARN
from expression_ros.nodes.common.image_messages import to_image_message, to_jpeg_message
from expression_ros.nodes.common.topics import (
    Company,
    ImageTopic,
    is_remapped,
    places_of_images,
)
from expression_ros.nodes.recognizer.node import Recognizer

pytestmark = pytest.mark.usefixtures("quick_reports")
SILENT = {"image_timeout": 0.5, "image_timeout_error": 30.0, "latency_warn": 60.0,
          "latency_error": 60.0, "dropped_warn": 1.0}  # fmt: skip


class CameraNode(Node):
    """A driver: publishes an image ten times a second, raw and compressed as asked for."""

    def __init__(self, ros, *topics, name="driver", cli_args=()):
        super().__init__(name, context=ros.context, cli_args=list(cli_args))
        self._image = cv2.GaussianBlur(
            np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 1
        )
        self._publishers_of = [(self.create_publisher(*topic, 5), topic[0]) for topic in topics]
        self.create_timer(0.1, self._send)

    def _send(self):
        stamp = self.get_clock().now().to_msg()
        for publisher, kind in self._publishers_of:
            make = to_image_message if kind is Image else to_jpeg_message
            publisher.publish(make(self._image, stamp, "camera"))


class Situation:
    """A recognizer among cameras; every new recognizer takes the place of the last."""

    def __init__(self, ros):
        self.ros = ros
        self.reports = ros.collect(DiagnosticArray, "/diagnostics")
        self.drivers = ExitStack()

    def camera(self, kind, topic, **options):
        """Start a driver, in a DDS participant of its own as in a process of its own."""
        bench = RosBench()
        end = self.drivers.enter_context(ExitStack())
        end.enter_context(bench)
        bench.add(CameraNode(bench, (kind, topic), **options))
        return end

    def recognizer(self, *cli_args, **parameters):
        overrides = [Parameter(k, value=v) for k, v in {**SILENT, **parameters}.items()]
        node = self.ros.add(
            Recognizer(context=self.ros.context, parameter_overrides=overrides,
                       cli_args=["--ros-args", *cli_args] if cli_args else None)
        )  # fmt: skip
        self.ros.in_executor(node.start)
        return node

    def end(self, node):
        """End a node as Ctrl-C does."""

        def end():
            if hasattr(node, "close"):
                node.close()
            self.ros.executor.remove_node(node)
            node.destroy_node()

        self.ros._nodes.remove(node)
        self.ros.in_executor(end)

    def wait(self, task, level, part, name="recognizer"):
        """Return the next status of that level with these words."""
        self.reports.clear()

        def look(messages):
            for status in (one for array_ in messages for one in array_.status):
                found = status.name == f"{name}: {task}" and status.level == level
                if found and part in f"{status.message}\n":
                    return status
            return None

        return self.reports.wait_for(look, f"{task}: {part}")

    def images_arrive(self, part="images/s", name="recognizer"):
        return self.wait("input", OK, part, name)


@pytest.fixture
def situation(ros):
    one = Situation(ros)
    with one.drivers:
        yield one


RAW, JPEG = Image, CompressedImage


@pytest.mark.parametrize(
    ("published", "remap", "transport", "read"),
    [
        # Raw and compressed under one name: the one that is asked for.
        ([(RAW, "/cam"), (JPEG, "/cam")], "/cam", "raw", "/cam (raw)"),
        # Compressed under the name where raw is asked for, and the other way round.
        ([(JPEG, "/cam")], "/cam", "raw", "/cam (compressed)"),
        ([(RAW, "/cam")], "/cam", "compressed", "/cam (raw)"),
        # A compressed topic that does not end in /compressed.
        ([(JPEG, "/cam/jpeg")], "/cam/jpeg", "compressed", "/cam/jpeg (compressed)"),
        # image_transport set wrongly where image_transport's names are used.
        ([(JPEG, "/cam/compressed")], "/cam", "raw", "/cam/compressed (compressed)"),
        ([(RAW, "/cam")], "/cam/compressed", "compressed", "/cam (raw)"),
        # cam2image publishes /image.
        ([(RAW, "/image")], "", "raw", "/image (raw)"),
    ],
)  # fmt: skip
def test_what_is_really_published_is_read_and_told(situation, published, remap, transport, read):
    for one in published:
        situation.camera(*one)
    arguments = ["-r", f"image:={remap}"] if remap else []
    situation.recognizer(*arguments, image_transport=transport)
    told = situation.images_arrive()
    values = {pair.key: pair.value for pair in told.values}
    assert f"{values['topic']} ({values['type']})" == read
    asked = places_of_images(remap or "/image_raw", transport)[0]
    assert (f"reading {read}, since nobody publishes {asked}" in told.message) == (
        read != str(asked)
    )


def test_the_topic_that_is_asked_for_is_read_as_soon_as_it_is_there(situation):
    situation.camera(JPEG, "/image_raw/compressed")
    situation.recognizer()
    situation.images_arrive("reading /image_raw/compressed")
    situation.camera(RAW, "/image_raw", name="raw_driver")
    situation.images_arrive("images/s on /image_raw\n")


def test_image_remapped_to_its_own_name_is_not_image_raw(situation, monkeypatch):
    arguments = ["--ros-args", "-r", "image:=/image"]
    monkeypatch.setattr(sys, "argv", ["recognizer", *arguments])
    situation.camera(RAW, "/image")
    situation.camera(RAW, "/image_raw", name="another")
    situation.recognizer(*arguments[1:])
    situation.images_arrive("images/s on /image\n")


def test_a_latched_image_from_before_the_start_is_read(situation):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    driver = situation.drivers.enter_context(RosBench())
    publisher = driver.node.create_publisher(Image, "image_raw", latched)
    publisher.publish(to_image_message(np.full((48, 64), 99, np.uint8), Image().header.stamp, ""))
    node = situation.recognizer()
    situation.wait("input", WARN, "did send: its images have stopped")
    assert node._statistics.received == 1


@pytest.mark.parametrize("way", ["ros2 run", "ros2 launch"])
@pytest.mark.parametrize("published", [(RAW, "/front/color"), (JPEG, "/front/color/compressed")])
def test_another_topic_or_namespace_is_found_by_the_printed_remedy(situation, published, way):
    situation.camera(*published)
    node = situation.recognizer("-r", "__ns:=/robot", "-r", "image:=/nowhere")
    told = situation.wait("input", WARN, "publishers: none", "robot/recognizer")
    situation.end(node)
    pattern = {"ros2 run": r"--ros-args -r (\S+) \(ros2 run", "ros2 launch": r"image_topic:=(\S+)"}
    found = re.search(pattern[way], told.message).group(1)
    # The launch file hands image_topic on as the remapping of image (test_launch.py).
    rule = found if way == "ros2 run" else f"image:={found}"
    situation.recognizer("-r", "__ns:=/robot", "-r", rule)
    situation.images_arrive("images/s on /front/color", "robot/recognizer")


def test_a_topic_that_is_no_image_is_named_with_its_type(situation):
    with_text = situation.drivers.enter_context(RosBench())
    with_text.node.create_publisher(String, "/cam", 1)
    situation.recognizer("-r", "image:=/cam")
    told = situation.wait("input", WARN, "which is not an image").message
    assert "/test_bench publishes /cam as std_msgs/msg/String, which is not an image; " in told


@pytest.mark.parametrize(
    ("topic", "own"), [("image_raw", []), ("image", ["-r", "image:=image_raw"])]
)
def test_two_cameras_on_one_topic_are_parted_as_printed(situation, topic, own):
    """Also where a driver's own name is remapped already, as that of cam2image."""
    situation.camera(RAW, "image_raw", name="left")
    second = situation.camera(RAW, topic, name="right", cli_args=["--ros-args", *own])
    situation.recognizer()
    told = situation.wait("input", WARN, "/left and /right publish /image_raw")
    second.close()
    printed = words_after("start one in a namespace: ", told.message)
    situation.camera(RAW, topic, name="right", cli_args=["--ros-args", *own, *printed])
    situation.images_arrive("images/s on /image_raw")


def words_after(part, message):
    """Return the arguments that a message prints, up to its end or its next sentence."""
    return message.partition(part)[2].partition(";")[0].split()


def test_two_recognizers_on_one_topic_are_parted_as_printed(situation):
    situation.camera(RAW, "/image_raw")
    situation.recognizer()
    second = situation.recognizer("-r", "__node:=other")
    told = situation.wait("recognition", WARN, "/other and /recognizer publish /face_emotion")
    situation.end(second)
    printed = words_after("start one in a namespace: ", told.message)
    situation.recognizer("-r", "__node:=other", *printed[1:])
    situation.wait("recognition", OK, "")
    situation.images_arrive(name="second/other")


def test_a_recognizer_that_stands_by_is_no_company(situation):
    situation.camera(RAW, "/image_raw")
    standby = situation.recognizer("-r", "__node:=other", autostart=False)
    situation.ros.in_executor(standby.trigger_configure)
    situation.recognizer()
    situation.wait("recognition", OK, "")
    situation.ros.in_executor(standby.trigger_activate)
    situation.wait("recognition", WARN, "/other and /recognizer publish /face_emotion")
    situation.ros.in_executor(standby.trigger_deactivate)
    situation.wait("recognition", OK, "")


DRIVER = """
import array, sys, time, rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
node = rclpy.create_node("driver")
publisher = node.create_publisher(Image, "image_raw", qos)
def image(height, width):
    size = 3 * height * width  # stripes: a black image would be told, too
    data = array.array("B", (bytes(range(256)) * (size // 256 + 1))[:size])
    return Image(height=height, width=width, encoding="bgr8", step=3 * width, data=data)
large, small = image(480, 640), image(30, 30)
end, k = time.monotonic() + 60, 0
while time.monotonic() < end:
    k += 1
    message = small if k % 5 == 0 and "some" in sys.argv else large
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(0.1)
"""


@contextmanager
def driver(*words, **environment):
    """Run a best-effort driver in a process of its own, with no profile but a given one."""
    bare = {k: v for k, v in os.environ.items() if "DEFAULT_PROFILES_FILE" not in k}
    process = subprocess.Popen([sys.executable, "-c", DRIVER, *words], env={**bare, **environment})
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("part", ["none", "some"])
def test_a_best_effort_driver_whose_large_images_are_lost(situation, part):
    situation.recognizer(image_timeout=3.0 if part == "some" else 0.5)
    with driver(part):
        words = {"none": "although driver (best effort) publishes it; start it again after",
                 "some": "of them are lost on their way: start it again after"}  # fmt: skip
        told = situation.wait("input", WARN, words[part]).message
        assert "light" not in told
    variable, value = re.search(r"export (\S+)=(\S+)", told).groups()
    with driver(**{variable: value}):
        situation.images_arrive()


# ---- the pure parts ----


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("jazzy", "FASTDDS_DEFAULT_PROFILES_FILE"),
     ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE")],
)  # fmt: skip
def test_the_remedy_names_the_variable_of_the_distribution(
    situation, monkeypatch, distribution, variable
):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    node = situation.recognizer()
    assert f"export {variable}=" in node._input._transport_advice()


@pytest.mark.parametrize(
    ("words", "remapped"),
    [
        ([], False), (["-r", "image:=/image"], True), (["--remap", "/image:=/image"], True),
        (["-r", "recognizer:image:=/image"], True), (["-r", "camera/image:=/x"], True),
        (["-r", "my_image:=/image"], False), (["-p", "image_transport:=raw"], False),
        (["image"], False),
    ],
)  # fmt: skip
def test_a_remapping_is_seen_on_the_command_line(words, remapped):
    assert is_remapped("image", words) == remapped


def test_the_places_where_images_may_be():
    def places(*arguments):
        return [str(one) for one in places_of_images(*arguments)]

    assert places("/a", "raw") == ["/a (raw)", "/a/compressed (compressed)", "/a (compressed)"]
    assert places("/a", "compressed") == [
        "/a/compressed (compressed)", "/a (compressed)", "/a (raw)"
    ]  # fmt: skip
    assert places("/a/compressed", "compressed") == ["/a/compressed (compressed)", "/a (raw)"]
    assert places("/a", "raw", "/b")[3:] == places("/b", "raw")
    assert ImageTopic("/a", "sensor_msgs/msg/Image") in places_of_images("/a", "raw")


def test_a_node_that_was_started_again_is_no_company():
    company = Company()
    assert company.of(["/a", "/b"], 0.0) == ["/a", "/b"], "two names are two nodes"
    assert company.of(["/a"], 1.0) == []
    assert company.of(["/a", "a node"], 1.5) == [], "it may be the same one, not named yet"
    assert company.of(["/a"], 1.6) == []
    assert company.of(["/a", "/a"], 2.0) == []
    assert company.of(["/a", "/a"], 31.9) == []
    assert company.of(["/a", "/a"], 32.1) == ["/a", "/a"]
    assert company.of(["/a", "a node"], 33.0) == ["/a", "a node"]
    assert company.of([], 33.0) == [] and company.of(["/a", "/a"], 34.0) == []
