"""Faults of cameras and of the time they stamp: sizes, encodings, rates and stamps."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from fault_scene import SMILE, Bag, Feed, Outcome, Scene
from node_processes import until


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


def rate_changes(scene: Scene) -> Outcome:
    names = ("images received", "images dropped")

    def counts() -> list[int]:
        """Return how many images came and were dropped, once all that are under way are there."""
        scene.status("recognizer: input", lambda s: True, "the counts")
        scene.status("recognizer: input", lambda s: True, "the counts")
        values = scene.values("recognizer: input")
        return [int(values[name]) for name in names]

    with Feed(scene.watcher, scene.image) as feed:
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


def image_changes(scene: Scene) -> Outcome:
    grey = cv2.cvtColor(scene.image, cv2.COLOR_BGR2GRAY)
    kinds = [(scene.image, ""), (cv2.resize(grey, (320, 240)), "mono8"),
             (cv2.resize(scene.image, (1280, 960)), "rgb8"),
             (np.ascontiguousarray(scene.image[:, :400]), "bgr8"), (grey, "32FC1"),
             (scene.image, "bgr8")]  # fmt: skip
    slowest, refused = 0.0, 0
    with Feed(scene.watcher, scene.image) as feed:
        scene.labels()
        for image, encoding in kinds:
            feed.rate = 0.0
            sent = feed.sent
            feed.image, feed.encoding, feed.rate = image, encoding, 30.0
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
    with Feed(scene.watcher, scene.image) as feed:
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
    with Bag(scene.watcher, scene.image) as bag:
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


def size_changes(scene: Scene) -> Outcome:
    """The face is last seen where the next, smaller images have no pixels at all."""
    height, width = scene.image.shape[:2]
    large = np.full((2 * height, 2 * width, 3), 128, np.uint8)
    large[height:, width:] = scene.image
    small = cv2.resize(scene.image, (width // 2, height // 2))
    tiny = np.full((1, 1, 3), 128, np.uint8)
    slowest = 0.0
    with Feed(scene.watcher, large) as feed:
        scene.labels()
        begin, sent = time.monotonic(), feed.sent
        for image in (small, large, scene.image, large, small):
            feed.image = image
            slowest = max(slowest, scene.labels())
        missed = max(0, feed.sent - sent - scene.count(begin))
        sent = feed.sent - sent
        feed.image = tiny
        tinies = feed.sent
        until(lambda: feed.sent > tinies + 5, "images of one pixel")
        feed.image = small
        slowest = max(slowest, scene.labels())
        scene.shows(SMILE)
        scene.status("recognizer: recognition", lambda s: True, "the counts")
        failed = int(scene.values("recognizer: recognition")["frames failed"])
    return Outcome(
        f"a face in the lower right of {2 * width}x{2 * height}, then {width // 2}x{height // 2}, "
        "and back, four times, and 1x1: labels from each that can show a face",
        slowest,
        f"{missed} of {sent} labels, {failed} frames failed",
    )


def stamp_stands_still(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.image) as feed:
        scene.labels()
        feed.still = scene.watcher.get_clock().now().nanoseconds
        begin, sent = time.monotonic(), feed.sent
        scene.labels(30)
        missed = max(0, feed.sent - sent - scene.count(begin))
        sent = feed.sent - sent
        scene.shows(SMILE)
        neutral, last = scene.leaves(feed)
        back = scene.shows(SMILE)
        scene.status("recognizer: input", lambda s: "stand still" in s.message, "a warning")
        feed.still = None
        scene.status("recognizer: input", lambda s: "stand still" not in s.message, "no warning")
    return Outcome(
        "labels go on, and diagnostics warn that the time of arrival counts; when the face leaves, "
        f"the last label comes after {last:.1f} s and the robot is neutral after {neutral:.1f} s; "
        "it smiles again with the face",
        back,
        f"{missed} of {sent} labels",
    )


def no_clock(scene: Scene) -> Outcome:
    nodes = ("recognizer", "mirror")
    scene.restart(*nodes, use_sim_time=True)
    with Feed(scene.watcher, scene.image) as feed:
        feed.still = 0  # as a driver that uses the same clock would stamp
        scene.labels()
        scene.shows(SMILE)
        neutral, last = scene.leaves(feed)
        back = scene.shows(SMILE)
        for name in ("recognizer: input", "mirror: expressions"):
            scene.status(name, lambda s: "no /clock comes" in s.message, f"a warning of {name}")
        silence = scene.rate()
    scene.restart(*nodes)
    return Outcome(
        "images without stamps are read, the robot smiles, and both nodes' diagnostics say that no "
        f"/clock comes; when the face leaves, the last label comes after {last:.1f} s and the "
        f"robot is neutral after {neutral:.1f} s",
        back,
        f"nothing: {silence:.0f} labels/s",
    )


FAULTS: dict[str, tuple[str, Callable[[Scene], Outcome]]] = {
    "camera": ("camera killed and restarted", camera_killed),
    "rate": ("camera's rate 30, 0, 200 Hz", rate_changes),
    "picture": ("size and encoding change in mid-stream", image_changes),
    "size": ("size changes with the face outside of the new image", size_changes),
    "time": ("stamps go back in mid-stream", time_goes_back),
    "still": ("stamp stands still", stamp_stands_still),
    "bag": ("clock of a bag that loops, and is paused", bag_loops),
    "clock": ("use_sim_time without a clock", no_clock),
}
