"""The camera's images for a calibration on the page: subscribed only while somebody is asked."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node

from expression_ros.images.conversion import grey_from_message
from expression_ros.images.depth import DepthMemory
from expression_ros.nodes.common.image_input import ImageInput
from expression_ros.nodes.common.latest_worker import LatestWorker
from expression_ros.web.page_calibration import PageCalibration

_SILENT_S = 5.0


class CalibrationImages:
    """Hands the newest image to a calibration, in a thread of its own.

    Args:
        node: subscribes.
        calibration: see PageCalibration.
        topic: resolved name of the raw image topic.
        transport: ``raw`` or ``compressed``.

    Attributes:
        problem: why no image can be had while one is waited for; empty if all is well.
    """

    def __init__(self, node: Node, calibration: PageCalibration, topic: str, transport: str):
        self.problem = ""
        self._node = node
        self._calibration = calibration
        self._topic = topic
        self._transport = transport
        self._images: ImageInput | None = None
        self._worker: LatestWorker[Any] | None = None
        self._heard_at = 0.0
        self._depth = DepthMemory()

    def follow(self) -> None:
        """Subscribe or let go, as the calibration needs it; to be called often."""
        if self._calibration.is_asking and self._images is None:
            self._heard_at = time.monotonic()
            self._worker = LatestWorker(self._read, self._failed, "calibration images")
            self._images = ImageInput(self._node, self._topic, self._transport, self._received)
        elif not self._calibration.is_asking and self._images is not None:
            self.close()
        if self._images is not None:
            silent = time.monotonic() - self._heard_at
            if silent > _SILENT_S:
                self.problem = self._images.explain_silence(silent)

    def close(self) -> None:
        """Let go of the topic. May be called again."""
        if self._images is not None:
            self._images.close()
            self._images = None
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self.problem = ""

    def _received(self, message: Any) -> None:
        self._heard_at = time.monotonic()
        if self._worker is not None:
            self._worker.offer(message)

    def _read(self, message: Any) -> None:
        self._calibration.offer(grey_from_message(message, self._depth), time.monotonic())
        self.problem = ""

    def _failed(self, error: Exception) -> None:
        self.problem = f"image refused: {error}"
