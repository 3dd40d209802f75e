"""The camera node over real DDS. Webcams are simulated: a FrameSource that can be unplugged."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import PATIENCE_S, wait_until
from sensor_msgs.msg import Image

from expression_ros.frames.sources import FrameSource, SourceError
from expression_ros.nodes.camera import Camera
from expression_ros.nodes.common.image_messages import to_image_message, to_jpeg_message

REPOSITORY = Path(__file__).resolve().parent.parent
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
RATE_HZ = 20.0
FRAMES = 24


# ---- images that know their number ----


def numbered_frame(number: int, size=(640, 480)) -> np.ndarray:
    """Return a frame with the number in eight black or white columns, which survive compression."""
    bits = [255 * (number >> bit & 1) for bit in range(8)]
    row = np.repeat(np.array(bits, np.uint8), size[0] // 8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (size[1], size[0], 3)))


def number_of(message: Image) -> int:
    image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
    columns = image[:, :, 1].reshape(message.height, 8, -1).mean(axis=(0, 2))
    return sum(1 << bit for bit, mean in enumerate(columns) if mean > 127)


def stamp_of(message) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


def write_video(path: Path, frames: int = FRAMES, rate: float = RATE_HZ) -> Path:
    code = cv2.VideoWriter_fourcc(*"MJPG")  # type: ignore[attr-defined]  # not in its stubs
    writer = cv2.VideoWriter(str(path), code, rate, (640, 480))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(numbered_frame(number))
    writer.release()
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """A video of 24 numbered frames, 640x480 at 20 Hz."""
    return write_video(tmp_path_factory.mktemp("video") / "numbered.avi")


# ---- the node in this process and in its own ----


@pytest.fixture
def camera(ros):
    """Start a camera node in this process with the given parameters."""

    def start(open_frames=None, **parameters) -> Camera:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        extra = {} if open_frames is None else {"open_frames": open_frames}
        node = ros.add(Camera(context=ros.context, parameter_overrides=overrides, **extra))
        node.start()
        return node

    return start


class Process:
    """The camera node as ``ros2 run`` starts it."""

    def __init__(self, **parameters):
        settings = itertools.chain.from_iterable(
            ("-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}")
            for name, value in parameters.items()
        )
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "expression_ros.nodes.camera", "--ros-args", *settings],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and what it said."""
        out, err = self.popen.communicate(timeout=2 * PATIENCE_S)
        return self.popen.returncode, out + err


@pytest.fixture
def process():
    started: list[Process] = []

    def start(**parameters) -> Process:
        started.append(Process(**parameters))
        return started[-1]

    yield start
    for one in started:
        if one.popen.poll() is None:
            one.popen.kill()
            one.popen.communicate()


def source_status(messages) -> DiagnosticStatus | None:
    """Return the camera's newest status among /diagnostics messages."""
    found = [one for message in messages for one in message.status if "source" in one.name]
    return found[-1] if found else None


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def wait_for_status(diagnostics, condition, what: str) -> DiagnosticStatus:
    diagnostics.wait_for(
        lambda messages: (status := source_status(messages)) and condition(status), what
    )
    status = source_status(diagnostics.messages)
    assert status is not None
    return status


# ---- webcams and files that misbehave ----


class FakeWebcam(FrameSource):
    """A webcam of 50 Hz that can be unplugged and plugged in again, and that can hang."""

    is_live = True

    def __init__(self, plug: Plug):
        super().__init__("fake webcam", 50.0)
        self.plug = plug
        self.closed = False

    def retrieve(self):
        return numbered_frame(self.position % 256, size=(64, 48))

    def close(self):
        self.closed = True

    def _advance(self):
        time.sleep(0.02)  # a camera's pace, not a wait for something
        self.plug.hangs_not.wait()
        return self.plug.plugged

    def _restart(self):
        pass


class Plug:
    """Opens fake webcams, as open_source does, while it is plugged in."""

    def __init__(self, plugged: bool = True):
        self.plugged = plugged
        self.hangs_not = threading.Event()
        self.hangs_not.set()
        self.opened: list[FakeWebcam] = []
        self.asked: dict = {}

    def open(self, text, **asked):
        self.asked = {"text": text, **asked}
        if not self.plugged:
            raise SourceError("webcam 0 does not open; plug it in")
        self.opened.append(FakeWebcam(self))
        return self.opened[-1]


