"""Reading without the mouth: while somebody speaks, and where the mouth is covered."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from expression_ros.parameters.choices import REGIONS
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import MOUTH_FROM, FacePreparation, prepare_face
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.mouth import MouthWatch
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.regional_vote import regional
from expression_ros.recognition.settings import RecognitionSettings
from expression_ros.resources import models_path
from expression_ros.training.fisherfaces.mouth_cover import COVERS, covered

RATE = 20.0


@pytest.fixture(scope="module")
def whole():
    return load_classifier("fisherfaces")


@pytest.fixture
def face(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    return prepare_face(grey, FaceDetector("single").search_frame(grey)[0].box, FacePreparation())


def painted(face, seed):
    """Return the face with noise from the mouth down."""
    face = face.copy()
    row = round(MOUTH_FROM * len(face))
    face[row:] = np.random.default_rng(seed).integers(0, 256, face[row:].shape)
    return face


def test_the_upper_vote_does_not_see_the_mouth(whole, face):
    vote = regional(whole, "upper")
    answers = [vote.predict(painted(face, seed)) for seed in range(5)]
    assert all(answer == vote.predict(face) for answer in answers)
    assert whole.predict_descriptor(whole.descriptor.describe(face)).label == "happiness"


@pytest.mark.parametrize("kind", COVERS)
def test_a_covered_mouth_is_told_and_read_from_above(whole, face, kind):
    vote = regional(whole, "auto")
    rng = np.random.default_rng(0)
    hidden = [covered(face, kind, face[None], rng) for _ in range(10)]
    told = [vote.cover.is_covered(whole.descriptor.describe(one)) for one in hidden]
    assert sum(told) >= 8
    for one, is_told in zip(hidden, told, strict=True):
        if is_told:
            assert vote.predict(one) == regional(whole, "upper").predict(one)


def test_an_open_face_is_read_as_without_regions(whole, face):
    said = whole.predict_descriptor(whole.descriptor.describe(face))
    assert regional(whole, "auto").predict(face) == said
    assert regional(whole, "full").predict(face) == said
    assert "auto" in REGIONS


def test_on_real_faces_auto_reads_covered_mouths_better(whole, shared_data):
    from expression_ros.training.data.fer2013 import load_fer2013

    _, test = load_fer2013(shared_data / "fer2013.npz")
    test = test.take(np.random.default_rng(0).permutation(len(test))[:400])
    rng = np.random.default_rng(1)
    hidden = [covered(one, COVERS[k % 4], test.images, rng) for k, one in enumerate(test.images)]
    right = {}
    for region in ("full", "auto"):
        vote = regional(whole, region)
        right[region] = [
            np.mean([vote.predict(one).label == label
                     for one, label in zip(images, test.labels, strict=True)])
            for images in (test.images, hidden)
        ]  # fmt: skip
    assert right["auto"][0] >= right["full"][0] - 0.02  # open faces lose hardly anything
    assert right["auto"][1] >= right["full"][1] + 0.05


# Speaking


def watched(images):
    watch = MouthWatch()
    told = []
    for k, image in enumerate(images):
        watch.see(image, k / RATE)
        told.append(watch.is_speaking(k / RATE))
    return told


def talking(face, k):
    """Return the face with its mouth open by the k-th image of somebody who speaks."""
    face = face.copy()
    width = 4 + 2.5 * np.sin(k * 2.1) + 1.5 * np.sin(k * 1.3)
    cv2.ellipse(face, (24, 38), (7, max(0, round(width))), 0, 0, 360, 20, -1)
    return face


def test_a_mouth_that_goes_on_moving_speaks(face):
    told = watched([talking(face, k) for k in range(40)])
    assert not any(told[:10]) and all(told[20:])  # after a second at the latest


def test_who_stops_is_read_in_full_again(face):
    images = [talking(face, k) for k in range(40)] + [face] * 40
    told = watched(images)
    assert told[40] and not any(told[70:])


def test_a_held_expression_does_not_speak(face):
    rng = np.random.default_rng(0)
    noisy = [np.clip(face + rng.normal(0, 3, face.shape), 0, 255).astype(np.uint8)
             for _ in range(60)]  # fmt: skip
    assert not any(watched(noisy))


def test_a_smile_that_comes_up_does_not_speak(face):
    images = []
    for k in range(60):
        image = face.copy()
        share = np.clip((k - 20) / 6, 0, 1)  # within 0.3 s
        size = round(5 + 5 * share), round(1 + 2 * share)
        cv2.ellipse(image, (24, 37), size, 0, 0, 180, 230, -1)
        images.append(image)
    assert not any(watched(images))


def test_a_smile_moves_the_mouth_while_it_comes_up_and_not_while_it_is_held(face):
    watch, moved = MouthWatch(), []
    for k in range(40):
        image = face.copy()
        share = np.clip((k - 20) / 6, 0, 1)
        size = round(5 + 7 * share), round(1 + 5 * share)
        cv2.ellipse(image, (24, 38), size, 0, 0, 360, 230, -1)
        watch.see(image, k / RATE)
        moved.append(watch.is_moving(k / RATE))
    assert any(moved[21:27]) and not any(moved[:20]) and not any(moved[28:])
    watch.see(face, 40 / RATE)
    assert watch.is_moving(40 / RATE) and not watch.is_moving(41 / RATE + 0.3)


def test_a_head_that_shakes_does_not_speak(face):
    shifts = [round(2 * np.sin(k * 1.7)) for k in range(60)]
    assert not any(watched([np.roll(face, (s, -s), (0, 1)) for s in shifts]))


def test_a_gap_in_time_starts_anew(face):
    watch = MouthWatch()
    for k in range(40):
        watch.see(talking(face, k), k / RATE)
    assert watch.is_speaking(39 / RATE)
    watch.see(face, 100.0)
    assert not watch.is_speaking(100.0)
    watch.see(face, 1.0)  # a bag that loops
    assert not watch.is_speaking(1.0)


def test_the_stream_reads_a_talking_face_from_above(whole, astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    box = FaceDetector("single").search_frame(grey)[0].box
    vote = regional(whole, "auto")
    reader = ExpressionRecognizer(FaceDetector("single"), vote, RecognitionSettings(smoothing=0.0))
    upper = regional(whole, "upper")
    same = 0
    for k in range(60):
        frame = grey.copy()
        open_by = round(0.09 * box.w * (1 + np.sin(k * 1.9)))
        cv2.ellipse(frame, (box.x + box.w // 2, box.y + round(0.8 * box.h)),
                    (round(0.16 * box.w), open_by), 0, 0, 360, 20, -1)  # fmt: skip
        reading = reader.read(frame, k / RATE)
        if k >= 40 and reading.primary:
            said = upper.read(frame, reading.primary.box)
            same += dict(said.scores) == pytest.approx(dict(reading.primary.scores), abs=0.05)
    assert same >= 15


# Models


def test_a_damaged_rule_is_named_with_the_remedy(whole, tmp_path):
    folder = tmp_path / "fisherfaces_upper"
    shutil.copytree(models_path("fisherfaces_upper"), folder)
    shutil.copytree(models_path("embedding"), tmp_path / "embedding")
    regional(whole, "auto", folder)
    (folder / "mouth_cover.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match=r"mouth_cover\.npz cannot be used: its SHA-256"):
        regional(whole, "auto", folder)
    (folder / "mouth_cover.npz").unlink()
    with pytest.raises(ModelError, match=r"mouth_cover\.npz is missing; restore"):
        regional(whole, "auto", folder)


def test_what_does_not_fit_is_refused(whole):
    with pytest.raises(ModelError, match="region must be one of auto, full, upper"):
        regional(whole, "lower")
    with pytest.raises(ModelError, match="only the classifier fisherfaces reads by region"):
        regional(object(), "auto")
    with pytest.raises(ModelError, match="does not say how a covered mouth is told"):
        regional(whole, "auto", models_path("fisherfaces"))


def test_a_person_and_a_region_go_together(whole, face):
    from expression_ros.recognition.adapted_vote import AdaptedVote, descriptor_digest
    from expression_ros.recognition.person import Person

    vector = whole.descriptor.describe(face)
    noise = np.random.default_rng(0).normal(0, 0.01, (10, vector.size))
    faces = (vector + noise).astype(np.float32)  # a smile that this person calls neutral
    person = Person("ada", faces, ("neutral",) * 10, np.zeros(10), descriptor_digest(whole), 0.1)
    vote = regional(AdaptedVote(whole, person), "auto")
    assert vote.person is person
    assert vote.predict(face).label == "neutral" != whole.predict(face).label
    hidden = painted(face, 0)
    assert regional(vote.whole, "upper").predict(hidden) == regional(whole, "upper").predict(hidden)
