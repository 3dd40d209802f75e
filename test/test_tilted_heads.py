"""Heads that are tilted when they come into view: found, and read upright."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.recognition.boxes import overlap
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.pipeline import ExpressionRecognizer


@pytest.mark.parametrize("turn", [25, -25, 30, -30])
def test_a_head_that_comes_into_view_tilted_is_found_within_a_second_and_read_upright(
    astronaut, shipped_classifier, turn
):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    detector = FaceDetector()
    upright = next(d.box for d in detector.search_photo(grey) if d.box.w > 80)
    around = cv2.getRotationMatrix2D(upright.centre, turn, 1.0)
    tilted = cv2.warpAffine(grey, around, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    recognizer = ExpressionRecognizer(detector, shipped_classifier)
    rng = np.random.default_rng(0)
    room = np.full_like(grey, 90)
    found = None
    for k in range(60):
        scene = room if k < 30 else tilted
        frame = np.clip(scene + rng.normal(0, 6, grey.shape), 0, 255).astype(np.uint8)
        reading = recognizer.read(np.roll(frame, 9 * (k % 2), axis=1), k / 30)
        if reading.faces:
            found = reading.faces[0]
            break
    assert found is not None and k >= 30
    assert overlap(found.box, upright) > 0.5
    assert found.label == "happiness"


def test_a_tilted_face_is_given_to_the_classifier_upright(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    detector = FaceDetector()
    upright = next(d.box for d in detector.search_photo(grey) if d.box.w > 80)
    seen = []

    class Watching:
        labels = ("neutral",)

        def read(self, grey_frame, box):
            seen.append(prepare_face(grey_frame, box).astype(float))
            return Prediction("neutral", 1.0, {"neutral": 1.0})

    expected = prepare_face(grey, upright).astype(float)
    for turn in (25, -25):
        around = cv2.getRotationMatrix2D(upright.centre, turn, 1.0)
        tilted = cv2.warpAffine(grey, around, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        seen.clear()
        ExpressionRecognizer(FaceDetector(), Watching()).read_still(tilted)
        as_it_stands = prepare_face(tilted, upright).astype(float)
        likeness = np.corrcoef(seen[0].ravel(), expected.ravel())[0, 1]
        assert likeness > 0.8
        assert likeness > np.corrcoef(as_it_stands.ravel(), expected.ravel())[0, 1] + 0.1
