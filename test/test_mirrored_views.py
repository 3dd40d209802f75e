"""A face and its mirror image, read as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.recognition.face_views import agreed, mirrored, read_both_ways
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.pipeline import ExpressionRecognizer

boxes = st.tuples(
    st.integers(-20, 100), st.integers(-20, 100), st.integers(25, 90), st.integers(25, 90)
)


@given(boxes, st.integers(0, 2**31))
def test_what_is_read_is_the_mirror_image_of_the_face(box, seed):
    grey = np.random.default_rng(seed).integers(0, 256, (120, 130)).astype(np.uint8)
    around, there = mirrored(grey, box)
    face = FacePreparation(size=24)
    whole = prepare_face(np.ascontiguousarray(grey[:, ::-1]),
                         (130 - box[0] - box[2], *box[1:]), face)  # fmt: skip
    assert (prepare_face(around, there, face) == whole).all()
    assert there[2:] == box[2:]


def test_only_the_surroundings_are_copied():
    around, _ = mirrored(np.zeros((1080, 1920), np.uint8), Box(800, 400, 100, 100))
    assert max(around.shape) <= 200


def said(label, votes=None, **scores):
    return Prediction(label, scores[label], scores, votes or {})


def test_scores_are_averaged_and_the_best_is_the_label():
    both = agreed([said("a", a=0.6, b=0.4), said("b", a=0.1, b=0.9)])
    assert (both.label, both.votes) == ("b", {})
    assert both.scores == {"a": pytest.approx(0.35), "b": pytest.approx(0.65)}
    assert both.score == both.scores["b"]


def test_the_mode_of_all_votes_has_the_say():
    first = said("a", {"a": 1.0, "b": 0.0}, a=0.55, b=0.45)
    second = said("b", {"a": 0.4, "b": 0.6}, a=0.2, b=0.8)
    both = agreed([first, second])
    assert both.label == "a" and both.votes == {"a": pytest.approx(0.7), "b": pytest.approx(0.3)}
    assert both.score == max(both.scores.values()) == pytest.approx(0.625)


def test_one_view_agrees_with_itself():
    one = said("b", {"a": 0.5, "b": 0.5}, a=0.2, b=0.8)
    assert agreed([one]) == one


def test_a_photo_reads_as_its_mirror_image(astronaut):
    classifier = load_classifier("fisherfaces")
    detector = FaceDetector()
    grey = np.ascontiguousarray(astronaut.mean(axis=2).astype(np.uint8))
    (found,) = detector.search_photo(grey)[:1]
    x, y, w, h = found.box
    one = read_both_ways(classifier, grey, found.box)
    other = read_both_ways(
        classifier, np.ascontiguousarray(grey[:, ::-1]), (grey.shape[1] - x - w, y, w, h)
    )
    assert one.scores == pytest.approx(other.scores, abs=1e-6)
    assert one.scores != pytest.approx(classifier.read(grey, found.box).scores, abs=1e-5)


class Sided:
    """Says of a face whether its left or its right half is the brighter one."""

    labels = ("anger", "happiness")

    def __init__(self):
        self.asked = []

    def read(self, grey, box):
        x, y, w, h = box
        face = grey[y : y + h, x : x + w]
        left = float(face[:, : w // 2].mean() > face[:, w - w // 2 :].mean())
        self.asked.append(left)
        scores = {"anger": 1 - left, "happiness": left}
        return Prediction(self.labels[int(left)], 1.0, scores, scores)


def test_a_stream_reads_a_face_and_its_mirror_image_in_turns(astronaut):
    grey = np.ascontiguousarray(astronaut.mean(axis=2).astype(np.uint8))
    grey[:, : grey.shape[1] // 2] //= 2
    classifier = Sided()
    recognizer = ExpressionRecognizer(FaceDetector(), classifier)
    said = []
    for k in range(12):
        said.append(recognizer.read(np.roll(grey, 8 * (k % 2), axis=1), k * 0.1).faces[0].votes)
    turns = np.array(classifier.asked)
    assert len(turns) >= 8
    assert (turns[1:] != turns[:-1]).all()
    # Each reading is taken together with the one before.
    assert said[0] != said[1] == said[2] == {"anger": 0.5, "happiness": 0.5}


def test_a_look_of_long_ago_is_not_taken_together_with_one_of_now(astronaut):
    grey = np.ascontiguousarray(astronaut.mean(axis=2).astype(np.uint8))
    recognizer = ExpressionRecognizer(FaceDetector(), Sided())
    said = [recognizer.read(np.roll(grey, 8 * k, axis=1), k * 0.5).faces[0].votes for k in range(4)]
    assert all(set(votes.values()) == {0.0, 1.0} for votes in said)
