"""What the faults of faults.py are played on: a camera, a bag in a loop, and the running nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from node_processes import Processes, Watcher, until

from expression_ros.nodes.common.image_messages import to_image_message

LABELS = 5  # in a row after a fault: normal again
SMILE = "smile"  # the virtual face's word for happiness


class Outcome(NamedTuple):
    """What is seen, seconds until normal, and what was lost."""

    seen: str
    seconds: float
    lost: str


class NotHere(Exception):
    """This machine does not allow the fault to be tried; says why."""


class Feed:
    """A camera of this process: any image, rate and stamp, changed while it runs.

    Attributes:
        image: (H, W, 3) or (H, W) uint8.
        encoding: what the message says; empty for bgr8 or mono8 by the image's shape.
        rate: frames per second; 0 for a camera that stands still.
        offset: seconds added to the stamps.
        still: the stamp of all images, in nanoseconds; None for those of the time.
        sent: how many images.
    """

    def __init__(self, watcher: Watcher, image: np.ndarray):
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import Image

        self.image, self.encoding, self.rate, self.offset = image, "", 30.0, 0.0
        self.still: int | None = None
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
            rate = self.rate  # once: it is changed from another thread
            if not rate:
                self._ends.wait(0.01)
                due = time.monotonic()
                continue
            self._publish(self._stamp())
            due = max(due + 1 / rate, time.monotonic() - 0.1)
            self._ends.wait(max(0.0, due - time.monotonic()))

    def _stamp(self) -> int:
        """Return the stamp of the next image in nanoseconds."""
        if self.still is not None:
            return self.still
        return self._watcher.get_clock().now().nanoseconds + round(1e9 * self.offset)

    def _publish(self, stamp: int) -> None:
        from rclpy.time import Time

        message = to_image_message(self.image, Time(nanoseconds=stamp).to_msg(), "camera")
        message.encoding = self.encoding or message.encoding
        self._publisher.publish(message)
        self.sent += 1


class Bag(Feed):
    """A bag played in a loop with its clock: time begins anew with each round.

    A face for the first half of a round, nobody for the second.

    Attributes:
        rounds: how often it began anew.
        paused: whether its time stands still, and no image comes.
        faces: how many images with a face were sent.
    """

    LENGTH_S = 8.0
    _BEGIN_S = 1_700_000_000.0
    _CLOCK_HZ = 100.0

    def __init__(self, watcher: Watcher, image: np.ndarray):
        from rosgraph_msgs.msg import Clock

        self.rounds, self.paused, self.faces = 0, False, 0
        self._position = 0.0  # s
        self._face, self._nobody = image, np.full_like(image, 128)
        self._clock = watcher.create_publisher(Clock, "/clock", 10)
        super().__init__(watcher, image)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._watcher.destroy_publisher(self._clock)

    def _send(self) -> None:
        from rclpy.time import Time
        from rosgraph_msgs.msg import Clock

        due = time.monotonic()
        next_image = 0.0
        while not self._ends.is_set():
            stamp = self._stamp()
            self._clock.publish(Clock(clock=Time(nanoseconds=stamp).to_msg()))
            if self._position >= next_image and not self.paused:
                seen = self._position < self.LENGTH_S / 2
                self.image = self._face if seen else self._nobody
                self._publish(stamp)
                self.faces += seen
                next_image += 1 / self.rate
            due = max(due + 1 / self._CLOCK_HZ, time.monotonic() - 0.1)
            self._ends.wait(max(0.0, due - time.monotonic()))
            if self.paused:
                continue
            self._position += 1 / self._CLOCK_HZ
            if self._position >= self.LENGTH_S:
                self._position = next_image = 0.0
                self.rounds += 1

    def _stamp(self) -> int:
        return round(1e9 * (self._BEGIN_S + self._position))


class Scene:
    """What a fault may use: the processes, what they publish, and a face that smiles."""

    def __init__(self, processes: Processes, watcher: Watcher, image: np.ndarray, folder: Path):
        self.processes = processes
        self.watcher = watcher
        self.image = image
        self.folder = folder

    def labels(self, count: int = LABELS, since: float | None = None) -> float:
        """Wait for so many labels from now (or since a time); return the seconds it took."""
        begin = time.monotonic() if since is None else since
        until(lambda: self.count(begin) >= count, f"{count} labels")
        return time.monotonic() - begin

    def count(self, since: float) -> int:
        """Return how many labels there were since a time."""
        return sum(at > since for at, _ in self.watcher.labels)

    def silence(self, since: float) -> float:
        """Return the longest time without a label since shortly before a time, in seconds."""
        times = [at for at, _ in self.watcher.labels if at > since - 1.0] or [since]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def shows(self, expression: str) -> float:
        """Wait until the robot shows an expression; return the seconds that took."""
        return until(lambda: self.watcher.expression() == expression, f"expression {expression}")

    def leaves(self, feed: Feed) -> tuple[float, float]:
        """Let the face leave and wait for a neutral robot.

        Returns:
            Seconds until the robot was neutral, and until the last label.

        Raises:
            TimeoutError: the robot did not turn neutral, or labels came for a second or more.
        """
        face, begin = feed.image, time.monotonic()
        feed.image = np.full_like(face, 128)
        try:
            neutral = self.shows("neutral")
        finally:
            feed.image = face
        last = max((at - begin for at, _ in self.watcher.labels), default=0.0)
        if last > 1.0:
            raise TimeoutError(f"labels for {last:.1f} s after the face had left")
        return neutral, max(0.0, last)

    def status(self, name: str, condition: Callable[[Any], bool], what: str) -> float:
        """Wait for a diagnostic status; return the seconds that took."""
        begin = time.monotonic()
        statuses, received = self.watcher.statuses, self.watcher.received_at
        return until(lambda: received.get(name, 0) > begin and condition(statuses[name]), what)

    def values(self, name: str) -> dict[str, str]:
        return self.watcher.values[name]

    def rate(self, seconds: float = 3.0) -> float:
        """Return labels per second over the next ``seconds``."""
        time.sleep(seconds)  # a measurement, not a wait for something
        return self.watcher.rate(seconds)

    def camera(self) -> None:
        """Start the camera node on the smiling image."""
        path = self.folder / "face.png"
        cv2.imwrite(str(path), self.image)
        self.processes.start("camera", source=str(path), frame_rate=30.0)

    def restart(self, *nodes: str, **parameters: Any) -> None:
        """Stop nodes and start them again, with these parameters only."""
        for node in nodes:
            self.processes.stop(node)
            self.processes.start(node, **parameters)
