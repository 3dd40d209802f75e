"""The image of ``expression-ros live``: the person, and beside it what the robot answers.

Part of ``expression_ros.viewing``: imports no ROS.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from expression_ros.mirroring.robot_table import Robot
from expression_ros.mirroring.virtual_face import FaceAnimator, draw_face, drawable_word
from expression_ros.parameters.choices import NONE
from expression_ros.recognition.overlay import draw_overlay, scaled, with_privacy
from expression_ros.session.live import LiveFrame

HEIGHT = 480  # pixels, of all of it
_WIDEST = 854  # pixels, of the person's part: 16:9
_FACE_SIZE = (400, 310)  # pixels
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BACKDROP = (74, 52, 36)  # of the virtual face
_LIGHT, _DIM = (245, 240, 235), (190, 175, 160)
_POINT, _POINT_RIM = (255, 255, 255), (25, 25, 25)


class LiveImage:
    """Draws person and robot; each of them only when it has changed.

    Args:
        robot: whose answers are drawn; a robot's word is drawn on the virtual face as what it
            answers.
        privacy: what of the person is hidden; see with_privacy.
    """

    def __init__(self, robot: Robot, privacy: str = NONE):
        self._robot = robot
        self._privacy = privacy
        self._animator = FaceAnimator()
        self._drawn: tuple[LiveFrame, bool] | None = None
        self._person = np.zeros((HEIGHT, 1, 3), np.uint8)
        self._face: np.ndarray | None = None  # the numbers of the shape that is drawn
        self._word = ""
        self._answer = np.full((HEIGHT, _FACE_SIZE[0], 3), _BACKDROP, np.uint8)

    def draw(self, live: LiveFrame, expression: str, now: float, *, ended: bool) -> np.ndarray:
        """Return the image, (480, W, 3) uint8 BGR.

        Args:
            live: the newest frame.
            expression: the robot's word for what it shows.
            now: s of any clock, for the face's movement.
            ended: whether no further frame will come.
        """
        if self._drawn is None or self._drawn[0] is not live or self._drawn[1] != ended:
            self._drawn = live, ended
            note = "the end of the video" if ended else f"{live.rate:.0f} fps"
            self._person = person_image(live, note, self._privacy)
        self._draw_answer(expression, now)
        return np.hstack([self._person, self._answer])

    def _draw_answer(self, expression: str, now: float) -> None:
        word = drawable_word(expression, self._robot)
        if word and word != self._animator.target:
            self._animator.set_target(word, now)
        shape = self._animator.shape_at(now)
        values = np.round(shape.to_array(), 2)
        width, height = _FACE_SIZE
        if self._face is None or not np.array_equal(values, self._face):
            self._face = values
            self._answer[:height] = draw_face(shape, width, height)
        if expression != self._word:
            self._word = expression
            self._answer[height:] = _BACKDROP
            _centred(self._answer, f"{self._robot.name} is sent", height + 50, 0.6, _DIM)
            _centred(self._answer, expression, height + 105, 1.3, _LIGHT)


def person_image(live: LiveFrame, note: str, privacy: str = NONE) -> np.ndarray:
    """Return a frame with what was read in it, 480 px high, as (480, W, 3) uint8 BGR.

    Args:
        live: the frame, which is not drawn on.
        note: for the lower left corner.
        privacy: what is hidden; boxes, labels and landmarks are drawn in any case.
    """
    height, width = live.image.shape[:2]
    factor = min(HEIGHT / height, _WIDEST / width)
    size = (max(1, round(factor * width)), max(1, round(factor * height)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = cv2.resize(live.image, size, interpolation=method)
    if image is live.image:
        image = image.copy()
    reading = scaled(live.reading, factor)
    image = with_privacy(image, (face.box for face in reading.faces), privacy)
    for points in live.landmarks:
        _draw_landmarks(image, factor * points)
    draw_overlay(image, reading, note)
    above = (HEIGHT - size[1]) // 2  # of an image that is wide and low
    below = HEIGHT - size[1] - above
    return cv2.copyMakeBorder(image, above, below, 0, 0, cv2.BORDER_CONSTANT)


def _draw_landmarks(image: np.ndarray, points: Iterable[np.ndarray]) -> None:
    for point in points:
        place = (round(float(point[0])), round(float(point[1])))
        cv2.circle(image, place, 3, _POINT_RIM, -1, cv2.LINE_AA)
        cv2.circle(image, place, 2, _POINT, -1, cv2.LINE_AA)


def _centred(
    image: np.ndarray, text: str, base: int, size: float, colour: tuple[int, int, int]
) -> None:
    """Write a line in the middle, smaller if it is too long for the image."""
    room = 0.92 * image.shape[1]
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 2)
    if width > room:
        size *= room / width
        width = round(room)
    left = (image.shape[1] - width) // 2
    thickness = 2 if size > 0.8 else 1
    cv2.putText(image, text, (left, base), _FONT, size, colour, thickness, cv2.LINE_AA)
