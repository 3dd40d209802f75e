"""Portraits to learn from, judged on people who were not learnt."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest
from generated_faces import write_drawn_fer2013

from expression_ros.cli import main
from expression_ros.recognition.boxes import overlap
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.people_votes import VOTE_NAMES
from expression_ros.training.fisherfaces.training_set import (
    _moved,
    learnt_portraits,
    read_by_strangers,
    take_rows,
    training_set_of,
    with_portraits,
)

pytest.importorskip("sklearn", reason="training needs scikit-learn: pip install '.[train]'")
COPIES = 3


@pytest.fixture(scope="module")
def archive(astronaut, tmp_path_factory):
    """Return a zip of eight portraits of four people, each smiling brightly and darkly."""
    path = tmp_path_factory.mktemp("portraits") / "portraits.zip"
    with zipfile.ZipFile(path, "w") as file:
        for person in range(4):
            for label, light in (("happiness", 1.0), ("sadness", 0.7)):
                image = (astronaut * (light - 0.05 * person)).astype(np.uint8)
                encoded = cv2.imencode(".png", image)[1].tobytes()
                file.writestr(f"set/{label}/{person:03}_{label[0]}.png", encoded)
    return path


@pytest.fixture(scope="module")
def portraits(archive):
    return learnt_portraits(archive, 48, 0.04, COPIES, seed=1)


def test_each_portrait_is_cut_out_several_times_the_first_as_it_was_found(portraits):
    assert (len(portraits.portraits), portraits.count) == (8, 8)
    faces = portraits.faces
    assert faces.images.shape == (8 * COPIES, 48, 48)
    assert faces.labels.tolist() == ["happiness"] * 4 * COPIES + ["sadness"] * 4 * COPIES
    columns = [VOTE_NAMES.index(label) for label in faces.labels]
    assert (faces.votes[np.arange(len(faces)), columns] == 10).all()
    assert (faces.votes.sum(axis=1) == 10).all()
    first = faces.images[:COPIES].astype(int)
    assert all(np.abs(first[0] - other).mean() > 2 for other in first[1:])


def test_moved_boxes_stay_about_the_face(portraits):
    rng = np.random.default_rng(0)
    box = portraits.portraits[0].box
    moved = [_moved(box, rng) for _ in range(200)]
    assert len(set(moved)) > 100
    assert min(overlap(box, other) for other in moved) > 0.6


def test_nobody_is_judged_by_models_that_learnt_them(portraits):
    learnt: list[set[str]] = []

    def reader(crops):
        owners = np.repeat(portraits.people, COPIES)
        learnt.append(set(owners[crops]))
        assert crops.sum() == 4 * COPIES
        return lambda image, box: Prediction(str(len(learnt)), 1.0, {})

    said = read_by_strangers(portraits, 1, reader)
    assert learnt[0] | learnt[1] == {"000", "001", "002", "003"} and not learnt[0] & learnt[1]
    for person, prediction in zip(portraits.people, said, strict=True):
        assert person not in learnt[int(prediction.label) - 1]


def test_one_person_alone_cannot_be_judged(archive, tmp_path):
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(tmp_path / "one.zip", "w") as one:
        one.writestr("happiness/000_h.png", source.read("set/happiness/000_h.png"))
    portraits = learnt_portraits(tmp_path / "one.zip", 48, 0.04, 1, 1)
    with pytest.raises(DataError, match="one person"):
        list(portraits.halves(1))


def test_crops_come_last_in_a_training_set_with_their_rows(portraits):
    rest = portraits.faces.take(np.arange(0, len(portraits.faces), 2))
    training_set = with_portraits(training_set_of(rest, "votes"), portraits)
    assert (training_set.faces.images[-len(portraits.faces) :] == portraits.faces.images).all()
    assert (training_set.votes.argmax(axis=1) == training_set.numbers).all()
    vectors = np.arange(2 * len(training_set.faces))[:, None]
    which = np.zeros(len(training_set.faces), bool)
    which[[1, 3]] = True
    part, rows = take_rows(training_set, vectors, which)
    assert rows.ravel().tolist() == [1, 3, len(training_set.faces) + 1, len(training_set.faces) + 3]
    assert (part.numbers == training_set.numbers[[1, 3]]).all()


def test_portraits_of_what_is_not_learnt_are_refused(portraits):
    smiling = portraits.faces.labels == "happiness"
    angry = portraits.faces.take(smiling)
    angry.labels[:] = "anger"
    with pytest.raises(DataError, match="portraits of happiness"):
        with_portraits(
            training_set_of(angry.plus(portraits.faces.take(~smiling)), "single"), portraits
        )


def test_the_command_learns_portraits_and_its_card_says_who_was_asked(tmp_path, archive):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 240, 60)
    groups = tmp_path / "info.csv"
    groups.write_text("id,sex\n000,f\n001,m\n002,f\n003,m\n")
    model = tmp_path / "model"
    words = ["train", "fisherfaces", "--data", data, "--output", model, "--members", 2,
             "--descriptor", "hog", "--components", 30, "--portraits", archive,
             "--learn-portraits", "--portrait-copies", COPIES,
             "--portrait-groups", groups]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    card = (model / "README.md").read_text()
    assert "each on one\nhalf of the people" in card and f"{COPIES} crops of each" in card
    assert "| sex " in card and "--learn-portraits --portrait-copies 3" in card
    assert (
        "portraits.zip (3 crops of each)"
        in FisherfaceEnsemble.load(model).manifest.training["data"]
    )


def test_portraits_to_learn_must_be_given(tmp_path, capsys):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 60, 10)
    words = [
        "train",
        "fisherfaces",
        "--data",
        data,
        "--output",
        tmp_path / "m",
        "--learn-portraits",
    ]
    assert main([str(word) for word in words]) == 2
    assert "give --portraits ZIP" in capsys.readouterr().err
