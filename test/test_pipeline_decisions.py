"""When frames are searched, which faces are taken, whose settings count: scripted, no pixels."""

from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from expression_ros.recognition.boxes import Box, Detection, overlap
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings

PATIENCE_S = 20.0
SMALL, LARGE, FAR = Box(10, 10, 60, 60), Box(200, 40, 90, 90), Box(30, 150, 70, 70)
NEVER = 1e3  # seconds between searches of the whole frame


class ScriptedDetector:
    """Sees the faces it is told to see, each with one cascade or, by default, with all."""

    parts, turned_looks, lost_looks = 4, 0, 6

    def small_looks(self, height):
        return 0

    def __init__(self, *boxes, selection="all"):
        self.selection, self.min_face = selection, 0.12
        self.frames_searched = 0
        self.see(*boxes)

    def see(self, *boxes, cascade=None):
        self.boxes, self.cascade = boxes, cascade

    def search_frame(self, grey, cascades=range(4), coarse=False, known=()):
        cascades = list(cascades)
        self.frames_searched += 1
        if self.cascade is not None and self.cascade not in cascades:
            return []
        new = [box for box in self.boxes if all(overlap(box, k) < 0.4 for k in known)]
        if self.selection == "single" and len(new) != 1:
            return []
        return [Detection(box, cascades[0]) for box in new]

    def search_photo(self, grey):
        return [Detection(box, 0) for box in self.boxes]

    def search_near(self, grey, known):
        near = [box for box in self.boxes if overlap(box, known.box) > 0.2]
        return Detection(near[0], known.cascade) if near else None

    def search_size(self, grey, known):
        return self.search_near(grey, known)

    def search_lost(self, grey, known, cascade):
        return self.search_near(grey, known)

    def clone(self):
        return self


class ScriptedClassifier:
    """Says the scores it is told to say."""

    labels = ("neutral", "happiness")

    def __init__(self, neutral=1.0):
        self.neutral = neutral

    def read(self, grey_frame, box):
        scores = {"neutral": self.neutral, "happiness": 1 - self.neutral}
        label = max(scores, key=scores.__getitem__)
        return Prediction(label, scores[label], scores)


class Stream:
    """Frames in which everything moves, so that nothing is taken to be as before."""

    def __init__(self, recognizer):
        self.recognizer = recognizer
        self._rng = np.random.default_rng(0)

    def read(self, stamp):
        grey = self._rng.integers(0, 256, (240, 320)).astype(np.uint8)
        return self.recognizer.read(grey, stamp)

    def boxes(self, stamp):
        return [face.box for face in self.read(stamp).faces]


def stream(detector, classifier=None, **settings):
    return Stream(
        ExpressionRecognizer(
            detector, classifier or ScriptedClassifier(), RecognitionSettings(**settings)
        )
    )


@pytest.mark.parametrize("order", [(SMALL, LARGE, FAR), (LARGE, FAR, SMALL), (FAR, SMALL, LARGE)])
def test_faces_are_told_largest_first_whatever_was_found_first(order):
    frames = stream(ScriptedDetector(*order))
    assert [frames.boxes(k / 30) for k in range(3)] == [[LARGE, FAR, SMALL]] * 3


def test_time_that_goes_back_starts_anew():
    detector = ScriptedDetector(SMALL)
    frames = stream(detector, ScriptedClassifier(), redetect_interval=NEVER)
    (before,) = frames.read(100.0).faces
    detector.see(SMALL, LARGE)
    frames.recognizer.classifier.neutral = 0.0
    after = frames.read(0.0)
    assert [face.box for face in after.faces] == [LARGE, SMALL]  # searched as the first frame
    assert before.id not in {face.id for face in after.faces}
    assert {face.label for face in after.faces} == {"happiness"}
    assert {face.score for face in after.faces} == {1.0}  # not averaged with what was before


@pytest.mark.parametrize("cascade", range(4))
def test_a_face_that_jumps_is_searched_with_every_cascade_in_the_next_frames(cascade):
    detector = ScriptedDetector(SMALL)
    frames = stream(detector, redetect_interval=NEVER)
    assert frames.boxes(0.0) == [SMALL]
    detector.see(LARGE, cascade=cascade)
    seen = [frames.boxes(k / 60) for k in range(1, 5)]
    assert seen == [[]] * cascade + [[LARGE]] * (4 - cascade)


@pytest.mark.parametrize(("selection", "faces"), [("single", 1), ("all", 2)])
def test_who_comes_while_somebody_is_known_counts_unless_one_face_is_asked_for(selection, faces):
    detector = ScriptedDetector(SMALL, selection=selection)
    frames = stream(detector, redetect_interval=0.5)
    assert frames.boxes(0.0) == [SMALL]
    detector.see(SMALL, LARGE)
    seen = [len(frames.boxes(k / 10)) for k in range(1, 20)]
    assert max(seen) == seen[-1] == faces


