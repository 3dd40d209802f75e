"""The camera node: frames of a webcam, video, folder or image on ``image_raw``.

One thread takes the frames and publishes them, so that a grab that blocks keeps no parameter
service waiting; the executor sees to parameters, to /diagnostics and to the node's own end.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from expression_ros.frames.opening import is_webcam, open_source
from expression_ros.frames.playback import Playback, RateLimit
from expression_ros.frames.sources import Frame, FrameSource, SourceError
from expression_ros.nodes.common.clock_watch import steady_clock
from expression_ros.nodes.common.diagnostics import ERROR, OK, WARN, Rate, publish_statuses, status
from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.common.publishing import publish
from expression_ros.nodes.common.running import NodeFinished, run_node
from expression_ros.parameters.nodes import CAMERA_PARAMETERS

REOPEN_PERIOD_S = 1.0
_POLL_S = 0.02
_SETTLE_S = 0.2  # between knowing of a subscription and its knowing of us
_ACKNOWLEDGE_S = 2.0  # how long reliable subscriptions may take for the first and the last frame
# A frame of a slow webcam takes 0.2 s. One that is unplugged in mid-grab hangs for 10 s: the end of
# the process frees it, too, and that is to come within a second.
_JOIN_S = 0.6
_SLOW_SHARE = 0.8  # of the wanted rate; below it the diagnostics warn


class Camera(Node):
    """Publishes the frames of one source.

    Args:
        open_frames: how the source is opened, with the arguments and errors of open_source; tests
            put cameras here that can be unplugged.
        node_arguments: context, namespace, parameter_overrides and so on, as for rclpy's Node.

    Raises:
        ParameterError: a parameter was given that cannot be used.
    """

    def __init__(
        self, *, open_frames: Callable[..., FrameSource] = open_source, **node_arguments: Any
    ):
        super().__init__("camera", **node_arguments)
        self._open_frames = open_frames
        self._values = NodeParameters(self, CAMERA_PARAMETERS)
        self._values.lock_fixed(True)
        self._text: str = self._values["source"]

        self._source: FrameSource | None = None
        self._problem = ""  # why there is no source
        self._state = "starting"
        self._published = 0
        self._playback: Playback | None = None  # of a file
        self._unreadable = 0
        self._attempts = 0
        self._unreadable_named: set[str] = set()

        # A reliable publisher serves reliable and best-effort subscriptions; the newest counts.
        self._images = self.create_publisher(
            Image, "image_raw", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._rate = Rate()
        steady = steady_clock()  # also when use_sim_time is on
        self._timer = self.create_timer(1.0, self._publish_diagnostics, clock=steady)

        self._stop = threading.Event()
        self._result: Exception | None = None
        self._ended = self.create_guard_condition(self._raise_result)
        self._thread = threading.Thread(target=self._work, name="camera", daemon=True)

    def start(self) -> None:
        """Open the source and begin to publish.

        Raises:
            SourceError: it does not open (with ``retry`` a webcam is waited for instead).
        """
        try:
            self._source = self._open()
        except SourceError as error:
            if not (self._values["retry"] and is_webcam(self._text)):
                raise
            self._problem = str(error)
            self.get_logger().error(f"{error}; trying again every {REOPEN_PERIOD_S:g} s")
        else:
            self.get_logger().info(
                f"{self._source.description} is published on {self._images.topic_name}"
            )
        self._rate.update(0, time.monotonic())
        self._thread.start()

    def close(self) -> None:
        """Stop publishing and release the device or file; may be called twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            # Releasing a device while a grab hangs in it can crash; the process's end frees it.
            self.get_logger().warning(f"{self._text} hangs and is released when the process ends")
        elif self._source is not None:
            self._source.close()
            self._source = None

    # ---- the thread ----

    def _work(self) -> None:
        try:
            if self._source is None or self._source.is_live:
                self._capture()
            else:
                self._play(self._source)
        except Exception as error:
            # Once the context is shut down nothing can be published; that is not an error.
            if self.context.ok():
                self._end(error)

    def _capture(self) -> None:
        """Publish what a webcam delivers until the node stops; reopen it when it is gone."""
        limit = RateLimit()
        while not self._stop.is_set():
            if self._source is None:
                self._reopen()
                continue
            if not self._source.grab():
                self._lose()
                continue
            stamp = self.get_clock().now().to_msg()
            self._state = "publishing"
            if not limit.admits(time.monotonic(), self._values["frame_rate"]):
                continue
            image = self._source.retrieve()
            if image is None:
                self._unreadable += 1
                continue
            self._publish(image, stamp)

    def _lose(self) -> None:
        assert self._source is not None
        self._source.close()  # a device that is held open comes back under another number
        self._source = None
        self._problem = f"webcam {self._text} gives no more images; plug it in again"
        if not self._stop.is_set():
            self.get_logger().warning(
                f"{self._problem}, trying to open it every {REOPEN_PERIOD_S:g} s"
            )

    def _reopen(self) -> None:
        self._state = "gone"
        if self._stop.wait(REOPEN_PERIOD_S):
            return
        self._attempts += 1
        try:
            self._source = self._open()
        except SourceError as error:
            self._problem = str(error)
            return
        self._problem, self._state = "", "starting"
        self.get_logger().info(f"{self._source.description} is there, attempt {self._attempts}")

    def _play(self, source: FrameSource) -> None:
        """Publish a file at its rate, once or again and again."""
        waits = self._values["wait_for_subscriber"]
        if waits and not self._await_subscriber():
            return
        self._state = "publishing"
        self._playback = Playback(
            source,
            self._stop,
            rate=lambda: self._values["frame_rate"],
            loop=lambda: self._values["loop"],
        )
        for image in self._playback:
            self._tell_unreadable(source)
            self._publish(image, self.get_clock().now().to_msg())
            if waits and self._published == 1:
                # The next frame would replace the first in a queue of one: let it arrive.
                self._wait_for_acknowledgement()
                self._playback.restart()
        self._tell_unreadable(source)
        if not self._stop.is_set():
            self._finish_playing()

    def _await_subscriber(self) -> bool:
        """Return True once somebody subscribes to the images, False when the node stops."""
        self._state = "waiting for a subscriber"
        while self._images.get_subscription_count() == 0:  # Humble has no event for it
            if self._stop.wait(_POLL_S):
                return False
        # A subscription may not know us yet; a best-effort one would miss what is sent now.
        return not self._stop.wait(_SETTLE_S)

    def _tell_unreadable(self, source: FrameSource) -> None:
        """Count the images of a folder that cannot be decoded, and name each once."""
        for name in source.skipped:
            if name not in self._unreadable_named:
                self._unreadable_named.add(name)
                self._unreadable += 1
                self.get_logger().warning(f"{name} cannot be decoded and is passed over")

    @property
    def _skipped_late(self) -> int:
        return self._playback.passed_over if self._playback else 0

    def _finish_playing(self) -> None:
        self._wait_for_acknowledgement()
        skipped = f" ({self._skipped_late} more skipped: too late)" if self._skipped_late else ""
        self.get_logger().info(f"end of {self._text} after {self._published} frames{skipped}")
        self._end(NodeFinished())

    def _wait_for_acknowledgement(self) -> None:
        """Give reliable subscriptions the time to get what was published."""
        end = time.monotonic() + _ACKNOWLEDGE_S
        # Asked without waiting, again and again: rclpy waits with all other threads standing still.
        while time.monotonic() < end and not self._images.wait_for_all_acked(Duration()):
            if self._stop.wait(_POLL_S):
                return

    def _publish(self, image: Frame, stamp: Any) -> None:
        message = to_image_message(image, stamp, self._values["frame_id"])
        self._published += publish(self, self._images, message)

    def _open(self) -> FrameSource:
        return self._open_frames(
            self._text,
            width=self._values["width"],
            height=self._values["height"],
            frame_rate=self._values["frame_rate"],
        )

    def _end(self, result: Exception) -> None:
        self._result = result
        self._ended.trigger()

    # ---- the executor ----

    def _raise_result(self) -> None:
        """End the node from within the executor, where run_node notices."""
        if self._result is not None:
            raise self._result

    def _publish_diagnostics(self) -> None:
        rate = self._rate.update(self._published, time.monotonic())
        publish_statuses(self, self._diagnostics, [self._status(rate)])

    def _status(self, rate: float) -> Any:
        source = self._source  # the thread may take it away meanwhile
        wanted = self._values["frame_rate"] or (source.frame_rate if source else 0.0)
        if source is not None and source.is_live:
            wanted = min(wanted, source.frame_rate)
        level, message = self._summary(rate, wanted)
        values = {
            "source": source.description if source else self._text,
            "frames published": self._published,
            "frame rate (Hz)": f"{rate:.1f}",
            "wanted frame rate (Hz)": f"{wanted:.1f}",
            "skipped frames (late)": self._skipped_late,
            "unreadable frames": self._unreadable,
            "reopen attempts": self._attempts,
            "subscribers": self._images.get_subscription_count(),
        }
        return status(self, "source", level, message, values, self._text)

    def _summary(self, rate: float, wanted: float) -> tuple[bytes, str]:
        if self._problem:
            return ERROR, f"{self._problem} (attempt {self._attempts})"
        if self._state != "publishing":
            return OK, self._state
        # Below two frames a second a window of one second says little.
        if wanted >= 2.0 and rate < _SLOW_SHARE * wanted:
            return WARN, (
                f"{rate:.1f} of {wanted:.1f} frames per second; "
                "use smaller images, a lower frame_rate, or better light for a webcam"
            )
        return OK, f"{rate:.1f} frames per second"


def main(args: list[str] | None = None) -> int:
    """Run the camera node until it is told to stop or its file has ended; return the exit code."""
    return run_node(Camera, args)


if __name__ == "__main__":
    sys.exit(main())
