"""Whatever came before, the next good frames are read: sizes, stamps, contents and failures.

The cascades are replaced by ones that see a bright square, so that thousands of sequences take
seconds; all else is the real code. At the end the same with real cascades and a real face.
"""

from __future__ import annotations

import math
from concurrent.futures import Future

import cv2
import numpy as np
import pytest
from failing_collaborators import BrightSquare, Calm, Faults, InjectedError, InlineExecutor, frame
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from expression_ros.recognition import detection, search
from expression_ros.recognition.boxes import Box, Detection
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings

RATE = 30.0
GOOD_FRAMES = 60  # at 30 Hz: the search interval of a second, four turns, half a second's patience


@pytest.fixture
def faults(monkeypatch):
    monkeypatch.setattr(detection, "load_cascade", lambda name: BrightSquare())
    monkeypatch.setattr(search, "ThreadPoolExecutor", InlineExecutor)
    return Faults(monkeypatch)


def check(reading, grey):
    """Hold one reading to what is true of every reading."""
    height, width = grey.shape
    for face in reading.faces:
        x, y, w, h = face.box
        assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= width and y + h <= height
        assert sum(face.scores.values()) == pytest.approx(1.0)
        assert 0 <= face.score <= 1 + 1e-9
    ids = [face.id for face in reading.faces]
    assert len(set(ids)) == len(ids)
    assert reading.primary is None or reading.primary in reading.faces


sides = st.sampled_from((1, 2, 23, 24, 25, 101, 240, 480, 641)) | st.integers(1, 700)
steps = st.sampled_from((0.0, 1 / RATE, 1.0, 1e-9, 0.4, 3.0, 1e6, 1e11, -1 / RATE, -7200.0))
contents = st.sampled_from(("face", "face", "noise", "nothing"))
places = st.sampled_from((0.0, 0.5, 1.0)) | st.floats(0, 1)