def test_an_empty_room_in_which_something_moves_is_searched_eight_times_a_second():
    detector = ScriptedDetector()
    frames = stream(detector, redetect_interval=NEVER)
    for k in range(120):
        assert frames.boxes(k / 60) == []
    assert 13 <= detector.frames_searched <= 17


def test_the_primary_face_of_an_image_is_the_first_of_the_largest_first():
    recognizer = ExpressionRecognizer(ScriptedDetector(LARGE, FAR, SMALL), ScriptedClassifier())
    reading = recognizer.read_still(np.zeros((240, 320), np.uint8))
    assert [face.box for face in reading.faces] == [LARGE, FAR, SMALL]
    assert reading.primary == reading.faces[0]
    with pytest.raises(ValueError, match="must be a"):
        recognizer.read_still(np.zeros((240, 320, 3), np.uint8))


class SlowClone(ScriptedDetector):
    """Searches in the background until it may end."""

    def __init__(self, *boxes):
        super().__init__(*boxes)
        self.begun, self.may_end, self.ended = (threading.Event() for _ in range(3))

    def search_frame(self, grey, cascades=range(4), coarse=False, known=()):
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        self.ended.set()
        return super().search_frame(grey, cascades, coarse, known)


class DetectorWithClone(ScriptedDetector):
    def __init__(self, clone, *boxes):
        super().__init__(*boxes)
        self._clone = clone

    def clone(self):
        return self._clone

    def search_near(self, grey, known):
        return known  # whoever was found is still there


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_search_in_the_background_counts_but_not_after_a_reset(is_reset):
    clone = SlowClone(LARGE)
    frames = stream(DetectorWithClone(clone, SMALL), background=True)
    assert frames.boxes(0.0) == [SMALL]
    assert frames.boxes(1.1) == [SMALL]
    assert clone.begun.wait(PATIENCE_S)
    if is_reset:
        frames.recognizer.reset()
    clone.may_end.set()
    assert clone.ended.wait(PATIENCE_S)
    seen = [frames.boxes(1.2 + k / 1000) for k in range(200)]
    frames.recognizer.close()
    assert seen[-1] == ([SMALL] if is_reset else [LARGE, SMALL])


def test_every_setting_is_taken_over_while_frames_are_read():
    classifier, detector = ScriptedClassifier(0.6), ScriptedDetector(SMALL)
    frames = stream(detector, classifier, smoothing=0.0, redetect_interval=NEVER)
    recognizer = frames.recognizer

    def set_up(**changes):
        recognizer.settings = replace(recognizer.settings, **changes)

    def primary(stamp):
        return frames.read(stamp).primary

    assert primary(0.0).label == "neutral"
    classifier.neutral = 0.46  # a lead of 0.08
    assert primary(0.1).label == "neutral"
    set_up(switch_margin=0.05)
    assert primary(0.2).label == "happiness"
    set_up(min_confidence=0.6)
    assert primary(0.3).label == "unknown"
    set_up(smoothing=10.0)
    classifier.neutral = 1.0
    assert primary(0.4).scores["neutral"] < 0.5

    detector.see(SMALL, LARGE)
    assert primary(0.5).box == SMALL
    set_up(redetect_interval=0.5)
    newcomer = frames.read(0.6).faces[0]
    assert newcomer.box == LARGE
    assert primary(0.7).box == SMALL  # for half a second
    set_up(primary="id", primary_id=newcomer.id)
    assert primary(0.8).box == LARGE


class Swapping(ScriptedClassifier):
    """A classifier during whose reading somebody puts other settings in place."""

    def __init__(self, settings):
        super().__init__(0.6)
        self.recognizer, self.settings = None, settings

    def read(self, grey_frame, box):
        self.recognizer.settings = self.settings
        return super().read(grey_frame, box)


def test_a_frame_is_read_to_its_end_with_the_settings_of_its_start():
    classifier = Swapping(RecognitionSettings(smoothing=0.0, min_confidence=0.9))
    frames = stream(ScriptedDetector(SMALL), classifier, smoothing=0.0)
    classifier.recognizer = frames.recognizer
    assert [frames.read(k / 10).primary.label for k in range(2)] == ["neutral", "unknown"]
    frames.recognizer.settings = RecognitionSettings()
    grey = np.zeros((240, 320), np.uint8)
    said = [frames.recognizer.read_still(grey).primary.label for _ in range(2)]
    assert said == ["neutral", "unknown"]


def test_detector_and_classifier_are_set_with_the_rest():
    detector = ScriptedDetector(SMALL)
    frames = stream(detector)
    as_made = detector.selection, detector.min_face
    frames.read(0.0)
    assert (detector.selection, detector.min_face) == as_made  # of which nothing was said
    frames.recognizer.settings = RecognitionSettings(face_selection="single", min_face=0.3)
    assert (detector.selection, detector.min_face) == as_made  # no frame has begun
    frames.read(0.1)
    assert (detector.selection, detector.min_face) == ("single", 0.3)
    frames.recognizer.settings = RecognitionSettings(expectation="posed")
    with pytest.raises(ModelError, match="posed faces"):
        frames.read(0.2)
    frames.recognizer.settings = RecognitionSettings(expectation="everyday")
    assert frames.read(0.3).faces