class SlowVideo(FrameSource):
    """A video whose frame ``n`` takes ``delay(n)`` seconds to pass and which never ends."""

    def __init__(self, delay):
        super().__init__("slow video", RATE_HZ)
        self.delay = delay

    def retrieve(self):
        return numbered_frame((self.position - 1) % 256, size=(64, 48))

    def close(self):
        pass

    def _advance(self):
        time.sleep(self.delay(self.position))
        return True

    def _restart(self):
        pass


# ---- playing files ----


def test_video_arrives_in_order_with_growing_stamps_at_its_own_rate(ros, camera, video):
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(source=str(video), frame_id="head_camera", wait_for_subscriber=True)
    images.wait_for(lambda got: got and number_of(got[-1]) >= FRAMES - 2, "the end of the video")
    # Of the first round: another may have begun.
    got = list(images.messages)
    numbers = [number_of(message) for message in got]
    first_round = numbers[: numbers.index(max(numbers)) + 1]
    stamps = [stamp_of(message) for message in got[: len(first_round)]]

    assert first_round == sorted(set(first_round)), "each frame once and in order"
    assert all(later > earlier for earlier, later in itertools.pairwise(stamps))
    assert {message.header.frame_id for message in got} == {"head_camera"}
    played = (first_round[-1] - first_round[0]) / RATE_HZ
    taken = stamps[-1] - stamps[0]
    # Never faster than the video, but for the lateness of the first frame; slower only when busy.
    assert played - 1.5 / RATE_HZ <= taken <= played * 1.5 + 0.5


def test_message_describes_its_pixels(ros, camera, video):
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(source=str(video))
    image = images.wait_for(lambda got: got and got[0], "an image")
    assert (image.width, image.height, image.encoding) == (640, 480, "bgr8")
    assert image.step == 1920 and image.is_bigendian == 0 and len(image.data) == 921600
    age = ros.node.get_clock().now().nanoseconds * 1e-9 - stamp_of(image)
    assert 0 <= age < PATIENCE_S


def test_reliable_and_best_effort_subscriptions_both_get_vga_frames(ros, camera, video):
    reliable = ros.collect(Image, "image_raw", RELIABLE)
    best_effort = ros.collect(Image, "image_raw", BEST_EFFORT)
    camera(source=str(video))
    for images in (reliable, best_effort):
        images.wait_for(lambda got: len(got) >= 10, "ten images")


def test_loop_begins_again_with_the_first_frame(ros, camera, video):
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(source=str(video), frame_rate=60.0)

    def wraps(got) -> int:
        numbers = [number_of(message) for message in got]
        return sum(later < earlier for earlier, later in itertools.pairwise(numbers))

    images.wait_for(lambda got: wraps(got) >= 2, "two new rounds")
    stamps = [stamp_of(message) for message in images.messages]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT], ids=["reliable", "best_effort"])
def test_waiting_for_a_subscriber_loses_no_first_frame(ros, camera, video, qos):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    camera(source=str(video), wait_for_subscriber=True)
    wait_for_status(diagnostics, lambda one: "waiting for a subscriber" in one.message, "waiting")
    images = ros.collect(Image, "image_raw", qos)
    first = images.wait_for(lambda got: got and got[0], "an image")
    assert number_of(first) == 0


def test_played_once_the_node_ends_with_exit_code_0_after_the_last_frame(ros, process, video):
    images = ros.collect(Image, "image_raw", RELIABLE)
    code, said = process(source=video, loop=False, wait_for_subscriber=True).end()
    assert code == 0, said
    assert f"end of {video} after " in said and "Traceback" not in said
    images.wait_for(lambda got: got and number_of(got[-1]) == FRAMES - 1, "the last frame")
    assert number_of(images.messages[0]) == 0


def test_loop_switched_off_at_run_time_ends_the_node_at_the_end(ros, process, video):
    images = ros.collect(Image, "image_raw", RELIABLE)
    node = process(source=video, frame_rate=60.0)
    images.wait_for(len, "an image")
    assert ros.set_parameter("camera", "loop", False).successful
    code, said = node.end()
    assert code == 0 and "end of" in said


def test_folder_with_a_broken_image_goes_on_and_counts_it(ros, camera, tmp_path):
    for number in (1, 3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), numbered_frame(number, size=(64, 48)))
    (tmp_path / "2.png").write_bytes(b"no image")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(source=str(tmp_path), frame_rate=20.0)
    images.wait_for(lambda got: len(got) >= 6, "three rounds")
    assert {number_of(message) for message in images.messages} == {1, 3}
    wait_for_status(
        diagnostics, lambda one: values_of(one)["unreadable frames"] == "1", "the broken image"
    )


