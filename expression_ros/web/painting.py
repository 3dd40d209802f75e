"""The images for the page: the overlay and the robot's face, small, in a thread of their own.

Part of ``expression_ros.web``: imports no ROS.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import cv2
import numpy as np

from expression_ros.mirroring.robot_table import Robot
from expression_ros.mirroring.virtual_face import FaceAnimator, draw_face, drawable_word
from expression_ros.parameters.choices import NONE
from expression_ros.recognition.overlay import draw_overlay, scaled, with_privacy
from expression_ros.recognition.readings import FrameReading
from expression_ros.web.state import OVERLAY, ROBOT, WebState

MAX_WIDTH = 640  # pixels of an image on the page
MAX_RATE = 15.0  # images a second
JPEG_QUALITY = 75
_ROBOT_SIZE = (320, 240)  # pixels
_NICENESS = 10
_REST_S = 0.1  # how soon it is noticed that somebody looks


class Painter:
    """Makes images while somebody looks, at most MAX_RATE a second, of the newest there is.

    A caller with a frame offers a way to make its image and goes on; nothing is queued. While
    nobody looks, nothing is drawn and offers are turned down.

    Args:
        state: is told the images, and knows whether somebody looks.
    """

    def __init__(self, state: WebState):
        self._state = state
        self._face = RobotImage()
        self._offered: Callable[[], bytes] | None = None
        self._problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why the last image could not be made; empty if it could."""
        return self._problem

    def offer(self, make_jpeg: Callable[[], bytes]) -> None:
        """Offer an image; ``make_jpeg`` is called in the painter's thread, or never."""
        if self._state.is_watched:
            self._offered = make_jpeg

    def show_expression(self, expression: str, robot: Robot | None) -> None:
        """Let the drawn face move to one of a robot's words; None for the virtual face."""
        self._face.show(expression, robot, time.monotonic())

    def stop(self) -> None:
        """End the thread; no image is made afterwards."""
        self._stopping.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        give_way()
        while not self._stopping.is_set():
            begin = time.monotonic()
            if not self._state.is_watched:
                self._offered = None
                self._state.forget_image(OVERLAY)  # of people; the robot's face may stay
                self._stopping.wait(_REST_S)
                continue
            try:
                self._paint(begin)
                self._problem = ""
            except Exception as error:  # of a camera's or a robot's odd data: the next may do
                self._problem = f"no image: {type(error).__name__}: {error}"
            # An image that takes long to make leaves at least as long to the recognition.
            spent = time.monotonic() - begin
            self._stopping.wait(max(1.0 / MAX_RATE - spent, spent))

    def _paint(self, now: float) -> None:
        make_jpeg, self._offered = self._offered, None
        if make_jpeg is not None:
            self._state.image_made(OVERLAY, make_jpeg())
        face = self._face.jpeg_if_changed(now)
        if face is not None:
            self._state.image_made(ROBOT, face)


def give_way() -> None:
    """Let the other threads of this process go first, where the system can tell threads apart."""
    if sys.platform.startswith("linux"):
        with suppress(OSError):  # not everywhere allowed; it is only a courtesy
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class RobotImage:
    """The virtual face, drawn only when it has moved.

    The words of another robot are drawn as what they answer: the image then stands for its face.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._animator = FaceAnimator()
        self._drawn: np.ndarray | None = None

    def show(self, expression: str, robot: Robot | None, now: float) -> None:
        """Move to a word of ``robot`` (None: the virtual face's); one it lacks changes nothing."""
        word = drawable_word(expression, robot)
        with self._lock:
            if word and word != self._animator.target:
                self._animator.set_target(word, now)

    def jpeg_if_changed(self, now: float) -> bytes | None:
        """Return the face at ``now`` as JPEG, None if it looks as it did the last time."""
        with self._lock:
            shape = self._animator.shape_at(now)
        values = np.round(shape.to_array(), 2)
        if self._drawn is not None and np.array_equal(values, self._drawn):
            return None
        self._drawn = values
        return jpeg_of(draw_face(shape, *_ROBOT_SIZE))


def overlay_jpeg(
    frame: np.ndarray, reading: FrameReading, note: str = "", privacy: str = NONE
) -> bytes:
    """Return a frame with what was read in it, at most MAX_WIDTH wide, as JPEG.

    Args:
        frame: (H, W, 3) uint8 BGR; not changed.
        reading: what was read in it, in pixels of the frame.
        note: for the lower left corner.
        privacy: see with_privacy.
    """
    small = shrunk(frame)
    image = small.copy() if small is frame else small
    there = scaled(reading, small.shape[1] / frame.shape[1])
    image = with_privacy(image, (face.box for face in there.faces), privacy)
    return jpeg_of(draw_overlay(image, there, note))


def shrunk(image: np.ndarray) -> np.ndarray:
    """Return an image at most MAX_WIDTH wide; the same one if it is no wider."""
    height, width = image.shape[:2]
    if width <= MAX_WIDTH:
        return image
    size = (MAX_WIDTH, max(1, round(height * MAX_WIDTH / width)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def jpeg_of(image: np.ndarray) -> bytes:
    """Return an image as JPEG; raises ValueError if it cannot be written as one."""
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise ValueError(f"an image of shape {image.shape} cannot be written as JPEG")
    return data.tobytes()