def test_a_classifier_that_takes_the_place_of_another_is_told_what_to_expect():
    frames = stream(ScriptedDetector(SMALL))
    frames.recognizer.settings = RecognitionSettings(expectation="everyday")
    assert frames.read(0.0).faces
    told = []

    class Expecting(type(frames.recognizer.classifier)):
        expectations = {"everyday": "as they come"}

        def expect(self, expectation):
            told.append(expectation)

    frames.recognizer.classifier = Expecting()
    frames.read(0.1)
    frames.read(0.2)
    assert told == ["as they come"]  # once: not in every frame


def test_a_reading_cannot_be_changed():
    reading = stream(ScriptedDetector(SMALL)).read(0.0)
    with pytest.raises(TypeError):
        reading.stage_s["convert"] = 1.0
    with pytest.raises(FrozenInstanceError):
        reading.primary = None


# Over time


class Sitter(Stream):
    """Somebody at SMALL, in light that flickers, who holds still but may move the mouth."""

    speaks = False

    def read(self, stamp):
        grey = np.random.default_rng(1).integers(90, 120, (240, 320)).astype(np.uint8)
        face = grey[SMALL.y : SMALL.y + SMALL.h, SMALL.x : SMALL.x + SMALL.w]
        face[15:30, 10:50] = 30  # the eyes
        face[42:56, 10:50] = self._rng.integers(0, 255, (14, 40)) if self.speaks else 60
        self._light = 20 - self._light
        return self.recognizer.read(grey + np.uint8(self._light), stamp)

    _light = 0


def sitter(*args, **settings):
    return Sitter(stream(*args, **settings).recognizer)


def labels_over(frames, seconds, start=0.0, rate=30):
    """Return what is said of the primary face in each of the frames that follow."""
    readings = [frames.read(start + k / rate).primary for k in range(round(seconds * rate))]
    return [reading.label for reading in readings if reading]


def test_a_face_is_read_relative_to_its_rest_and_a_new_one_as_it_is():
    classifier, detector = ScriptedClassifier(0.4), ScriptedDetector(SMALL)
    frames = sitter(detector, classifier)  # a face that looks a little happy
    assert labels_over(frames, 0.5) == ["happiness"] * 15
    assert labels_over(frames, 4.0, 0.5)[-1] == "neutral"
    detector.see()
    labels_over(frames, 2.0, 4.5)
    detector.see(SMALL)
    assert labels_over(frames, 0.5, 6.5)[0] == "happiness"  # somebody else
    still = frames.recognizer.read_still(np.zeros((240, 320), np.uint8)).faces[0]
    assert (still.label, still.score) == ("happiness", 0.6)


@pytest.mark.parametrize("why", ["switched off", "the model is the person's own"])
def test_the_rest_is_not_taken_into_account_where(why):
    classifier = ScriptedClassifier(0.4)
    frames = sitter(ScriptedDetector(SMALL), classifier, resting_state=why != "switched off")
    if why != "switched off":
        classifier.person = "ada"
    assert set(labels_over(frames, 5.0)) == {"happiness"}


@pytest.mark.parametrize("doubt_time", [0.5, 2.0])
def test_doubt_lasts_as_long_as_it_is_set_to(doubt_time):
    classifier = ScriptedClassifier(1.0)
    frames = sitter(ScriptedDetector(SMALL), classifier, min_confidence=0.99,
                    resting_state=False)  # fmt: skip
    frames.recognizer.settings = replace(frames.recognizer.settings, doubt_time=doubt_time)
    labels_over(frames, 1.0)
    classifier.neutral = 0.7  # the strongest doubt that there is
    said = labels_over(frames, 4.0, 1.0)
    assert said.index("unknown") == pytest.approx(30 * doubt_time, abs=9)


def smile_after_talking(**settings):
    """Return after how many frames the smile is said that ends somebody's talking."""
    classifier = ScriptedClassifier(1.0)
    frames = sitter(ScriptedDetector(SMALL), classifier, **settings)
    frames.speaks = True
    labels_over(frames, 2.0)
    frames.speaks, classifier.neutral = False, 0.0
    return labels_over(frames, 5.0, 2.0).index("happiness")


def test_who_talks_must_smile_for_longer():
    assert smile_after_talking(talking_time=0.0) < 15
    assert 24 < smile_after_talking(talking_time=1.0) < 42


def test_a_syllable_is_no_expression_even_before_it_is_known_that_somebody_talks():
    classifier = ScriptedClassifier(1.0)
    frames = sitter(ScriptedDetector(SMALL), classifier)
    labels_over(frames, 1.0)
    frames.speaks, classifier.neutral = True, 0.0
    assert set(labels_over(frames, 0.4, 1.0)) == {"neutral"}
    frames.speaks = False
    assert "happiness" in labels_over(frames, 2.0, 1.4)