def test_one_image_is_published_again_and_again(ros, camera, tmp_path):
    cv2.imwrite(str(tmp_path / "face.png"), numbered_frame(77, size=(64, 48)))
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(source=str(tmp_path / "face.png"), frame_rate=50.0)
    images.wait_for(lambda got: len(got) >= 5, "five images")
    assert {number_of(message) for message in images.messages} == {77}


def test_after_a_stall_frames_are_skipped_and_the_speed_stays_true(ros, camera):
    images = ros.collect(Image, "image_raw", RELIABLE)
    node = camera(
        lambda *_, **__: SlowVideo(lambda frame: 1.0 if frame == 10 else 0.0),
        source="stalling.mp4",
        wait_for_subscriber=True,
    )
    images.wait_for(lambda got: got and number_of(got[-1]) >= 40, "the time after the stall")
    numbers = [number_of(message) for message in images.messages]
    assert node._skipped_late >= 10
    assert numbers == sorted(set(numbers)), "skipped, never repeated or sent in a burst"
    taken = stamp_of(images.messages[-1]) - stamp_of(images.messages[0])
    assert taken >= (numbers[-1] - numbers[0] - 1.5) / RATE_HZ


def test_video_that_cannot_be_decoded_in_time_is_played_slower_not_skipped_away(ros, camera):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(lambda *_, **__: SlowVideo(lambda _: 0.1), source="huge.mp4")  # twice its period
    images.wait_for(lambda got: len(got) >= 10, "ten images")
    stamps = [stamp_of(message) for message in images.messages]
    gaps = np.diff(stamps)
    assert np.median(gaps) < 0.5, "the gaps do not grow"
    status = wait_for_status(diagnostics, lambda one: one.level == DiagnosticStatus.WARN, "a WARN")
    assert "of 20.0 frames per second" in status.message


# ---- parameters ----


def test_frame_id_and_frame_rate_change_while_playing_and_source_does_not(ros, camera, video):
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(source=str(video), frame_rate=0.01)  # one frame in 100 s
    images.wait_for(len, "the first image")
    assert ros.set_parameter("camera", "frame_id", "left_eye").successful
    assert ros.set_parameter("camera", "frame_rate", 30.0).successful
    images.wait_for(lambda got: len(got) >= 5, "images at the new rate")
    assert images.messages[-1].header.frame_id == "left_eye"
    refused = ros.set_parameter("camera", "source", "1")
    assert not refused.successful and "set it when the node is started" in refused.reason
    assert not ros.set_parameter("camera", "frame_rate", -1.0).successful


def test_webcam_index_may_be_given_as_a_number(ros, camera):
    plug = Plug()
    camera(plug.open, source=0, width=320, height=240, frame_rate=15.0)
    assert plug.asked == {"text": "0", "width": 320, "height": 240, "frame_rate": 15.0}


@pytest.mark.parametrize("source", ["nothing.mp4", "junk.mp4", "97"])
def test_source_that_does_not_open_is_one_line_and_exit_code_2(process, tmp_path, source):
    if source == "junk.mp4":
        source = str(tmp_path / source)
        Path(source).write_bytes(b"no video")
    code, said = process(source=source).end()
    assert code == 2
    assert len(said.splitlines()) == 1 and said.startswith("[ERROR]") and source in said


def test_wrong_parameter_is_one_line_and_exit_code_2(process):
    code, said = process(frame_rate=-3.0).end()
    assert code == 2 and len(said.splitlines()) == 1 and "frame_rate" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_the_node_ends_with_exit_code_0(ros, process, video, number):
    images = ros.collect(Image, "image_raw", RELIABLE)
    node = process(source=video)
    images.wait_for(len, "an image")
    os.kill(node.popen.pid, number)
    code, said = node.end()
    assert code == 0 and "Traceback" not in said


def test_video_removed_while_it_loops_ends_the_node_with_one_line(ros, process, tmp_path):
    path = write_video(tmp_path / "short.avi", frames=60)
    images = ros.collect(Image, "image_raw", RELIABLE)
    node = process(source=path)
    images.wait_for(len, "an image")
    path.unlink()
    code, said = node.end()
    assert code == 2 and "can no longer be read" in said and "Traceback" not in said


# ---- webcams (simulated) ----


