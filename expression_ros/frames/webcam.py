"""Frames from a webcam, and why one does not open. Imports no ROS."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2

from expression_ros.frames.sources import (
    Frame,
    FrameSource,
    SourceError,
    plausible_rate,
    retrieve,
    size_and_rate,
)
from expression_ros.images.files import natural_key, quiet_opencv

_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")  # of Docker and Podman


class Webcam(FrameSource):
    """A camera of this machine.

    Args:
        device: index, or path such as ``/dev/video0``.
        width, height, frame_rate: what to ask for, in pixels and Hz; 0 for the device's own. The
            device may give something else: ``description`` and ``frame_rate`` say what it gives.

    Raises:
        SourceError: it does not open or gives no image; says what may be the matter.
    """

    is_live = True

    def __init__(self, device: int | str, width: int = 0, height: int = 0, frame_rate: float = 0.0):
        with quiet_opencv():
            # By name: the generic backend would try GStreamer first, or take a path for a file.
            backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
            self._capture = cv2.VideoCapture(device, backend)
            if self._capture.isOpened():
                for key, wanted in (
                    (cv2.CAP_PROP_FRAME_WIDTH, width),
                    (cv2.CAP_PROP_FRAME_HEIGHT, height),
                    (cv2.CAP_PROP_FPS, frame_rate),
                ):
                    if wanted > 0:
                        self._capture.set(key, wanted)
            opened = self._capture.isOpened() and self._capture.grab()
        if not opened:
            self._capture.release()
            raise SourceError(_webcam_problem(device, _video_devices()))
        rate = plausible_rate(self._capture.get(cv2.CAP_PROP_FPS))
        super().__init__(f"webcam {device} ({size_and_rate(self._capture, rate)})", rate)

    def retrieve(self) -> Frame | None:
        """Return the frame grabbed last; see FrameSource.retrieve."""
        return retrieve(self._capture)

    def close(self) -> None:
        """Release the device."""
        self._capture.release()

    def _advance(self) -> bool:
        return bool(self._capture.grab())

    def _restart(self) -> None:
        pass  # the present cannot be had again


def _video_devices() -> list[str]:
    found = (str(path) for path in Path("/dev").glob("video[0-9]*"))
    return sorted(found, key=natural_key)


def _webcam_problem(device: int | str, present: list[str]) -> str:
    """Return in one line why a webcam that did not open did not, given the devices there are."""
    path = f"/dev/video{device}" if isinstance(device, int) else device
    listed = f"cameras here: {', '.join(present)}" if present else "there are no cameras here"
    if not sys.platform.startswith("linux"):
        return f"webcam {device} does not open; check that it is plugged in and may be used"
    if not os.path.exists(path):
        remedy = "name one of them, or plug it in" if present else "plug one in, or play a file"
        if any(os.path.exists(mark) for mark in _CONTAINER_MARKS):
            remedy += f"; a container sees only what it is given (docker run --device {path})"
        return f"webcam {device} does not open: there is no {path} ({listed}); {remedy}"
    if not os.access(path, os.R_OK | os.W_OK):
        return (
            f"webcam {device} does not open: no permission for {path}; "
            "sudo usermod -aG video $USER, then log in again"
        )
    return (
        f"webcam {device} gives no image though {path} exists ({listed}): another program may "
        "be using it, or it is a camera's second device, without images; close the other "
        "program or name another device"
    )
