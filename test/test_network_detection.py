"""From what a network says to boxes in the frame: with a network that is told where faces are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.recognition.boxes import Box, Detection, overlap
from expression_ros.recognition.face_views import levelled
from expression_ros.recognition.network_detection import (
    NetworkDetector,
    NetworkFace,
)


class Spots:
    """Takes each bright spot for a face whose landmarks lie in it; counts what it is shown."""

    sure, nearby = 0.7, 0.5
    box_width, box_centre = 1.9, 0.3

    def __init__(self):
        self.shown = []

    def faces(self, grey, least):
        self.shown.append(grey.shape)
        count, _, spots, _ = cv2.connectedComponentsWithStats((grey > 128).astype(np.uint8))
        return [self.face(*spots[k][:4]) for k in range(1, count)]

    @staticmethod
    def face(x, y, w, h):
        marks = [(0, 0), (1, 0), (0.5, 0.5), (0, 1), (1, 1)]
        return NetworkFace(0.9, np.array([(x + mx * w, y + my * h) for mx, my in marks], float))

    def clone(self):
        return Spots()


class Fixed(Spots):
    """Says the same landmarks of every image."""

    def __init__(self, landmarks):
        super().__init__()
        self.landmarks = np.array(landmarks, float)

    def faces(self, grey, least):
        return [NetworkFace(0.9, self.landmarks)]


def frame_with(*spots, shape=(480, 640)):
    grey = np.zeros(shape, np.uint8)
    for x, y, side in spots:
        grey[y : y + side, x : x + side] = 255
    return grey


def box_of(x, y, side):
    """Return the box of a face whose eyes and mouth are the corners of a square spot."""
    width = Spots.box_width * np.hypot(side, side)
    left, top = x + side / 2 - width / 2, y + Spots.box_centre * side - width / 2
    return Box(round(left), round(top), round(width), round(width))


@pytest.mark.parametrize("spot", [(300, 220, 40), (300, 220, 80), (200, 300, 30), (120, 120, 60)])
def test_boxes_are_in_pixels_of_the_frame(spot):
    detector, grey, true = NetworkDetector(Spots()), frame_with(spot), box_of(*spot)
    (found,) = detector.search_frame(grey)
    assert overlap(found.box, true) > 0.8
    (found,) = detector.search_photo(grey)
    assert overlap(found.box, true) > 0.88
    for x, y, share in ((10, -8, 1.0), (0, 0, 0.75)):
        moved = Box(true.x + x, true.y + y, round(share * true.w), round(share * true.h))
        near = detector.search_near(grey, Detection(moved, 0))
        assert near and overlap(near.box, true) > 0.88


def test_the_nearest_of_two_is_followed():
    detector, grey = NetworkDetector(Spots()), frame_with((200, 200, 40), (300, 200, 40))
    known = Detection(box_of(290, 200, 40), 0)
    assert overlap(detector.search_near(grey, known).box, box_of(300, 200, 40)) > 0.9


@pytest.mark.parametrize("shape", [(480, 640), (3000, 4000), (300, 4096), (4096, 300), (60, 80)])
@pytest.mark.parametrize("min_face", [0.06, 0.12, 0.5])
def test_a_frame_is_reduced_until_the_smallest_face_is_just_seen(shape, min_face):
    network = Spots()
    NetworkDetector(network, min_face=min_face).search_frame(np.zeros(shape, np.uint8))
    (height, width), rows = network.shown[-1], 28 / min_face
    assert height <= rows + 1 and width * height <= 6 * rows**2 * 1.02
    if shape[1] <= 6 * shape[0]:
        assert height == pytest.approx(min(shape[0], rows), abs=1)


def test_a_face_is_looked_for_in_an_image_of_one_size():
    network = Spots()
    detector, grey = NetworkDetector(network), np.zeros((480, 640), np.uint8)
    corners = (Box(0, 0, 20, 20), Box(-30, 400, 200, 200), Box(600, 10, 500, 500))
    for box in (*corners, Box(5, 5, 1, 1)):
        detector.search_near(grey, Detection(box, 0))
    assert set(network.shown) == {(96, 96)}


def test_a_held_box_keeps_the_new_tilt():
    network = Fixed([(30, 40), (60, 43), (45, 55), (32, 70), (62, 72)])
    detector, grey = NetworkDetector(network), np.zeros((96, 96), np.uint8)
    (found,) = detector.search_frame(grey)
    assert found.tilt == pytest.approx(np.degrees(np.arctan2(3, 30)))
    known = Detection(Box(found.box.x + 1, found.box.y, found.box.w, found.box.h), 0)
    network.landmarks = (network.landmarks - network.landmarks.mean(axis=0)) * 48 / 45
    side = known.box.w * 2
    network.landmarks *= 96 / side
    network.landmarks += 48
    near = detector.search_near(grey, known)
    assert near.tilt == pytest.approx(found.tilt)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_weights_that_answer_nonsense_find_nobody(bad):
    marks = np.full((5, 2), 40.0)
    for where in [(0, 0), (1, 1), (4, 0)]:
        broken = marks.copy()
        broken[where] = bad
        detector = NetworkDetector(Fixed(broken))
        assert detector.search_frame(np.zeros((96, 96), np.uint8)) == []
    assert NetworkDetector(Fixed(marks)).search_frame(np.zeros((96, 96), np.uint8)) == []


@pytest.mark.parametrize("tilt", [-30.0, 20.0, 90.0])
def test_a_face_is_levelled_about_its_own_middle(tilt):
    image = np.zeros((200, 300), np.uint8)
    cv2.line(image, (120, 100), (180, 100), 255, 5)  # the line of the eyes
    turn = cv2.getRotationMatrix2D((150, 100), -tilt, 1.0)
    tilted = cv2.warpAffine(image, turn, (300, 200))
    view, box = levelled(tilted, (100, 50, 100, 100), tilt)
    cut = view[box.y : box.y + box.h, box.x : box.x + box.w]
    assert (box.w, box.h) == (100, 100)
    rows = np.nonzero(cut.max(axis=1) > 128)[0]
    assert rows.min() >= 46 and rows.max() <= 54


def test_a_face_that_is_nearly_level_is_read_in_the_frame_itself():
    grey = np.zeros((50, 50), np.uint8)
    assert levelled(grey, (1, 2, 30, 30), 2.0)[0] is grey
