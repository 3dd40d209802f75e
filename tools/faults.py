"""Does to running nodes what happens to them in the field, and writes down what is seen.

Each fault runs on real processes: recognizer, mirror and, where it matters, the camera node. The
table of docs/reliability.md is written anew between its marks: what is seen, how long until normal,
what was lost. Exits with 1 when a fault is not survived.

Usage: python tools/faults.py [--clip FILE] [--document docs/reliability.md] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from fault_scene import Bag, Feed, Scene
from node_processes import REPOSITORY, Processes, Watcher, held_by, until

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
SIZE = (640, 480)
SMILE = "smile"  # the virtual face's word for happiness


class Outcome(NamedTuple):
    """What is seen, seconds until normal, and what was lost."""

    seen: str
    seconds: float
    lost: str


class NotHere(Exception):
    """This machine does not allow the fault to be tried; says why."""


def camera_killed(scene: Scene) -> Outcome:
    scene.camera()
    scene.labels()
    scene.shows(SMILE)
    killed = time.monotonic()
    scene.processes.kill("camera")
    neutral = scene.shows("neutral")
    scene.status("recognizer: input", lambda s: "no image on" in s.message, "a warning")
    warned = time.monotonic() - killed
    scene.camera()
    back = scene.labels()
    silence = scene.silence(killed)
    scene.processes.stop("camera")
    return Outcome(
        f"robot neutral after {neutral:.1f} s, diagnostics warn after {warned:.1f} s; labels again "
        "when it is restarted",
        back,
        f"labels for {silence:.1f} s, until it was there again",
    )


def recognizer_killed(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        scene.shows(SMILE)
        before = len(scene.watcher.labels)
        until(lambda: len(scene.watcher.labels) > before, "a frame")  # the next one is at work now
        killed, sent = time.monotonic(), feed.sent
        scene.processes.kill("recognizer")
        neutral = scene.shows("neutral")
        scene.processes.start("recognizer")
        back = scene.labels() + scene.shows(SMILE)
        missed = feed.sent - sent - scene.count(killed)
        silence = scene.silence(killed)
    return Outcome(
        f"SIGKILL in mid-frame; robot neutral after {neutral:.1f} s, then happy again",
        back,
        f"the frame at work, and labels for {silence:.1f} s ({missed} images)",
    )


def mirror_killed(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        scene.shows(SMILE)
        killed, sent = time.monotonic(), feed.sent
        scene.processes.kill("mirror")
        scene.labels()
        scene.watcher.expressions.clear()
        away = time.monotonic()
        scene.processes.start("mirror")
        back = scene.shows(SMILE)
        unanswered = time.monotonic() - killed
        missed = max(0, feed.sent - sent - scene.count(killed))
    if away - killed > 5.0:
        raise TimeoutError("the recognizer did not go on at once")
    return Outcome(
        "the recognizer goes on; the robot keeps its last expression until the new mirror shows "
        "the present one",
        back,
        f"answers for {unanswered:.1f} s; {missed} of {feed.sent - sent} labels",
    )


def rate_changes(scene: Scene) -> Outcome:
    names = ("images received", "images dropped")

    def counts() -> list[int]:
        """Return how many images came and were dropped, once all that are under way are there."""
        scene.status("recognizer: input", lambda s: True, "the counts")
        scene.status("recognizer: input", lambda s: True, "the counts")
        values = scene.values("recognizer: input")
        return [int(values[name]) for name in names]

    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        usual = scene.rate()
        feed.rate = 0.0
        silent = "no image on"
        warned = scene.status("recognizer: input", lambda s: silent in s.message, "a warning")
        before, sent = counts(), feed.sent
        begin = time.monotonic()
        feed.rate = 200.0
        back = scene.labels(since=begin)
        flooded = scene.rate()
        # Let the median's window of 100 frames be of the flood alone.
        scene.labels(120)
        scene.status("recognizer: recognition", lambda s: True, "the latency")
        latency = scene.values("recognizer: recognition")["latency median (ms)"]
        seconds, feed.rate = time.monotonic() - begin, 0.0
        sent = feed.sent - sent
        received, dropped = (now - then for now, then in zip(counts(), before, strict=True))
    return Outcome(
        f"at 0 Hz diagnostics warn after {warned:.1f} s; {usual:.0f} labels/s at 30 Hz, "
        f"{flooded:.0f} at 200 Hz ({sent / seconds:.0f} sent a second) with a median latency of "
        f"{latency} ms",
        back,
        f"of {sent} images {dropped} that newer ones replaced, counted, and "
        f"{max(0, sent - received)} on the way",
    )


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
                continue
            slowest = max(slowest, scene.labels())
        scene.status("recognizer: input", lambda s: True, "the count")
        refused = int(scene.values("recognizer: input").get("refused: encoding", 0))
    return Outcome(
        "640x480 bgr8, 320x240 mono8, 1280x960 rgb8, 400x480 bgr8, 32FC1 (a warning that names "
        "it), 640x480 again: labels from each that can be read",
        slowest,
        f"the {refused} images of 32FC1, refused and counted",
    )


def time_goes_back(scene: Scene) -> Outcome:
    slowest = 0.0
    with Feed(scene.watcher, scene.picture) as feed:
        scene.labels()
        begin, sent = time.monotonic(), feed.sent
        for offset in (-60.0, 0.0, -3600.0):
            feed.offset = offset
            slowest = max(slowest, scene.labels())
            scene.shows(SMILE)
        missed, sent = max(0, feed.sent - sent - scene.count(begin)), feed.sent - sent
        failed = int(scene.values("recognizer: recognition")["frames failed"])
    return Outcome(
        "stamps jump by 60 s and an hour, back and forth: labels go on",
        slowest,
        f"{missed} of {sent} labels, {failed} frames failed",
    )


def bag_loops(scene: Scene) -> Outcome:
    nodes = ("recognizer", "mirror")
    scene.restart(*nodes, use_sim_time=True)
    slowest = 0.0
    with Bag(scene.watcher, scene.picture) as bag:
        scene.shows(SMILE)
        scene.shows("neutral")
        rounds = bag.rounds
        until(lambda: bag.rounds > rounds, "the next round")
        begin, faces = time.monotonic(), bag.faces
        for _ in range(3):
            slowest = max(slowest, scene.shows(SMILE))
            scene.shows("neutral")
            rounds = bag.rounds
            until(lambda rounds=rounds: bag.rounds > rounds, "the next round")
        faces, labels = bag.faces - faces, scene.count(begin)
        bag.paused = True
        warned = scene.status("recognizer: input", lambda s: "no image on" in s.message, "warning")
        bag.paused = False
        scene.shows(SMILE)
        failed = int(scene.values("recognizer: recognition")["frames failed"])
    scene.restart(*nodes)
    return Outcome(
        f"both nodes with use_sim_time; time goes back by {bag.LENGTH_S:.0f} s three times: the "
        "robot smiles and turns neutral in every round; with the bag paused, time stands still and "
        f"diagnostics warn after {warned:.1f} s",
        slowest,
        f"{max(0, faces - labels)} of {faces} labels, {failed} frames failed",
    )


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
    slowest = min(spinning, stopped)
    if slowest < usual / 2 or grown > 100:
        raise TimeoutError(f"{usual:.0f}, {spinning:.0f}, {stopped:.0f} labels/s, {grown:+.0f} MB")
    return Outcome(
        f"{usual:.0f} labels/s without it, {spinning:.0f} with it, {stopped:.0f} when its whole "
        f"process stands still; memory {grown:+.0f} MB",
        back,
        f"{max(0.0, usual - slowest):.0f} labels a second at worst",
    )


def _started_with(scene: Scene, start: Callable[[str], object]) -> float:
    """Start recognizer and mirror in another way, see them work, and start them as usual again."""
    nodes = ("recognizer", "mirror")
    for node in nodes:
        scene.processes.stop(node)
    begin = time.monotonic()
    with Feed(scene.watcher, scene.picture):
        for node in nodes:
            start(node)
        scene.labels(since=begin)
        scene.shows(SMILE)
        back = time.monotonic() - begin
        if dead := scene.processes.dead():
            raise TimeoutError(f"{', '.join(dead)} died")
    scene.restart(*nodes)
    return back


def home_read_only(scene: Scene) -> Outcome:
    # /proc cannot be written to, not even by root, on whom permissions make no impression.
    environment = {"HOME": "/proc", "ROS_LOG_DIR": "", "ROS_HOME": ""}
    back = _started_with(scene, lambda node: scene.processes.start(node, environment))
    return Outcome("both nodes say so, start and answer", back, "log files")


_ON_FULL_DISK = (
    'mount -t tmpfs -o size=64k tmpfs "$1" && { cat /dev/zero > "$1/full" 2>/dev/null; '
    'cd "$1"; shift; exec "$@"; }'
)


def disk_full(scene: Scene) -> Outcome:
    disk = scene.folder / "disk"
    disk.mkdir(exist_ok=True)
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", _ON_FULL_DISK, "sh", str(disk)]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        raise NotHere("this machine lets nobody mount a small disk of his own") from None
    environment = {"HOME": str(disk), "ROS_LOG_DIR": "", "ROS_HOME": "", "TMPDIR": str(disk),
                   "PYTHONPATH": str(REPOSITORY)}  # fmt: skip

    def start(node: str) -> None:
        command = [*inside, sys.executable, "-m", f"expression_ros.nodes.{node}"]
        scene.processes.run(node, command, environment)

    back = _started_with(scene, start)
    return Outcome("home and temporary files on a full disk: both nodes start and answer", back,
                   "what the log files would have said")  # fmt: skip


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
    scene.restart("recognizer", model=str(copy / "fisherfaces"))
    with Feed(scene.watcher, scene.picture):
        scene.labels()
        victim = next((copy / "fisherfaces").glob("*.xml.gz"))
        good = victim.read_bytes()
        victim.write_bytes(good[: len(good) // 2])
        scene.labels(30)
        stopped = time.monotonic()
        refused = not change(
            Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
            Transition.TRANSITION_CONFIGURE,
        )  # fmt: skip
        scene.status("recognizer: model", lambda s: victim.name in s.message, "the file's name")
        victim.write_bytes(good)
        begin = time.monotonic()
        change(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
        back = scene.labels(since=begin)
        silence = scene.silence(stopped)
    scene.restart("recognizer")
    if not refused:
        raise TimeoutError("the damaged model was loaded")
    return Outcome(
        "goes on with the loaded model; the next configure refuses the file by its name and "
        "SHA-256, and takes the restored one",
        back,
        f"nothing while it runs; labels for {silence:.1f} s, from deactivate until activate",
    )


FAULTS: dict[str, tuple[str, Callable[[Scene], Outcome]]] = {
    "camera": ("camera killed and restarted", camera_killed),
    "recognizer": ("recognizer killed and restarted", recognizer_killed),
    "mirror": ("mirror killed and restarted", mirror_killed),
    "rate": ("camera's rate 30, 0, 200 Hz", rate_changes),
    "picture": ("size and encoding change in mid-stream", picture_changes),
    "time": ("stamps go back in mid-stream", time_goes_back),
    "bag": ("clock of a bag that loops, and is paused", bag_loops),
    "overlay": ("overlay subscriber that never reads", overlay_never_read),
    "home": ("read-only home", home_read_only),
    "disk": ("disk full", disk_full),
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


Row = tuple[str, str, str, str]


def run(names: list[str], clip: str, folder: Path) -> list[Row]:
    """Run faults one after the other; return title, what is seen, time and loss of each."""
    from expression_ros.nodes.running import use_large_image_transport

    use_large_image_transport()
    picture = smiling_picture(clip)
    rows: list[Row] = []
    with Processes(folder / "nodes.log") as processes, Watcher() as watcher:
        scene = Scene(processes, watcher, picture, folder)
        for name in names:
            for node in ("recognizer", "mirror"):
                if node not in processes.running:
                    processes.start(node)
            title, fault = FAULTS[name]
            try:
                seen, seconds, lost = fault(scene)
                if dead := processes.dead():
                    raise TimeoutError(f"{', '.join(dead)} died")
                rows.append((title, seen, f"{seconds:.1f} s", lost))
            except NotHere as reason:
                rows.append((title, f"not tried: {reason}", "", ""))
            except TimeoutError as error:
                rows.append((title, f"**not survived:** {error}", "never", ""))
                for node in list(processes.running):
                    processes.kill(node)
            print(" | ".join(rows[-1]), flush=True)
    return rows


def with_table(text: str, rows: list[Row]) -> str:
    """Return the document's text with the table between its marks written anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    lines = ["| fault | what is seen | until normal | what was lost |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
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
        failed = any(seconds == "never" for _, _, seconds, _ in rows)
        if failed:
            print((Path(name) / "nodes.log").read_text(errors="replace")[-3000:], file=sys.stderr)
    if not options.only:
        text = options.document.read_text(encoding="utf-8")
        options.document.write_text(with_table(text, rows), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
