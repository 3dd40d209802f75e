"""Frames in, faces with emotions out: on real clips, with the shipped classifier."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from videos import frames

from expression_ros.recognition.boxes import overlap
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.mouth import MouthWatch
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings


def grey_of(image):
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


class AlwaysNeutral:
    """A classifier for tests of where faces are, not of what they show."""

    labels = ("neutral", "happiness")

    def read(self, grey_frame, box):
        return Prediction("neutral", 1.0, {"neutral": 1.0, "happiness": 0.0})


def read_clip(path, recognizer):
    return [(t, recognizer.read(grey_of(image), t)) for t, image in frames(path)]


@pytest.fixture(scope="module")
def single_face(clips, shipped_classifier):
    recognizer = ExpressionRecognizer(FaceDetector(), shipped_classifier)
    return read_clip(clips / "single_face.mp4", recognizer)


def test_every_frame_of_the_man_has_one_face_with_one_id(single_face):
    assert {len(reading.faces) for _, reading in single_face} == {1}
    assert len({reading.primary.id for _, reading in single_face}) == 1


def test_neutral_then_happiness_with_few_changes(single_face):
    # By eye: at rest up to frame 17 (0.57 s), a smile from frame 24 (0.8 s) to the end.
    labels = [(t, reading.primary.label) for t, reading in single_face]
    rest = [label for t, label in labels if t <= 0.57]
    smile = [label for t, label in labels if t >= 1.3]
    assert rest.count("neutral") > 0.9 * len(rest)
    assert smile.count("happiness") > 0.9 * len(smile)
    changes = sum(a != b for (_, a), (_, b) in pairwise(labels))
    assert changes <= 3


def test_laughter_at_the_end_is_happiness(clips, shipped_classifier):
    recognizer = ExpressionRecognizer(FaceDetector(), shipped_classifier)
    readings = read_clip(clips / "WolfgangLanger_Pexels.mp4", recognizer)
    last_third = [r.primary.label for _, r in readings[2 * len(readings) // 3 :] if r.primary]
    assert len(last_third) > 0.9 * len(readings) / 3
    assert last_third.count("happiness") > 0.6 * len(last_third)


def test_nobody_is_read_where_nobody_is(clips):
    readings = read_clip(
        clips / "no_face.mp4", ExpressionRecognizer(FaceDetector(), AlwaysNeutral())
    )
    assert [t for t, reading in readings if reading.faces] == []


def test_a_face_that_leaves_is_gone_at_once(clips):
    recognizer = ExpressionRecognizer(FaceDetector(), AlwaysNeutral())
    present = [bool(r.faces) for _, r in read_clip(clips / "face_noface.mov", recognizer)]
    assert all(present[:60])
    assert not any(present[-60:])


def test_a_face_that_comes_is_found(clips):
    recognizer = ExpressionRecognizer(FaceDetector(), AlwaysNeutral())
    present = [bool(r.faces) for _, r in read_clip(clips / "noface_face.mov", recognizer)]
    assert not any(present[:60])
    assert all(present[-30:-1])  # the very last frame of this clip is black


def test_a_followed_face_costs_one_small_search_a_frame(clips):
    detector = FaceDetector()
    recognizer = ExpressionRecognizer(
        detector, AlwaysNeutral(), RecognitionSettings(redetect_interval=0.5)
    )
    readings = read_clip(clips / "single_face.mp4", recognizer)
    # one per frame, a look around every half second, and now and then a second cascade
    assert detector.searches <= 1.2 * len(readings) + 2 * 2.4 / 0.5 + 4


def test_an_empty_room_costs_one_search_a_frame_between_thorough_looks(clips):
    detector = FaceDetector()
    recognizer = ExpressionRecognizer(detector, AlwaysNeutral())
    readings = read_clip(clips / "no_face.mp4", recognizer)
    seconds = readings[-1][0]
    assert detector.searches <= len(readings) + 3 * (seconds + 1)


def test_a_newcomer_beside_a_known_face_is_found_within_the_interval(clips):
    image = cv2.imread(str(clips / "multi_face.jpg"))
    group = grey_of(image)
    everybody = FaceDetector("all", 0.08).search_photo(group)
    first = everybody[0].box
    alone = np.full_like(group, 128)
    x, y, w, h = (max(0, first.x - 30), max(0, first.y - 30), first.w + 60, first.h + 60)
    alone[y : y + h, x : x + w] = group[y : y + h, x : x + w]
    recognizer = ExpressionRecognizer(
        FaceDetector("all", 0.08), AlwaysNeutral(), RecognitionSettings(redetect_interval=0.2)
    )
    known = recognizer.read(alone, 0.0)
    assert len(known.faces) == 1
    for k in range(1, 30):
        reading = recognizer.read(group, k / 30)
    assert len(reading.faces) >= 4
    kept = next(face for face in reading.faces if face.id == known.primary.id)
    assert overlap(kept.box, first) > 0.5


def test_the_primary_face_is_the_largest(clips):
    group = grey_of(cv2.imread(str(clips / "multi_face.jpg")))
    reading = ExpressionRecognizer(FaceDetector("all", 0.08), AlwaysNeutral()).read(group, 0.0)
    assert reading.primary.box.area == max(face.box.area for face in reading.faces)


def test_a_still_image_is_read_without_memory(astronaut, shipped_classifier):
    recognizer = ExpressionRecognizer(FaceDetector(), shipped_classifier)
    first = recognizer.read_still(grey_of(astronaut))
    assert [face.label for face in first.faces] == ["happiness"]
    assert recognizer.read_still(grey_of(astronaut)).faces == first.faces


def test_scores_add_to_one_over_all_labels(single_face, shipped_classifier):
    for _, reading in single_face:
        assert set(reading.primary.scores) == set(shipped_classifier.labels)
        assert sum(reading.primary.scores.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "frame", [np.zeros((0, 0), np.uint8), np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9))]
)
def test_what_is_no_grey_frame_is_refused(frame):
    recognizer = ExpressionRecognizer(FaceDetector(), AlwaysNeutral())
    with pytest.raises(ValueError, match="must be a"):
        recognizer.read(frame, 0.0)


class Counting(AlwaysNeutral):
    def __init__(self):
        self.reads = 0

    def read(self, grey_frame, box):
        self.reads += 1
        return super().read(grey_frame, box)


def test_a_face_that_holds_still_is_read_four_times_a_second(astronaut):
    detector, classifier = FaceDetector(), Counting()
    recognizer = ExpressionRecognizer(detector, classifier, RecognitionSettings(1000.0))
    frame = grey_of(astronaut)
    readings = [recognizer.read(frame, k / 30) for k in range(60)]
    assert all(len(reading.faces) == 1 for reading in readings)
    assert {reading.primary.box for reading in readings[30:]} == {readings[-1].primary.box}
    assert 8 <= classifier.reads <= 10
    assert detector.searches <= 10


def test_a_change_of_the_mouth_alone_is_read_within_a_twentieth_of_a_second(astronaut):
    classifier = Counting()
    recognizer = ExpressionRecognizer(FaceDetector(), classifier, RecognitionSettings(1000.0))
    frame = grey_of(astronaut)
    box = recognizer.read(frame, 0.0).primary.box
    recognizer.read(frame, 0.04)
    before = classifier.reads
    changed = frame.copy()
    mouth = changed[box.y + 3 * box.h // 4 : box.y + 5 * box.h // 6, box.x + box.w // 3 :][:, :30]
    mouth[:] = mouth // 2
    recognizer.read(changed, 0.07)
    assert classifier.reads == before + 1


def test_a_face_that_jumps_is_searched_in_the_same_frame(astronaut):
    detector = FaceDetector()
    recognizer = ExpressionRecognizer(detector, Counting(), RecognitionSettings(1000.0))
    frame = grey_of(astronaut)
    box = recognizer.read(frame, 0.0).primary.box
    moved = recognizer.read(np.roll(frame, 20, axis=1), 0.02).primary.box
    assert 5 < moved.x - box.x <= 25


def test_an_empty_room_where_nothing_moves_is_searched_once_an_interval():
    detector = FaceDetector()
    room = np.random.default_rng(0).integers(0, 255, (240, 320)).astype(np.uint8)
    recognizer = ExpressionRecognizer(detector, AlwaysNeutral(), RecognitionSettings(1.0))
    for k in range(90):
        recognizer.read(room, k / 30)
    # Four cascades, two of them for close ups as well, and two looks at the turned frame.
    assert detector.searches <= 3 * (4 + 2 + 2)


def test_newcomers_found_in_the_background_are_read_a_few_frames_later(clips):
    group = grey_of(cv2.imread(str(clips / "multi_face.jpg")))
    first = FaceDetector("all", 0.08).search_photo(group)[0].box
    alone = np.full_like(group, 128)
    x, y, w, h = (max(0, first.x - 30), max(0, first.y - 30), first.w + 60, first.h + 60)
    alone[y : y + h, x : x + w] = group[y : y + h, x : x + w]
    recognizer = ExpressionRecognizer(
        FaceDetector("all", 0.08), AlwaysNeutral(), RecognitionSettings(0.2, background=True)
    )
    assert len(recognizer.read(alone, 0.0).faces) == 1
    end = time.monotonic() + 30
    stamp, seen = 0.0, 1
    while seen < 4 and time.monotonic() < end:
        stamp += 1 / 30
        seen = len(recognizer.read(group, stamp).faces)
    recognizer.close()
    assert seen >= 4


def test_a_clip_that_is_played_again_is_read_as_at_first(astronaut):
    recognizer = ExpressionRecognizer(
        FaceDetector(), AlwaysNeutral(), RecognitionSettings(redetect_interval=1e3)
    )
    frame = grey_of(astronaut)
    elsewhere = np.roll(frame, 240, axis=1)  # no search near the old place would find it
    later = recognizer.read(frame, 100.0)
    again = recognizer.read(elsewhere, 0.0)
    assert len(later.faces) == len(again.faces) == 1
    assert later.faces[0].id != again.faces[0].id
    assert again.primary == again.faces[0]


def test_the_primary_face_may_be_the_one_in_the_middle(clips):
    group = grey_of(cv2.imread(str(clips / "multi_face.jpg")))
    settings = RecognitionSettings(primary="centre")
    recognizer = ExpressionRecognizer(FaceDetector("all", 0.08), AlwaysNeutral(), settings)
    reading = recognizer.read(group, 0.0)
    middle = (group.shape[1] / 2, group.shape[0] / 2)
    nearest = min(reading.faces, key=lambda face: np.hypot(*np.subtract(face.box.centre, middle)))
    assert reading.primary == nearest != reading.faces[0]
    recognizer.settings = replace(settings, primary="id", primary_id=reading.faces[-1].id)
    assert recognizer.read(group, 0.1).primary.id == reading.faces[-1].id


def test_votes_of_the_ensemble_come_with_the_face(astronaut, shipped_classifier):
    reading = ExpressionRecognizer(FaceDetector(), shipped_classifier).read(grey_of(astronaut), 0.0)
    assert sum(reading.primary.votes.values()) == pytest.approx(1.0)


class Wavering(Counting):
    """Says something new at every second reading: sides of a face are read in turns."""

    def read(self, grey_frame, box):
        self.reads += 1
        share = 0.2 if self.reads // 2 % 2 else 0.8
        return Prediction("neutral", share, {"neutral": share, "happiness": 1 - share})


@pytest.mark.parametrize(("reader", "times"), [(Counting, 10), (Wavering, 20)])
def test_a_face_that_jumps_is_found_in_every_frame_and_read_as_often_as_it_says_something_new(
    astronaut, reader, times
):
    frame, reader = grey_of(astronaut), reader()
    recognizer = ExpressionRecognizer(FaceDetector(), reader, RecognitionSettings(1e3))
    boxes = []
    for k in range(60):
        moved = np.roll(frame, 24 * (k % 2) - 12, axis=1)
        boxes.append(recognizer.read(moved, k / 60).primary.box)
    followed = [later.x - sooner.x for sooner, later in pairwise(boxes)]
    assert all(abs(step) >= 3 for step in followed)
    assert times - 5 <= reader.reads <= times + 1


@pytest.mark.parametrize("rate", [15, 24, 30, 60])
def test_every_cascade_has_its_turn_while_a_face_is_lost(astronaut, rate, monkeypatch):
    detector = FaceDetector()
    recognizer = ExpressionRecognizer(detector, AlwaysNeutral(), RecognitionSettings(1e3))
    recognizer.read(grey_of(astronaut), 0.0)
    asked = []
    search = detector.search_frame
    monkeypatch.setattr(
        detector, "search_frame",
        lambda grey, cascades=range(4), coarse=False, known=(): asked.append(tuple(cascades))
        or search(grey, cascades, coarse, known),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for k in range(1, 2 * rate):  # stripes that change: something moves, and nobody is there
        stripes = cv2.resize(rng.integers(0, 255, (1, 16)).astype(np.uint8), (512, 512))
        assert not recognizer.read(stripes, k / rate).faces
    assert {cascade for one in asked[4:8] for cascade in one} == {0, 1, 2, 3}


def test_the_mouth_of_a_calm_face_is_watched_more_often_than_the_face_is_read(
    astronaut, monkeypatch
):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    seen, read = [], []
    monkeypatch.setattr(MouthWatch, "see", lambda self, face, stamp: seen.append(stamp))

    class Calm:
        labels = ("neutral",)

        def read(self, grey_frame, box):
            read.append(box)
            return Prediction("neutral", 1.0, {"neutral": 1.0})

    recognizer = ExpressionRecognizer(FaceDetector("single"), Calm())
    for k in range(60):
        recognizer.read(np.roll(grey, 4 * (k % 2), axis=1), k / 30)
    assert len(read) < 0.75 * len(seen)
    assert len(seen) >= 25  # about twenty times a second
