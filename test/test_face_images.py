"""Cropped faces are whole and centred, aligned ones have level eyes; no box makes them fail."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import tilt_of_eyes
from expression_ros.recognition.ros4hri import SIDE, aligned_face, cropped_face

FRAME = (120, 160)


def grey_of(bgr):
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)


@pytest.fixture
def pattern():
    """Return a (120, 160, 3) frame, red on the left, green on the right."""
    frame = np.zeros((*FRAME, 3), np.uint8)
    frame[:, :80, 2] = 255
    frame[:, 80:, 1] = 255
    return frame


def test_a_square_box_fills_the_image(pattern):
    image = cropped_face(pattern, Box(60, 20, 40, 40))
    assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
    assert (image[64, 2] == (0, 0, 255)).all() and (image[64, -3] == (0, 255, 0)).all()
    assert image.max(axis=2).min() > 100  # no black edge


def test_a_box_that_is_not_square_or_leaves_the_frame_is_letterboxed(pattern):
    image = cropped_face(pattern, Box(-20, 0, 40, 40))
    assert image[:, 0].max() == image[:, -1].max() == 0
    assert image[64, 64, 2] == 255


@pytest.mark.parametrize(
    "box",
    [
        (200, 10, 40, 40),
        (-50, 10, 40, 40),
        (0, 0, 0, 0),
        (10, 300, 5, 5),
        (159, 119, 1, 1),
        (-500, -500, 2000, 2000),
    ],
)
def test_any_box_makes_an_image(pattern, box):  # fmt: skip
    for image in (
        cropped_face(pattern, Box(*box)),
        aligned_face(pattern, grey_of(pattern), Box(*box)),
    ):
        assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8


@pytest.mark.parametrize("angle", [-12, 12])
def test_the_eyes_of_an_aligned_face_are_level(astronaut, angle):
    face = FaceDetector().search_frame(grey_of(astronaut))[0].box
    turn = cv2.getRotationMatrix2D(face.centre, angle, 1.0)
    turned = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    before = tilt_of_eyes(grey_of(turned), face)
    assert abs(before + angle) < 6
    image = aligned_face(turned, grey_of(turned), face, 256)
    after = tilt_of_eyes(grey_of(image), Box(0, 0, 256, 256))
    assert abs(after) < 5