def test_unplugged_webcam_is_reported_reopened_and_reported_back(ros, camera):
    plug = Plug()
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    images = ros.collect(Image, "image_raw", RELIABLE)
    node = camera(plug.open)
    images.wait_for(len, "an image")
    wait_for_status(diagnostics, lambda one: one.level == DiagnosticStatus.OK, "OK")

    plug.plugged = False
    status = wait_for_status(
        diagnostics,
        lambda one: (
            one.level == DiagnosticStatus.ERROR and int(values_of(one)["reopen attempts"]) >= 2
        ),
        "an ERROR with two attempts",
    )
    assert "plug it in" in status.message
    assert plug.opened[0].closed, "a device that is held open comes back under another number"

    images.clear()
    plug.plugged = True
    images.wait_for(len, "an image of the webcam plugged in again")
    wait_for_status(diagnostics, lambda one: one.level == DiagnosticStatus.OK, "OK again")
    node.close()
    assert plug.opened[-1].closed and len(plug.opened) == 2


def test_webcam_missing_at_start_ends_the_node_unless_retry(ros, camera):
    with pytest.raises(SourceError, match="does not open"):
        camera(Plug(plugged=False).open)

    plug = Plug(plugged=False)
    images = ros.collect(Image, "image_raw", RELIABLE)
    node = camera(plug.open, retry=True)
    wait_until(lambda: node._attempts >= 1, "an attempt")
    plug.plugged = True
    images.wait_for(len, "an image")


def test_missing_file_ends_the_node_in_spite_of_retry(ros, camera):
    with pytest.raises(SourceError, match="no such file"):
        camera(source="nothing.mp4", retry=True)


def test_frame_rate_limits_a_webcam(ros, camera):
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(Plug().open, frame_rate=10.0)
    images.wait_for(lambda got: len(got) >= 6, "six images")
    gaps = np.diff([stamp_of(message) for message in images.messages])
    assert gaps.min() > 0.03 and gaps.mean() > 0.08


def test_parameters_answer_while_the_webcam_hangs(ros, camera):
    plug = Plug()
    images = ros.collect(Image, "image_raw", RELIABLE)
    camera(plug.open)
    images.wait_for(len, "an image")
    plug.hangs_not.clear()
    try:
        assert ros.set_parameter("camera", "frame_id", "other").successful
    finally:
        plug.hangs_not.set()
    images.wait_for(lambda got: got[-1].header.frame_id == "other", "the new frame_id")


def test_close_releases_the_webcam_and_may_be_called_twice(ros, camera):
    plug = Plug()
    node = camera(plug.open)
    node.close()
    node.close()
    assert plug.opened[0].closed


# ---- messages ----


STAMP = Time(sec=12, nanosec=34)


@pytest.mark.parametrize("shape", [(48, 64, 3), (47, 63, 3), (48, 64), (1, 1)])
def test_image_message_comes_back_with_rosbags_image(shape):
    rosbags_image = pytest.importorskip("rosbags.image")
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    message = to_image_message(image, STAMP, "camera")
    assert np.array_equal(rosbags_image.image_to_cvimage(message), image)
    assert message.encoding == ("bgr8" if len(shape) == 3 else "mono8")
    assert message.step * message.height == len(message.data) == image.size
    assert (message.header.stamp, message.header.frame_id) == (STAMP, "camera")


def test_cut_out_of_a_larger_image_is_sent_whole():
    image = np.random.default_rng(2).integers(0, 256, (48, 64, 3), np.uint8)
    message = to_image_message(image[5:20, 7:30, ::-1], STAMP, "")
    got = np.frombuffer(message.data, np.uint8).reshape(15, 23, 3)
    assert np.array_equal(got, image[5:20, 7:30, ::-1])


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64)])
def test_jpeg_message_comes_back_nearly_the_same(shape):
    rosbags_image = pytest.importorskip("rosbags.image")
    image = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, shape, np.uint8), (9, 9), 5)
    message = to_jpeg_message(image, STAMP, "camera", quality=95)
    got = rosbags_image.compressed_image_to_cvimage(message)
    assert got.shape == image.shape
    assert np.abs(got.astype(int) - image).mean() < 4
    encoding, kind = message.format.split("; ")
    assert encoding == ("bgr8" if len(shape) == 3 else "mono8") and kind.startswith("jpeg")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_array_that_is_no_image_is_refused(image):
    for convert in (to_image_message, to_jpeg_message):
        with pytest.raises(ValueError, match="an image is"):
            convert(image, STAMP, "camera")


def test_image_too_large_for_jpeg_is_refused():
    with pytest.raises(ValueError, match="cannot be written as JPEG"):
        to_jpeg_message(np.zeros((1, 70000), np.uint8), STAMP, "camera")