class AnyStream(RuleBasedStateMachine):
    """Everything that may happen to a recognizer, in any order."""

    faults: Faults

    def __init__(self):
        super().__init__()
        self.faults.armed = ""
        self.recognizer = ExpressionRecognizer(
            FaceDetector(), Calm(), RecognitionSettings(background=True)
        )
        self.stamp = 0.0
        self.seen: set[int] = set()
        self.retired: set[int] = set()
        self.size = (0, 0)

    def read(self, grey):
        reading = self.recognizer.read(grey, self.stamp)
        check(reading, grey)
        ids = {face.id for face in reading.faces}
        assert not ids & self.retired, "an id was given twice"
        self.seen |= ids
        return reading

    def move(self, grey, step):
        if grey.shape != self.size or step < 0:
            self.retired |= self.seen
        self.size = grey.shape
        self.stamp += step

    @rule(width=sides, height=sides, content=contents, place=places, step=steps)
    def any_frame(self, width, height, content, place, step):
        grey = frame(width, height, content, place)
        self.move(grey, step)
        self.read(grey)

    @rule(place=places, content=contents, step=steps)
    def same_size(self, place, content, step):
        height, width = self.size if self.size[0] else (240, 320)
        self.any_frame(width, height, content, place, step)

    @rule(name=st.sampled_from(Faults.names), late=st.booleans(), frames=st.integers(1, 3),
          place=places, content=contents, step=steps)  # fmt: skip
    def failure(self, name, late, frames, place, content, step):
        height, width = self.size if self.size[0] else (240, 320)
        self.faults.armed, self.faults.late = name, late
        for _ in range(frames):
            grey = frame(width, height, content, place)
            self.move(grey, step)
            try:
                self.read(grey)
            except InjectedError:
                self.retired |= set() if "clone" in name or "frame" in name else self.seen
        self.faults.armed = ""
        if self.pending_failure():  # of a search in the background: told once
            with pytest.raises(InjectedError):
                self.read(frame(width, height, content, place))

    def pending_failure(self):
        future = self.recognizer._search._newcomers
        return future is not None and future.done() and future.exception() is not None

    @rule()
    def reset(self):
        self.recognizer.reset()
        self.retired |= self.seen

    @rule(stamp=st.sampled_from((math.nan, math.inf, -math.inf, 1.7e18)))
    def no_time(self, stamp):
        with pytest.raises(ValueError, match="seconds"):
            self.recognizer.read(frame(320, 240, "face"), stamp)

    @rule(shape=st.sampled_from(((0, 0), (0, 9), (9, 9, 3))))
    def no_frame(self, shape):
        with pytest.raises(ValueError, match="must be a"):
            self.recognizer.read(np.zeros(shape, np.uint8), self.stamp)

    @rule(scores=st.sampled_from(({}, {"neutral": math.nan, "happiness": 0.1})))
    def nonsense_from_the_classifier(self, scores):
        recognizer, classifier = self.recognizer, self.recognizer.classifier
        recognizer.classifier = type("Mad", (), {
            "labels": Calm.labels,
            "read": lambda *_: Prediction("neutral", math.nan, scores),
        })()  # fmt: skip
        grey = frame(320, 240, "face")
        self.move(grey, 0.4)
        try:
            recognizer.read(grey, self.stamp)
        except ValueError:
            self.retired |= self.seen
        recognizer.classifier = classifier

    @rule(
        interval=st.sampled_from((0.2, 1.0)),
        smoothing=st.sampled_from((0.0, 0.25)),
        background=st.booleans(),
        selection=st.sampled_from(("all", "single")),
        primary=st.sampled_from(("largest", "centre", "longest")),
    )
    def set_up(self, interval, smoothing, background, selection, primary):
        self.recognizer.settings = RecognitionSettings(
            redetect_interval=interval, smoothing=smoothing, background=background, primary=primary,
            face_selection=selection,
        )  # fmt: skip

    @rule(place=places, step=st.sampled_from((1 / RATE, 0.0)), width=st.sampled_from((320, 641)))
    def good_frames(self, place, step, width):
        """A face that stays is read, and is gone when it is gone, also where the stamp is stuck."""
        grey = frame(width, 241, "face", place)
        self.move(grey, step)
        for _ in range(GOOD_FRAMES):
            if self.read(grey).primary is not None:
                break
            self.stamp += step
        else:
            raise AssertionError(f"no label in {GOOD_FRAMES} good frames")
        empty = frame(width, 241)
        for _ in range(2):
            self.stamp += step
            reading = self.read(empty)
        assert reading.faces == ()

    @invariant()
    def no_fault_is_left(self):
        assert self.faults.armed == ""


def test_after_any_sequence_good_frames_are_read(faults):
    machine = type("AnyStreamWithFaults", (AnyStream,), {"faults": faults})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=80,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class WaitingExecutor(InlineExecutor):
    """Runs a background search when the test says so."""

    work: list = []

    def submit(self, work, *arguments):
        future = Future()
        self.work.append((future, work, arguments))
        return future

    @classmethod
    def finish(cls):
        for future, work, arguments in cls.work:
            try:
                future.set_result(work(*arguments))
            except Exception as error:
                future.set_exception(error)
        cls.work.clear()


@pytest.fixture
def searching(faults, monkeypatch):
    """Return a recognizer that follows a face, and whose search for newcomers is under way."""
    monkeypatch.setattr(search, "ThreadPoolExecutor", WaitingExecutor)
    WaitingExecutor.work.clear()
    recognizer = ExpressionRecognizer(
        FaceDetector(), Calm(), RecognitionSettings(background=True, redetect_interval=0.2)
    )
    grey = frame(320, 240, "face")
    for k in range(10):
        recognizer.read(grey, k / RATE)
    assert len(WaitingExecutor.work) == 1
    return recognizer


def test_a_search_in_the_background_that_failed_is_told_once_and_made_again(searching, faults):
    grey = frame(320, 240, "face")
    before = searching.read(grey, 10 / RATE)
    faults.armed = "FaceDetector.clone"
    WaitingExecutor.finish()
    faults.armed = ""
    with pytest.raises(InjectedError):
        searching.read(grey, 11 / RATE)
    for k in range(12, 22):
        reading = searching.read(grey, k / RATE)
        assert reading.faces[0].id == before.faces[0].id  # the face in view is not forgotten
    assert WaitingExecutor.work  # searched again


