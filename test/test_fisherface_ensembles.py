"""Boosted Fisherfaces, OpenCV's own trainer, and the calibration of votes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.recognition.descriptors import make_descriptor
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.training.data.faces import DataError, FaceSet, held_out_mask, write_held_out
from expression_ros.training.evaluation.metrics import coverage_curve, expected_calibration_error
from expression_ros.training.fisherfaces.members import write_opencv_trained
from expression_ros.training.fisherfaces.opencv_model_file import write_opencv_model
from expression_ros.training.fisherfaces.settings import FisherfaceSettings

pytest.importorskip("sklearn", reason="training needs scikit-learn: pip install '.[train]'")

CLASSES = {0: "anger", 1: "happiness", 2: "neutral"}


def ring(count: int = 600, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of a class in the middle and one on all sides, which no line can part."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 2, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = np.where(numbers == 1, 3.0, 0.0) + rng.normal(0, 0.4, count)
    vectors = rng.normal(0, 0.1, (count, 5))
    vectors[:, 0], vectors[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
    return vectors.astype(np.float32), numbers


def clouds(count: int = 300, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = rng.choice(3, count, p=[0.2, 0.3, 0.5])
    centres = np.random.default_rng(0).normal(0, 1.2, (3, 20))
    return (centres[numbers] + rng.normal(0, 1.5, (count, 20))).astype(np.float32), numbers


def weighted_vote(models, weights, vectors) -> np.ndarray:
    said = np.stack([model.predict(vectors)[0] for model in models], axis=1)
    totals = np.stack([((said == c) * weights).sum(axis=1) for c in range(2)], axis=1)
    return totals.argmax(axis=1)


def test_boosting_parts_what_a_single_discriminant_cannot():
    from expression_ros.training.fisherfaces.ensemble import train_boosted_fisherfaces

    vectors, numbers = ring()
    settings = FisherfaceSettings(members=30, ensemble="boosted", feature_share=1.0)
    models, weights = train_boosted_fisherfaces(vectors, numbers, settings)
    test, truth = ring(400, seed=8)
    alone = np.mean(models[0].predict(test)[0] == truth)
    assert sum(weights) == pytest.approx(1.0) and min(weights) > 0
    assert np.mean(weighted_vote(models, weights, test) == truth) > alone + 0.05


def test_boosting_gives_the_better_member_the_larger_say():
    from expression_ros.training.fisherfaces.ensemble import train_boosted_fisherfaces

    vectors, numbers = clouds()
    settings = FisherfaceSettings(members=5, ensemble="boosted", feature_share=1.0)
    models, weights = train_boosted_fisherfaces(vectors, numbers, settings)
    right = [np.mean(model.predict(vectors)[0] == numbers) for model in models]
    assert int(np.argmax(weights)) == int(np.argmax(right)) == 0  # the others see harder faces


def test_boosting_refuses_a_class_with_too_few_faces():
    from expression_ros.training.fisherfaces.ensemble import train_boosted_fisherfaces

    vectors, _ = clouds(20)
    with pytest.raises(ValueError, match="faces or more each"):
        train_boosted_fisherfaces(vectors, np.repeat([0, 1], [19, 1]), FisherfaceSettings())


def test_opencvs_own_trainer_writes_models_that_predict(tmp_path):
    vectors, numbers = clouds()
    paths = [tmp_path / f"{k}.xml.gz" for k in range(2)]
    write_opencv_trained(paths, vectors, numbers, CLASSES, images=150, seed=1)
    test, truth = clouds(200, seed=6)
    for path in paths:
        member = cv2.face.FisherFaceRecognizer.create()
        member.read(str(path))
        said = [member.predict(vector[None].astype(np.float64))[0] for vector in test]
        assert np.mean(np.array(said) == truth) > 0.6
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_opencvs_own_trainer_needs_every_class_among_its_images(tmp_path):
    vectors, numbers = clouds()
    with pytest.raises(ValueError, match="no image of"):
        write_opencv_trained([tmp_path / "a.xml"], vectors, numbers, CLASSES, images=1, seed=1)


@pytest.fixture
def doubtful_ensemble(tmp_path) -> tuple[FisherfaceEnsemble, np.ndarray, np.ndarray]:
    """Ten nearly identical members on overlapping classes: unanimous, and often wrong together."""
    from expression_ros.training.fisherfaces.ensemble import train_fisherfaces

    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, 3000)
    vectors = (np.eye(3, 2304)[numbers] * 1.5 + rng.normal(0, 1, (3000, 2304))).astype(np.float32)
    keep = vectors.copy()
    keep[:, 3:] = 0.01 * vectors[:, 3:]
    settings = FisherfaceSettings(feature_share=1.0, components=3)
    members = []
    for place, model in enumerate(train_fisherfaces(keep[:1000], numbers[:1000], settings)):
        path = tmp_path / f"{place}.xml"
        write_opencv_model(path, model, CLASSES)
        member = cv2.face.FisherFaceRecognizer.create()
        member.read(str(path))
        members.append(member)
    face = FacePreparation()
    ensemble = FisherfaceEnsemble(members, CLASSES, make_descriptor("pixels", {}, 48), face)
    names = np.array([CLASSES[n] for n in numbers])
    return ensemble, keep[1000:], names[1000:]


def test_calibrated_scores_are_right_as_often_as_they_say(doubtful_ensemble):
    from expression_ros.training.fisherfaces.calibration import fit_vote_calibration

    ensemble, vectors, names = doubtful_ensemble

    def error() -> float:
        said = [ensemble.predict_descriptor(vector[None]) for vector in vectors[1000:]]
        right = np.array([p.label for p in said]) == names[1000:]
        return expected_calibration_error(np.array([p.score for p in said]), right)

    shares = error()
    ensemble.calibration = fit_vote_calibration(ensemble, vectors[:1000], names[:1000])
    assert shares > 0.2 and error() < 0.06


def test_trustworthy_score_is_the_least_that_suffices():
    from expression_ros.training.fisherfaces.calibration import trustworthy_score

    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 1, 20000)
    right = rng.uniform(0, 1, 20000) < scores  # calibrated: above t they are right (1 + t) / 2
    assert trustworthy_score(scores, right, 0.84) == pytest.approx(0.7)
    assert trustworthy_score(scores, np.zeros(20000, bool), 0.85) is None
    # Four right answers of four prove nothing.
    assert trustworthy_score(np.full(4, 0.9), np.ones(4, bool), 0.85) is None


def test_calibration_error_and_coverage_by_hand():
    scores, right = np.array([0.9, 0.9, 0.1, 1.0]), np.array([True, False, False, True])
    # Bins of 0.9: |0.9 + 0.9 - 1|, of 0.1: |0.1 - 0|, of 1.0: |1 - 1|; together over four faces.
    assert expected_calibration_error(scores, right, bins=10) == pytest.approx(
        abs(0.9 + 0.9 + 1.0 - 2) / 4 + 0.1 / 4
    )
    curve = {c.threshold: c for c in coverage_curve(scores, right)}
    assert (curve[0.5].said, curve[0.5].right) == (0.75, pytest.approx(2 / 3))
    assert (curve[0.95].said, curve[0.95].right) == (0.25, 1.0)


def test_held_out_faces_are_found_again_in_any_order(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 48, 48)).astype(np.uint8)
    path = tmp_path / "held_out.txt"
    write_held_out(path, images[5:8])
    order = np.random.default_rng(1).permutation(20)
    assert sorted(order[held_out_mask(path, images[order])]) == [5, 6, 7]
    assert not held_out_mask(tmp_path / "absent.txt", images).any()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="held-out"):
        held_out_mask(path, images)


def test_face_sets_are_taken_apart_and_put_together():
    faces = FaceSet(np.arange(4 * 4, dtype=np.uint8).reshape(4, 2, 2), np.array(list("abca")))
    assert faces.take(np.array([2, 0])).labels.tolist() == ["c", "a"]
    assert len(faces.plus(faces.only({"a"}))) == 6
