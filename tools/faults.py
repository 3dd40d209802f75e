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
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import fault_camera
import fault_surroundings
import numpy as np
from fault_scene import SMILE, Feed, NotHere, Outcome, Scene
from node_processes import REPOSITORY, Processes, Watcher, held_by, until

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
SIZE = (640, 480)


def recognizer_killed(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.image) as feed:
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
    with Feed(scene.watcher, scene.image) as feed:
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


_NEVER_READS = (
    "import rclpy, signal; from sensor_msgs.msg import Image; "
    "rclpy.init(); node = rclpy.create_node('never_reads'); "
    "node.create_subscription(Image, 'face_emotion/image', print, 1); signal.pause()"
)


def overlay_never_read(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.image):
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


FAULTS: dict[str, tuple[str, Callable[[Scene], Outcome]]] = {
    "recognizer": ("recognizer killed and restarted", recognizer_killed),
    "mirror": ("mirror killed and restarted", mirror_killed),
    **fault_camera.FAULTS,
    "overlay": ("overlay subscriber that never reads", overlay_never_read),
    **fault_surroundings.FAULTS,
}


def smiling_image(clip: str) -> np.ndarray:
    """Return a (480, 640, 3) uint8 frame of a clip in which happiness is read without a doubt.

    Raises:
        SystemExit: there is none, or no clip.
    """
    from expression_ros.session.recognizer import RecognizerSettings, make_recognizer

    recognizer = make_recognizer(RecognizerSettings.from_values({"min_confidence": 0.0}))
    best, score = None, 0.0
    for frame in itertools.islice(_frames(clip), 0, 600, 12):
        image = cv2.resize(frame, SIZE)
        for face in recognizer.read_still(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)).faces:
            if face.label == "happiness" and face.score > score:
                best, score = image, face.score
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
    from expression_ros.nodes.common.running import use_large_image_transport

    use_large_image_transport()
    image = smiling_image(clip)
    rows: list[Row] = []
    with Processes(folder / "nodes.log") as processes, Watcher() as watcher:
        scene = Scene(processes, watcher, image, folder)
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
