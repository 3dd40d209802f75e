"""Features of 68 points, and dlib's points where dlib is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from generated_faces import write_drawn_fer2013
from test_vector_classifiers import train

from expression_ros.recognition.descriptors import make_descriptor
from expression_ros.recognition.landmarks import (
    FEATURES,
    LandmarkError,
    LandmarkFinder,
    landmark_features,
)
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.models import load_classifier


@pytest.fixture
def dlib():
    pytest.importorskip("dlib", reason="needs dlib: pip install dlib-bin")
    try:
        LandmarkFinder()
    except LandmarkError as error:
        pytest.skip(str(error))


def shape() -> np.ndarray:
    """Return 68 points with eyes where iBUG numbers them."""
    points = np.random.default_rng(0).uniform(20, 80, (68, 2))
    points[36:42] += (0, 40)
    points[42:48] = points[36:42] + (30, 0)
    return points


def test_features_are_those_of_the_tutorial_levelled_and_without_size():
    features = landmark_features(shape()).reshape(68, 5)
    position, distance, direction = features[:, :2], features[:, 2], features[:, 3:]
    np.testing.assert_allclose(position.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(position, axis=1), distance, atol=1e-6)
    np.testing.assert_allclose(position, distance[:, None] * direction, atol=1e-6)
    assert np.sqrt((distance**2).mean()) == pytest.approx(1)


@pytest.mark.parametrize("degrees", [-40, 15, 90])
def test_turning_moving_and_enlarging_a_face_changes_nothing(degrees):
    points = shape()
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = 3.5 * points @ turn + (200, -40)
    np.testing.assert_allclose(landmark_features(moved), landmark_features(points), atol=1e-5)


def test_points_that_coincide_give_finite_features():
    features = landmark_features(np.ones((68, 2)))
    assert features.shape == (FEATURES,) and np.isfinite(features).all()


def test_missing_dlib_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "dlib", None)
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 9, 3)
    with pytest.raises(ValueError, match="pip install dlib-bin") as caught:
        train("landmarks", "--data", data, "--output", tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_missing_predictor_is_said(dlib, tmp_path):
    with pytest.raises(LandmarkError, match="no landmark predictor"):
        LandmarkFinder(tmp_path / "none.dat")
    (tmp_path / "bad.dat").write_bytes(b"no predictor")
    with pytest.raises(LandmarkError, match="cannot read"):
        LandmarkFinder(tmp_path / "bad.dat")


def test_points_of_a_real_face_lie_where_its_eyes_and_mouth_are(dlib, astronaut):
    from expression_ros.recognition.detection import FaceDetector

    grey = astronaut.mean(axis=2).astype(np.uint8)
    (found,) = FaceDetector(selection="single").search_frame(grey)
    x, y, w, h = found.box
    points = (LandmarkFinder().find(grey, found.box) - (x, y)) / (w, h)
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    mouth, nose = points[48:].mean(axis=0), points[30]
    assert left[0] < nose[0] < right[0]
    assert 0.2 < left[1] < nose[1] < mouth[1] < 1


def test_landmarks_are_trained_loaded_and_their_thresholds_edited(dlib, tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install scikit-learn")
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 90, 30)
    folder = tmp_path / "model"
    words = ("landmarks", "--data", data, "--output", folder, "--threshold", "happy=0.3")
    assert train(*words) == 0
    classifier = load_classifier("landmarks", folder)
    assert classifier.thresholds == {"happiness": 0.3}
    face = np.full((96, 96), 120, np.uint8)
    assert sum(classifier.predict(face).scores.values()) == pytest.approx(1)
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    assert manifest["descriptor"]["size"] == FEATURES
    manifest["settings"]["thresholds"] = {"surprise": 0.4}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    assert load_classifier("landmarks", folder).thresholds == {"surprise": 0.4}
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModelError, match="pip install dlib-bin") as caught:
        load_classifier("landmarks", folder)
    assert "restore" not in str(caught.value)  # the model is whole


def test_descriptor_takes_prepared_faces(dlib):
    descriptor = make_descriptor("landmarks", {"inset": 0.04}, 96, Path())
    assert descriptor.describe(np.full((96, 96), 99, np.uint8)).shape == (1, FEATURES)
    with pytest.raises(ValueError, match="inset"):
        make_descriptor("landmarks", {"inset": 2}, 96, Path())
