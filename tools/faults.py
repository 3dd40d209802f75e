"""Does to running nodes what happens to them in the field, and writes down what is seen.

Each fault runs on real processes: recognizer, mirror and, where it matters, the camera node. The
table of docs/reliability.md is written anew between its marks. Exits with 1 when a fault is not
survived.

Usage: python tools/faults.py [--clip FILE] [--document docs/reliability.md] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from node_processes import REPOSITORY, Processes, Watcher, held_by, until

from expression_ros.nodes.image_messages import to_image_message

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
LABELS = 5  # in a row after a fault: normal again
SIZE = (640, 480)
SMILE = "smile"  # the virtual face's word for happiness


class Feed:
    """A camera of this process: any picture, rate and stamp, changed while it runs.

    Attributes:
        picture: (H, W, 3) or (H, W) uint8.
        encoding: what the message says; empty for bgr8 or mono8 by the picture's shape.
        rate: frames per second; 0 for a camera that stands still.
        offset: seconds added to the stamps.
    """

    def __init__(self, watcher: Watcher, picture: np.ndarray):
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import Image

        self.picture, self.encoding, self.rate, self.offset = picture, "", 30.0, 0.0
        self.sent = 0
        self._watcher = watcher
        self._publisher = watcher.create_publisher(
            Image, "image_raw", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        )
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._watcher.destroy_publisher(self._publisher)

    def _send(self) -> None:
        due = time.monotonic()
        while not self._ends.is_set():
            if not self.rate:
                self._ends.wait(0.01)
                due = time.monotonic()
                continue
            self._publisher.publish(self._message())
            self.sent += 1
            due = max(due + 1 / self.rate, time.monotonic() - 0.1)
            self._ends.wait(max(0.0, due - time.monotonic()))

    def _message(self) -> Any:
        from rclpy.time import Time

        now = self._watcher.get_clock().now().nanoseconds + round(1e9 * self.offset)
        message = to_image_message(self.picture, Time(nanoseconds=now).to_msg(), "camera")
        message.encoding = self.encoding or message.encoding
        return message


class Scene:
    """What a fault may use: the processes, what they publish, and a face that smiles."""

    def __init__(self, processes: Processes, watcher: Watcher, picture: np.ndarray, folder: Path):
        self.processes = processes
        self.watcher = watcher
        self.picture = picture
        self.folder = folder

    def labels(self, count: int = LABELS, since: float | None = None) -> float:
        """Wait for so many labels from now (or since a time); return the seconds from now."""
        begin = time.monotonic() if since is None else since
        return until(
            lambda: sum(at > begin for at, _ in self.watcher.labels) >= count, f"{count} labels"
        )

    def shows(self, expression: str) -> float:
        """Wait until the robot shows an expression; return the seconds that took."""
        return until(lambda: self.watcher.expression() == expression, f"expression {expression}")

    def status(self, name: str, condition: Callable[[Any], bool], what: str) -> float:
        """Wait for a diagnostic status; return the seconds that took."""
        begin = time.monotonic()
        statuses, received = self.watcher.statuses, self.watcher.received_at
        return until(
            lambda: received.get(name, 0) > begin and condition(statuses[name]), what
        )

    def values(self, name: str) -> dict[str, str]:
        return self.watcher.values[name]

    def rate(self, seconds: float = 3.0) -> float:
        """Return labels per second over the next ``seconds``."""
        time.sleep(seconds)  # a measurement, not a wait for something
        return self.watcher.rate(seconds)

    def camera(self) -> None:
        """Start the camera node on the smiling picture."""
        path = self.folder / "face.png"
        cv2.imwrite(str(path), self.picture)
        self.processes.start("camera", source=str(path), frame_rate=30.0)


Outcome = tuple[str, float]  # what was seen; seconds until normal


def camera_killed(scene: Scene) -> Outcome:
    scene.camera()
    scene.labels()
    scene.shows(SMILE)
    scene.processes.kill("camera")
    neutral = scene.shows("neutral")
    warned = scene.status("recognizer: input", lambda s: "no image on" in s.message, "a warning")
    scene.camera()
    back = scene.labels()
    scene.processes.stop("camera")
    warned += neutral
    return (f"robot neutral after {neutral:.1f} s, diagnostics warn after {warned:.1f} s; labels "
            "again when it is restarted"), back  # fmt: skip


def recognizer_killed(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.picture):
        scene.labels()
        scene.shows(SMILE)
        before = len(scene.watcher.labels)
        until(lambda: len(scene.watcher.labels) > before, "a frame")  # the next one is at work now
        scene.processes.kill("recognizer")
        neutral = scene.shows("neutral")
        scene.processes.start("recognizer")
        back = scene.labels() + scene.shows(SMILE)
    return f"SIGKILL in mid-frame; robot neutral after {neutral:.1f} s, then happy again", back


def mirror_killed(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.picture):
        scene.labels()
        scene.shows(SMILE)
        scene.processes.kill("mirror")
        scene.labels()
        scene.watcher.expressions.clear()
        scene.processes.start("mirror")
        back = scene.shows(SMILE)
    return "the recognizer goes on; the new mirror shows the expression again", back


def rate_changes(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        usual = scene.rate()
        feed.rate = 0.0
        silent = "no image on"
        warned = scene.status("recognizer: input", lambda s: silent in s.message, "a warning")
        begin = time.monotonic()
        feed.rate = 200.0
        back = scene.labels(since=begin)
        flooded = scene.rate()
        # Let the median's window of 100 frames be of the flood alone.
        scene.labels(120)
        scene.status("recognizer: recognition", lambda s: True, "the latency")
        latency = scene.values("recognizer: recognition")["latency median (ms)"]
        dropped = scene.values("recognizer: input")["images dropped"]
    return (f"at 0 Hz diagnostics warn after {warned:.1f} s; {usual:.0f} labels/s at 30 Hz, "
            f"{flooded:.0f} at 200 Hz with a median latency of {latency} ms, {dropped} images "
            "dropped and counted"), back  # fmt: skip


def picture_changes(scene: Scene) -> Outcome:
    grey = cv2.cvtColor(scene.picture, cv2.COLOR_BGR2GRAY)
    kinds = [(scene.picture, ""), (cv2.resize(grey, (320, 240)), "mono8"),
             (cv2.resize(scene.picture, (1280, 960)), "rgb8"),
             (np.ascontiguousarray(scene.picture[:, :400]), "bgr8"), (grey, "32FC1"),
             (scene.picture, "bgr8")]  # fmt: skip
    slowest, refused = 0.0, 0
    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        for picture, encoding in kinds:
            feed.rate = 0.0
            sent = feed.sent
            feed.picture, feed.encoding, feed.rate = picture, encoding, 30.0
            until(lambda sent=sent, feed=feed: feed.sent > sent + 1, "a frame of the new kind")
            if encoding == "32FC1":
                scene.status("recognizer: input", lambda s: "not supported" in s.message, "refusal")
                refused = int(scene.values("recognizer: input").get("refused: encoding", 0))
                continue
            slowest = max(slowest, scene.labels())
    return (f"640x480 bgr8, 320x240 mono8, 1280x960 rgb8, 400x480 bgr8, 32FC1 ({refused} refused "
            "and counted), 640x480 again: labels from each that can be read"), slowest  # fmt: skip


def time_goes_back(scene: Scene) -> Outcome:
    slowest = 0.0
    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        for offset in (-60.0, 0.0, -3600.0):
            feed.offset = offset
            slowest = max(slowest, scene.labels())
            scene.shows(SMILE)
        failed = scene.values("recognizer: recognition")["frames failed"]
    return f"stamps jump by 60 s and an hour, back and forth; {failed} frames failed", slowest


_NEVER_READS = (
    "import rclpy, signal; from sensor_msgs.msg import Image; "
    "rclpy.init(); node = rclpy.create_node('never_reads'); "
    "node.create_subscription(Image, 'face_emotion/image', print, 1); signal.pause()"
)


def overlay_never_read(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.picture):
        scene.labels()
        usual = scene.rate()
        pid = scene.processes.running["recognizer"].pid
        before = held_by(pid).memory
        reader = scene.processes.run("reader", [sys.executable, "-c", _NEVER_READS])
        until(lambda: scene.watcher.count_subscribers("/face_emotion/image") == 1, "the reader")
        scene.labels()
        spinning = scene.rate()
        reader.send_signal(signal.SIGSTOP)  # not even its middleware reads any more
        stopped = scene.rate(6.0)
        grown = held_by(pid).memory - before
        scene.processes.kill("reader")
        back = scene.labels()
    if min(spinning, stopped) < usual / 2 or grown > 100:
        raise TimeoutError(f"{usual:.0f}, {spinning:.0f}, {stopped:.0f} labels/s, {grown:+.0f} MB")
    return (f"{usual:.0f} labels/s without it, {spinning:.0f} with it, {stopped:.0f} when its "
            f"whole process stands still; memory {grown:+.0f} MB"), back  # fmt: skip


def home_read_only(scene: Scene) -> Outcome:
    scene.processes.stop("recognizer")
    scene.processes.stop("mirror")
    begin = time.monotonic()
    # /proc cannot be written to, not even by root, on whom permissions make no impression.
    environment = {"HOME": "/proc", "ROS_LOG_DIR": "", "ROS_HOME": ""}
    with Feed(scene.watcher, scene.picture):
        for node in ("recognizer", "mirror"):
            scene.processes.start(node, environment)
        back = scene.labels(since=begin) + scene.shows(SMILE)
    for node in ("recognizer", "mirror"):
        scene.processes.stop(node)
        scene.processes.start(node)
    return "both nodes start and answer, without log files", back


def model_replaced(scene: Scene) -> Outcome:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    def change(*numbers: int) -> bool:
        done = True
        for number in numbers:
            request = ChangeState.Request()
            request.transition.id = number
            done = scene.watcher.call(ChangeState, "/recognizer/change_state", request).success
        return done

    copy = scene.folder / "models"
    shutil.copytree(REPOSITORY / "models", copy, dirs_exist_ok=True)
    scene.processes.stop("recognizer")
    scene.processes.start("recognizer", model=str(copy / "fisherfaces"))
    with Feed(scene.watcher, scene.picture):
        scene.labels()
        victim = next((copy / "fisherfaces").glob("*.xml.gz"))
        good = victim.read_bytes()
        victim.write_bytes(good[: len(good) // 2])
        scene.labels()
        refused = not change(
            Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
            Transition.TRANSITION_CONFIGURE,
        )  # fmt: skip
        scene.status("recognizer: model", lambda s: victim.name in s.message, "the file's name")
        victim.write_bytes(good)
        begin = time.monotonic()
        change(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
        back = scene.labels(since=begin)
    scene.processes.stop("recognizer")
    scene.processes.start("recognizer")
    if not refused:
        raise TimeoutError("the damaged model was loaded")
    return ("goes on with the loaded model; the next configure refuses the file by its name and "
            "SHA-256, and takes the restored one"), back  # fmt: skip


FAULTS: dict[str, tuple[str, Callable[[Scene], Outcome]]] = {
    "camera": ("camera killed and restarted", camera_killed),
    "recognizer": ("recognizer killed and restarted", recognizer_killed),
    "mirror": ("mirror killed and restarted", mirror_killed),
    "rate": ("camera's rate 30, 0, 200 Hz", rate_changes),
    "picture": ("size and encoding change in mid-stream", picture_changes),
    "time": ("time goes back (a looping bag)", time_goes_back),
    "overlay": ("overlay subscriber that never reads", overlay_never_read),
    "home": ("read-only home", home_read_only),
    "model": ("model file replaced while running", model_replaced),
}


def smiling_picture(clip: str) -> np.ndarray:
    """Return a (480, 640, 3) uint8 frame of a clip in which happiness is read without a doubt.

    Raises:
        SystemExit: there is none, or no clip.
    """
    from expression_ros.recognition.detection import FaceDetector
    from expression_ros.recognition.models import load_classifier
    from expression_ros.recognition.pipeline import ExpressionRecognizer

    recognizer = ExpressionRecognizer(FaceDetector(), load_classifier("fisherfaces"))
    best, score = None, 0.0
    for frame in itertools.islice(_frames(clip), 0, 600, 12):
        picture = cv2.resize(frame, SIZE)
        for face in recognizer.read_still(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)).faces:
            if face.label == "happiness" and face.score > score:
                best, score = picture, face.score
        if score > 0.95:
            break
    if best is None:
        raise SystemExit(f"nobody smiles in {clip}: python tools/fetch_clips.py .cache/clips")
    return best


def _frames(clip: str) -> Iterator[np.ndarray]:
    video = cv2.VideoCapture(clip)
    while True:
        good, frame = video.read()
        if not good:
            return
        yield frame


def run(names: list[str], clip: str, folder: Path) -> list[tuple[str, str, str]]:
    """Run faults one after the other; return title, what is seen and time of each."""
    from expression_ros.nodes.running import use_large_image_transport

    use_large_image_transport()
    picture = smiling_picture(clip)
    rows = []
    with Processes(folder / "nodes.log") as processes, Watcher() as watcher:
        scene = Scene(processes, watcher, picture, folder)
        for name in names:
            for node in ("recognizer", "mirror"):
                if node not in processes.running:
                    processes.start(node)
            title, fault = FAULTS[name]
            try:
                seen, seconds = fault(scene)
                if dead := processes.dead():
                    raise TimeoutError(f"{', '.join(dead)} died")
                rows.append((title, seen, f"{seconds:.1f} s"))
            except TimeoutError as error:
                rows.append((title, f"**not survived:** {error}", "never"))
                for node in list(processes.running):
                    processes.kill(node)
            print(" | ".join(rows[-1]), flush=True)
    return rows


def with_table(text: str, rows: list[tuple[str, str, str]]) -> str:
    """Return the document's text with the table between its marks written anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    lines = ["| fault | what is seen | until normal |", "|---|---|---|"]
    lines += [f"| {title} | {seen} | {seconds} |" for title, seen, seconds in rows]
    return before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after


def main(arguments: list[str] | None = None) -> int:
    """Run the faults; return 0 when all are survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", default=str(REPOSITORY / ".cache/clips/single_face.mp4"))
    parser.add_argument("--document", type=Path, default=REPOSITORY / "docs/reliability.md")
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), help="leaves the document alone")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        os.environ["ROS_LOG_DIR"] = name
        rows = run(options.only or list(FAULTS), options.clip, Path(name))
        failed = any(seconds == "never" for *_, seconds in rows)
        if failed:
            print((Path(name) / "nodes.log").read_text(errors="replace")[-3000:], file=sys.stderr)
    if not options.only:
        text = options.document.read_text(encoding="utf-8")
        options.document.write_text(with_table(text, rows), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