@pytest.mark.parametrize("event", ["reset", "other size", "time goes back"])
def test_what_a_search_found_before_a_reset_does_not_count(searching, faults, monkeypatch, event):
    stranger = Detection(Box(200, 100, 80, 80), 0)
    monkeypatch.setattr(FaceDetector, "search_near", lambda self, grey, known: known)
    monkeypatch.setattr(FaceDetector, "search_frame", lambda *_: [stranger])
    WaitingExecutor.finish()
    face = Detection(Box(0, 0, 80, 80), 0)
    monkeypatch.setattr(FaceDetector, "search_frame", lambda *_: [face])
    grey, stamp = frame(320, 240, "face"), 11 / RATE
    if event == "reset":
        searching.reset()
    elif event == "other size":
        grey = frame(400, 300, "face")
    else:
        stamp = -1.0
    for k in range(3):
        reading = searching.read(grey, stamp + k / RATE)
        assert [one.box for one in reading.faces] == [face.box]


def test_a_face_outside_a_smaller_frame_does_not_end_the_reading(faults):
    recognizer = ExpressionRecognizer(FaceDetector(), Calm(), RecognitionSettings())
    first = recognizer.read(frame(640, 480, "face", place=1.0), 0.0)
    reading = recognizer.read(frame(320, 240, "face"), 1 / RATE)
    assert len(first.faces) == len(reading.faces) == 1
    assert reading.faces[0].id != first.faces[0].id


@pytest.mark.parametrize("before", ["an exception", "time goes back"])
def test_another_size_counts_also_right_after_another_new_beginning(faults, before):
    recognizer = ExpressionRecognizer(FaceDetector(), Calm(), RecognitionSettings())
    recognizer.read(frame(320, 240, "face"), 5.0)
    if before == "an exception":
        faults.armed = "FaceTracker.update"
        with pytest.raises(InjectedError):
            recognizer.read(frame(320, 240, "face"), 5.1)
        faults.armed = ""
    sooner = recognizer.read(frame(320, 240, "face"), 1.0).faces[0].id
    assert recognizer.read(frame(322, 240, "face"), 1.1).faces[0].id != sooner


def test_frames_of_ever_other_sizes_cost_one_search_each(faults):
    detector = FaceDetector()
    recognizer = ExpressionRecognizer(detector, Calm(), RecognitionSettings())
    recognizer.read(frame(320, 240), 0.0)
    for k in range(1, 20):
        before = detector.searches
        recognizer.read(frame(320, 240 + k), k / RATE)
        assert detector.searches - before <= 1


def test_ids_are_not_given_again_after_a_reset(faults):
    recognizer = ExpressionRecognizer(FaceDetector(), Calm())
    ids = []
    for _ in range(3):
        ids.append(recognizer.read(frame(320, 240, "face"), 0.0).faces[0].id)
        recognizer.reset()
    assert len(set(ids)) == 3


def grey_of(image):
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def test_after_any_sequence_of_sizes_a_real_face_is_read(astronaut):
    face = grey_of(astronaut)
    recognizer = ExpressionRecognizer(FaceDetector(), Calm(), RecognitionSettings(background=True))
    rng = np.random.default_rng(0)
    stamp = 0.0
    try:
        for size in ((512, 512), (1, 1), (64, 48), (4096, 3000), (240, 320), (1, 4096), (301, 203)):
            stamp += float(rng.choice([0.0, 1 / RATE, 3600.0, -50.0]))
            for image in (face, rng.integers(0, 255, (99, 99)).astype(np.uint8)):
                grey = cv2.resize(image, size)
                check(recognizer.read(grey, stamp), grey)
            for k in range(3):
                reading = recognizer.read(face, stamp + k / RATE)
                check(reading, face)
                assert reading.primary is not None
            stamp += 2 / RATE
    finally:
        recognizer.close()


def test_time_that_stood_still_is_not_waited_for_when_it_runs_again(faults):
    """Stamps that stand still for two seconds, then run: who leaves then is forgotten in time."""
    recognizer = ExpressionRecognizer(FaceDetector(), Calm())
    for _ in range(60):
        assert recognizer.read(frame(320, 240, "face", 0.5), 0.0).faces
    for k in range(1, 31):
        recognizer.read(frame(320, 240), k / RATE)
    assert not recognizer._tracker.tracks
