"""Measuring asks a classifier as it is asked at run time, and counts what it cannot ask about."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.images.files import PhotoError
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import FacePreparation, prepare_crop
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import (
    CROPPED,
    DETECT,
    DataSet,
    LabelledImage,
    held,
)
from expression_ros.training.evaluation.measurement import measure


class Recorder:
    """Says happiness, and keeps what it was asked about."""

    labels = ("happiness", "neutral")

    def __init__(self, light: str = "none") -> None:
        self.face = FacePreparation(size=32, light=light)
        self.faces: list[np.ndarray] = []
        self.boxes: list[tuple[int, ...]] = []

    def predict(self, face: np.ndarray) -> Prediction:
        self.faces.append(face)
        return Prediction("happiness", 0.8, {"happiness": 0.8, "neutral": 0.2})

    def read(self, grey_frame: np.ndarray, box) -> Prediction:
        self.boxes.append(tuple(box))
        return Prediction("happiness", 0.8, {"happiness": 0.8, "neutral": 0.2})


def data_of(*images: tuple[str, np.ndarray], **changes) -> DataSet:
    named = [LabelledImage(f"{k}.png", label, held(image))
             for k, (label, image) in enumerate(images)]  # fmt: skip
    return DataSet("made up", named, [], **{"faces": CROPPED, **changes})


@pytest.fixture(scope="module")
def portrait(astronaut):
    return cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)


@pytest.fixture
def crop():
    return np.random.default_rng(3).integers(40, 200, (48, 48), np.uint8)


def test_portraits_get_the_label_and_score_of_the_pipeline(shipped_classifier, portrait):
    images = [portrait, portrait[:, ::-1].copy(), cv2.resize(portrait, (300, 300)), portrait // 2]
    result = measure(
        shipped_classifier, data_of(*(("happiness", p) for p in images)), DETECT, min_face=0.12
    )
    recognizer = ExpressionRecognizer(FaceDetector("single", 0.12), shipped_classifier)
    read = [recognizer.read_still(p).faces for p in images]
    assert len(result.said) == sum(map(len, read)) == len(images)
    for prediction, (face,) in zip(result.said, read, strict=True):
        assert (prediction.label, prediction.score) == (face.label, face.score)


def test_crops_go_through_the_models_own_preparation(crop):
    classifier = Recorder(light="equalize")
    measure(classifier, data_of(("neutral", crop)), CROPPED)
    assert np.array_equal(classifier.faces[0], prepare_crop(crop, classifier.face))


def test_light_that_was_treated_already_is_not_treated_again(crop):
    classifier = Recorder(light="clahe")
    prepared = FacePreparation(light="clahe")
    measure(classifier, data_of(("neutral", crop), crops=prepared), CROPPED)
    assert np.array_equal(classifier.faces[0], prepare_crop(crop, FacePreparation(size=32)))


def test_light_that_does_not_fit_the_model_is_refused(crop):
    data = data_of(("neutral", crop), crops=FacePreparation(light="equalize"))
    with pytest.raises(DataError, match=r"light equalize, the model expects none: .* --light none"):
        measure(Recorder(), data, CROPPED)


def test_image_with_two_faces_or_none_is_counted_and_not_judged(portrait):
    wall = np.full((300, 300), 128, np.uint8)
    two = np.hstack([portrait, portrait])
    classifier = Recorder()
    data = data_of(("happiness", portrait), ("happiness", wall), ("neutral", two), faces=DETECT)
    result = measure(classifier, data, DETECT)
    found = FaceDetector("single", 0.12).search_frame(portrait)
    assert classifier.boxes[0] == tuple(found[0].box)
    assert "1.png" in [drop.source for drop in result.no_face]
    assert len(result.truth) + len(result.no_face) == 3 == len(result.detection_s)
    assert len(result.latency_s) == len(result.said) == len(result.truth)


def test_labels_the_classifier_cannot_say_are_not_even_read():
    def fail() -> np.ndarray:
        raise AssertionError("was read")

    data = DataSet("made up", [LabelledImage("a.png", "contempt", fail)] * 2, [], CROPPED)
    result = measure(Recorder(), data, CROPPED)
    assert result.cannot_say == {"contempt": 2} and not result.truth


def test_unreadable_and_empty_images_are_named(crop):
    def fail() -> np.ndarray:
        raise PhotoError("bad.png: not an image")

    images = [
        LabelledImage("bad.png", "neutral", fail),
        LabelledImage("empty.png", "neutral", held(np.zeros((0, 0), np.uint8))),
        LabelledImage("good.png", "neutral", held(crop)),
    ]
    result = measure(Recorder(), DataSet("made up", images, [], CROPPED), CROPPED)
    assert [drop.source for drop in result.unreadable] == ["bad.png", "empty.png"]
    assert str(result.unreadable[0]) == "bad.png: unreadable image: not an image"
    assert len(result.truth) == 1 and not result.right[0] and result.scores[0] == 0.8
    assert not result.detection_s


@pytest.mark.parametrize(("faces", "min_face"), [("auto", 0.12), (DETECT, 0.0)])
def test_settings_out_of_range_are_refused(crop, faces, min_face):
    with pytest.raises(DataError, match=r"faces must be|min_face must be"):
        measure(Recorder(), data_of(("neutral", crop)), faces, min_face)


def test_measuring_twice_says_the_same(shipped_classifier, crop):
    data = data_of(("neutral", crop), ("anger", 255 - crop))
    first, again = (measure(shipped_classifier, data, CROPPED) for _ in range(2))
    assert first.said == again.said
