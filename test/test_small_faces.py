"""People far away: found in a stream within some seconds, by looks at a part of a frame each."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.recognition.boxes import Box, Detection, overlap
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.search import FaceSearch
from expression_ros.recognition.settings import RecognitionSettings
from expression_ros.recognition.tracking import FaceTracker

RATE = 15
SIZE = (480, 854)
PLACES = ((20, 20), (660, 30), (360, 180), (40, 280), (640, 290))  # one in each part, and between


@pytest.fixture(scope="module")
def portrait(astronaut):
    """Return a grey image of one person, and where her face is in it."""
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    return grey, next(d.box for d in FaceDetector().search_photo(grey) if d.box.w > 80)


def scene(portrait, share, left, top, grey=None):
    """Return a frame with the portrait, and where its face is, a share of the frame's height."""
    image, box = portrait
    scale = share * SIZE[0] / box.w
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full(SIZE, 110, np.uint8) if grey is None else grey
    small = small[: SIZE[0] - top, : SIZE[1] - left]  # her shoulders may leave the frame
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    x, y, w, h = (round(scale * v) for v in box)
    return frame, Box(left + x, top + y, w, h)


def moving(frame, k):
    """Return the frame with the noise of a camera: nothing is left out since nothing changes."""
    noise = np.random.default_rng(k).normal(0, 6, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def seen_at(recognizer, frame, box, frames, start=0):
    """Return after how many frames a face is found there; None if it never is."""
    for k in range(start, start + frames):
        faces = recognizer.read(moving(frame, k), k / RATE).faces
        if any(overlap(face.box, box) > 0.4 for face in faces):
            return k
    return None


@pytest.mark.parametrize("share", [0.07, 0.09, 0.11])
def test_a_small_face_is_found_in_nearly_every_place_within_three_seconds(
    portrait, shipped_classifier, share
):
    found = 0
    for left, top in PLACES:
        frame, box = scene(portrait, share, left, top)
        recognizer = ExpressionRecognizer(FaceDetector(min_face=0.06), shipped_classifier)
        found += seen_at(recognizer, frame, box, 3 * RATE) is not None
    assert found >= len(PLACES) - 1


def test_a_small_face_is_found_beside_one_that_is_known(portrait, shipped_classifier):
    frame, near = scene(portrait, 0.25, 20, 0)
    frame, far = scene(portrait, 0.1, 610, 270, frame)
    recognizer = ExpressionRecognizer(FaceDetector(min_face=0.06), shipped_classifier)
    assert seen_at(recognizer, frame, near, RATE) is not None
    assert seen_at(recognizer, frame, far, 10 * RATE, start=RATE) is not None


def test_no_look_of_a_stream_searches_more_than_a_part_for_small_faces(portrait):
    """The pixels that cascades are given, and so what a frame costs, hardly grow."""

    class Counting:
        def __init__(self, cascade):
            self.cascade, self.pixels = cascade, []

        def detectMultiScale(self, image, **options):
            self.pixels.append(image.size)
            return self.cascade.detectMultiScale(image, **options)

    frame, _ = scene(portrait, 0.25, 20, 0)
    most = {}
    for min_face in (0.12, 0.06):
        detector = FaceDetector(min_face=min_face)
        detector._cascades = [Counting(cascade) for cascade in detector._cascades]
        for look in range(detector.parts + detector.turned_looks + detector.small_looks(SIZE[0])):
            detector.search_frame(frame, [look], True)
        most[min_face] = max(px for c in detector._cascades for px in c.pixels)
    assert most[0.06] <= 1.8 * most[0.12]


@pytest.mark.parametrize(
    ("min_face", "height", "looks"),
    [(0.12, 480, 0), (0.2, 480, 0), (0.06, 480, 4), (0.04, 480, 9), (0.06, 144, 0)],
)
def test_the_smaller_the_faces_the_more_parts_unless_none_could_be_seen(min_face, height, looks):
    assert FaceDetector(min_face=min_face).small_looks(height) == looks


def test_one_face_is_asked_for_and_a_small_one_is_found(portrait, shipped_classifier):
    frame, box = scene(portrait, 0.08, 300, 200)
    recognizer = ExpressionRecognizer(FaceDetector("single", 0.06), shipped_classifier)
    assert seen_at(recognizer, frame, box, 3 * RATE) is not None


def test_a_face_between_the_parts_is_seen(portrait):
    frame, box = scene(portrait, 0.09, 333, 192)  # its centre is that of the frame
    assert abs(box.centre[0] - SIZE[1] / 2) < 12 and abs(box.centre[1] - SIZE[0] / 2) < 12
    detector = FaceDetector(min_face=0.06)
    first = detector.parts + detector.turned_looks
    looks = [detector.search_frame(frame, [first + k], True) for k in range(4)]
    assert any(overlap(face.box, box) > 0.4 for found in looks for face in found)


class Asked(FaceDetector):
    """Counts which looks are asked for; sees one large face, where nobody is known if it may."""

    def __init__(self, sees, min_face=0.06):
        super().__init__(min_face=min_face)
        self.sees, self.looks = sees, set()

    def search_frame(self, grey, cascades=None, coarse=False, known=()):
        self.looks.update(cascades)
        return [Detection(Box(100, 100, 200, 200), 0)] if self.sees and not known else []

    def search_near(self, grey, known):
        return known

    search_size = search_near


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("rate", "min_face", "interval"),
    [(30, 0.06, 1.0), (5, 0.06, 1.0), (1, 0.06, 1.0), (15, 0.02, 1.0), (30, 0.06, 0.2),
     (30, 0.06, 0.0)],
)  # fmt: skip
def test_every_part_is_looked_at_however_few_the_frames(known, rate, min_face, interval):
    detector, tracker = Asked(known, min_face), FaceTracker()
    search, settings = FaceSearch(detector), RecognitionSettings(redetect_interval=interval)
    for k in range(100 * rate):
        grey = np.full((1080, 1920), k * 50 % 256, np.uint8)  # nothing is left out as unchanged
        tracker.update(search.find(grey, k / rate, tracker.tracks, settings), k / rate)
        every = detector.parts + detector.turned_looks * (not known)
        small = detector.parts + detector.turned_looks
        wanted = {*range(every), *range(small, small + detector.small_looks(1080))}
        if wanted <= detector.looks:
            return
    raise AssertionError(f"never looked at: {wanted - detector.looks}")


def test_a_look_that_was_planned_before_min_face_grew_is_no_failure():
    detector = FaceDetector(min_face=0.06)
    last = detector.parts + detector.turned_looks + detector.small_looks(480) - 1
    detector.min_face = 0.12
    assert detector.search_frame(np.full(SIZE, 110, np.uint8), [last], True) == []
