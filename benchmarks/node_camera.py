"""A camera over real DDS that knows when each of its images was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from node_process import RecognizerProcess
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.nodes.common.publishing import publish

try:
    from vision_msgs.msg import Detection2DArray
except ImportError:
    Detection2DArray = None

_PATIENCE_S = 60.0
_QUIET_S = 0.5  # without a label: nothing is under way any more
_SAMPLE_EVERY = 100  # frames between two looks at the memory
_RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_COUNTERS = ("images received", "images dropped", "images refused", "frames processed")


@dataclass
class Run:
    """What was seen while images were sent.

    Attributes:
        sent_ns: stamp of each image.
        labels_ns: arrival of each label, time.time_ns().
        answered_ns: stamp of the image that each label answers, where that is known.
        memory_mb: of the recognizer, every 100 images; see RecognizerProcess.memory_mb.
        counters: of the recognizer's diagnostics, over this run.
        cpu_s: processor time of the recognizer.
        seconds: from the first image to the last.
        threads: of the recognizer at the end.
    """

    sent_ns: list[int] = field(default_factory=list)
    labels_ns: list[int] = field(default_factory=list)
    answered_ns: list[int] | None = None
    memory_mb: list[dict[str, float]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    seconds: float = 0.0
    threads: int = 0

    def latencies_ms(self) -> np.ndarray:
        """Return from each image's stamp to the arrival of its label.

        Where it is not known which image a label answers, it counts from the newest image sent
        before: right as long as the recognizer answers within a period, too little otherwise.
        """
        arrived = np.array(self.labels_ns)
        if self.answered_ns is not None:
            return 1e-6 * (arrived - np.array(self.answered_ns))
        sent = np.array(self.sent_ns)
        return 1e-6 * (arrived - sent[np.maximum(np.searchsorted(sent, arrived) - 1, 0)])


class Camera:
    """Sends images at a rate and notes when labels arrive. Use it as a context manager."""

    def __init__(self) -> None:
        self._context = rclpy.context.Context()
        self._labels_ns: list[int] = []
        self._seen_ns: list[int] = []  # stamps of the images in which somebody was detected
        self._counters: tuple[int, dict[str, int]] = (0, {})

    def __enter__(self) -> Camera:
        self._context.init()
        self._node = rclpy.create_node("benchmark_camera", context=self._context)
        self._images = self._node.create_publisher(Image, "image_raw", _RELIABLE)
        self._node.create_subscription(String, "face_emotion", self._take_label, 1000)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)
        if Detection2DArray is not None:
            self._node.create_subscription(
                Detection2DArray, "face_emotion/detections", self._take_detections, 1000
            )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._thread.join(5)
        self._node.destroy_node()
        self._context.try_shutdown()

    def until_first_label(self, messages: Sequence[Image], process: RecognizerProcess) -> float:
        """Send images at 30 Hz until a label comes; return s since the process was started."""
        self._labels_ns.clear()
        end = time.monotonic() + _PATIENCE_S
        while not self._labels_ns:
            process.check()
            if time.monotonic() > end:
                raise RuntimeError(f"no label from the recognizer for {_PATIENCE_S:.0f} s")
            for message in messages[:8]:
                publish(self._node, self._images, self._stamped(message))
                time.sleep(1 / 30)
        return 1e-9 * (self._labels_ns[0] - process.started_ns)

    def send(
        self, messages: Sequence[Image], rate: float, count: int, process: RecognizerProcess
    ) -> Run:
        """Send ``count`` images at ``rate`` Hz, the messages over and over."""
        run = Run()
        before = self._counters_after(time.time_ns())
        self._labels_ns, self._seen_ns = [], []
        cpu, begin = process.cpu_s(), time.monotonic()
        for number in range(count):
            rest = begin + number / rate - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            message = self._stamped(messages[number % len(messages)])
            if publish(self._node, self._images, message):
                run.sent_ns.append(_nanoseconds(message.header.stamp))
            if number % _SAMPLE_EVERY == 0:
                run.memory_mb.append(process.memory_mb())
        run.seconds = time.monotonic() - begin
        run.cpu_s = process.cpu_s() - cpu
        run.memory_mb.append(process.memory_mb())
        run.threads = process.threads()
        self._await_quiet()
        process.check()
        run.labels_ns = list(self._labels_ns)
        if len(self._seen_ns) == len(run.labels_ns):
            run.answered_ns = list(self._seen_ns)
        after = self._counters_after(time.time_ns())
        run.counters = {name: after[name] - before[name] for name in _COUNTERS}
        return run

    def _await_quiet(self) -> None:
        count = -1
        while count != len(self._labels_ns):
            count = len(self._labels_ns)
            time.sleep(_QUIET_S)

    def _counters_after(self, moment_ns: int) -> dict[str, int]:
        """Return the recognizer's counters as it told them after a moment."""
        end = time.monotonic() + _PATIENCE_S
        while self._counters[0] < moment_ns:
            if time.monotonic() > end:
                raise RuntimeError("the recognizer's diagnostics do not come")
            time.sleep(0.02)
        return self._counters[1]

    def _stamped(self, message: Image) -> Image:
        message.header.stamp = self._node.get_clock().now().to_msg()
        return message

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _take_label(self, _: String) -> None:
        self._labels_ns.append(time.time_ns())

    def _take_detections(self, message: Any) -> None:
        if message.detections:
            self._seen_ns.append(_nanoseconds(message.header.stamp))

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        values = {pair.key: pair.value for status in message.status for pair in status.values}
        if all(name in values for name in _COUNTERS):
            stamp_ns = _nanoseconds(message.header.stamp)
            self._counters = (stamp_ns, {name: int(values[name]) for name in _COUNTERS})


def _nanoseconds(stamp: Any) -> int:
    return 1_000_000_000 * stamp.sec + stamp.nanosec
