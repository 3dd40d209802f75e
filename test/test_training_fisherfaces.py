"""Training of Fisherfaces, their OpenCV files, scores, data sets and the commands."""

from __future__ import annotations

import argparse
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from expression_ros.commands.evaluate import add_evaluate_parser
from expression_ros.commands.train import add_train_parser
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.resources import models_path
from expression_ros.training.data.faces import DataError, FaceSet
from expression_ros.training.data.fer2013 import load_fer2013
from expression_ros.training.data.image_archives import load_cropped_archive
from expression_ros.training.evaluation.metrics import evaluate
from expression_ros.training.fisherfaces.ensemble import train_fisherfaces
from expression_ros.training.fisherfaces.members import train_members
from expression_ros.training.fisherfaces.opencv_model_file import write_opencv_model
from expression_ros.training.fisherfaces.settings import FisherfaceConfig, FisherfaceSettings
from expression_ros.training.fisherfaces.training_set import training_set_of

pytest.importorskip("sklearn", reason="training needs scikit-learn: pip install '.[train]'")

CLASSES = {0: "anger", 1: "happiness", 2: "neutral"}
LABELS = tuple(CLASSES.values())


def clouds(count: int = 240, size: int = 20, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of three classes that overlap a little, the third class the most frequent."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(3, count, p=[0.2, 0.3, 0.5])
    centres = np.random.default_rng(0).normal(0, 1.2, (3, size))
    return (centres[numbers] + rng.normal(0, 1.5, (count, size))).astype(np.float32), numbers


@pytest.fixture
def tiny_fer2013(tmp_path):
    """An npz file in the form of FER2013 with seven made-up patterns as its classes."""
    rng = np.random.default_rng(1)
    patterns = rng.integers(0, 256, (7, 6, 6)).astype(np.uint8)
    labels = np.repeat(np.arange(7), 30)
    images = np.stack([cv2.resize(patterns[n], (48, 48)) for n in labels]).astype(int)
    images = np.clip(images + rng.normal(0, 12, images.shape), 0, 255).astype(np.uint8)
    split = np.tile([0, 0, 1], 70)
    images[2] = images[0]  # a test image that is a copy of a training image
    path = tmp_path / "fer2013.npz"
    np.savez(path, images=images, labels=labels.astype(np.uint8), split=split.astype(np.uint8))
    return path


def run(*arguments) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    add_train_parser(subparsers)
    add_evaluate_parser(subparsers)
    parsed = parser.parse_args([str(argument) for argument in arguments])
    return parsed.func(parsed)


@pytest.mark.parametrize("suffix", ["xml", "xml.gz"])
def test_opencv_predicts_what_our_own_arithmetic_predicts(tmp_path, suffix):
    vectors, numbers = clouds()
    test, _ = clouds(300, seed=6)
    for model in train_fisherfaces(vectors, numbers, FisherfaceSettings(members=3)):
        path = tmp_path / f"model.{suffix}"
        write_opencv_model(path, model, CLASSES)
        opencv = cv2.face.FisherFaceRecognizer.create()
        opencv.read(str(path))
        answers = [opencv.predict(vector[None]) for vector in test]
        labels, distances = model.predict(test)
        assert [label for label, _ in answers] == labels.tolist()
        assert np.allclose([distance for _, distance in answers], distances, rtol=1e-5)
        assert opencv.getLabelInfo(1) == "happiness"


def test_without_shrinkage_it_is_linear_discriminant_analysis():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    vectors, numbers = clouds()
    test, _ = clouds(400, seed=6)
    settings = FisherfaceSettings(members=1, feature_share=1.0, left_out=0, shrinkage=0.0)
    ours = train_fisherfaces(vectors, numbers, settings)[0].predict(test)[0]
    theirs = LinearDiscriminantAnalysis().fit(vectors, numbers).predict(test)
    assert np.mean(ours == theirs) > 0.99


def test_prior_weight_lets_the_frequent_class_win_more_often():
    vectors, numbers = clouds()
    test, _ = clouds(400, seed=6)

    def said_neutral(weight: float) -> int:
        settings = FisherfaceSettings(members=1, feature_share=1.0, prior_weight=weight)
        return int(np.sum(train_fisherfaces(vectors, numbers, settings)[0].predict(test)[0] == 2))

    assert said_neutral(1.0) > said_neutral(0.0)


OTHER_SETTINGS = {
    "members": 3, "seed": 2, "folds": 8, "left_out": 1, "feature_share": 0.5, "components": 9,
    "shrinkage": 0.5, "images": 100, "prior_weight": 0.0, "refine": 3, "pull": 3.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        FisherfaceSettings(members=2, images=150, ensemble="bagged"),
        FisherfaceSettings(members=2, images=150, ensemble="bagged", refine=2),
        FisherfaceSettings(members=2, images=150, ensemble="boosted"),
        FisherfaceSettings(members=2, images=150, ensemble="opencv"),
    ],
    ids=lambda settings: f"{settings.ensemble}, refine {settings.refine}",
)
def test_the_manifest_records_the_settings_that_the_models_depend_on_and_no_other(
    tmp_path, settings
):
    vectors, numbers = clouds()
    faces = FaceSet(np.zeros((len(numbers), 48, 48), np.uint8), np.array(LABELS)[numbers])
    training_set = training_set_of(faces, "single")
    both = np.concatenate([vectors, vectors + 0.01]).astype(np.float32)

    def trained(settings: FisherfaceSettings) -> tuple[list[bytes], dict[str, object]]:
        config = FisherfaceConfig(Path("data"), tmp_path, settings, descriptor="pixels")
        record = train_members(training_set, both, config).training
        return [path.read_bytes() for path in sorted(tmp_path.glob("*.gz"))], record

    models, record = trained(settings)
    told = {name: record[name] for name in OTHER_SETTINGS if name in record}
    assert told == {name: getattr(settings, name) for name in told}
    for name, value in OTHER_SETTINGS.items():
        if name == "refine" and settings.ensemble != "bagged":
            continue  # refused
        changed, _ = trained(replace(settings, **{name: value}))
        assert (changed != models) == (name in told), name


def test_class_wins_more_often_and_opencv_agrees_with_a_prior_offset(tmp_path):
    vectors, numbers = clouds()
    test, _ = clouds(400, seed=6)

    def said_happiness(amount: float) -> int:
        settings = FisherfaceSettings(members=1, prior_offsets={1: amount})
        model = train_fisherfaces(vectors, numbers, settings)[0]
        write_opencv_model(tmp_path / "model.xml", model, CLASSES)
        opencv = cv2.face.FisherFaceRecognizer.create()
        opencv.read(str(tmp_path / "model.xml"))
        said = model.predict(test)[0]
        assert [opencv.predict(vector[None])[0] for vector in test] == said.tolist()
        return int(np.sum(said == 1))

    assert said_happiness(-2.0) < said_happiness(0.0) < said_happiness(2.0)


def test_same_seed_same_models_and_no_two_members_alike():
    vectors, numbers = clouds()
    first, again = (train_fisherfaces(vectors, numbers, FisherfaceSettings()) for _ in range(2))
    assert all(np.array_equal(a.eigenvectors, b.eigenvectors)
               for a, b in zip(first, again, strict=True))  # fmt: skip
    assert len({model.eigenvectors.tobytes() for model in first}) == 10


def test_member_with_a_share_of_the_features_ignores_the_others():
    vectors, numbers = clouds()
    settings = FisherfaceSettings(members=2, feature_share=0.5)
    for model in train_fisherfaces(vectors, numbers, settings):
        assert np.count_nonzero(model.eigenvectors.any(axis=1)) == 10


def test_training_with_too_few_faces_is_refused():
    vectors, numbers = clouds(20)
    with pytest.raises(ValueError, match="faces or more each"):
        train_fisherfaces(vectors, numbers)


def test_evaluation_counts_precision_recall_and_confusion():
    scores = evaluate(["a", "a", "b", "b"], ["a", "b", "b", "b"], ("a", "b", "c"))
    assert scores.accuracy == 0.75
    assert scores.per_label["a"].precision == 1.0 and scores.per_label["a"].recall == 0.5
    assert scores.per_label["b"].f1 == pytest.approx(0.8)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)
    assert scores.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize(("truth", "said"), [([], []), (["a"], []), (["a"], ["x"])])
def test_evaluation_of_what_cannot_be_compared_is_refused(truth, said):
    with pytest.raises(ValueError, match=r"compared|evaluated"):
        evaluate(truth, said, ("a",))


def test_copies_of_training_images_are_not_tested_on(tiny_fer2013):
    train, test = load_fer2013(tiny_fer2013)
    assert (len(train), len(test)) == (140, 69)
    assert train.labels[0] == "anger"


def test_kaggles_csv_reads_like_the_npz_file(tmp_path, tiny_fer2013):
    with np.load(tiny_fer2013) as data:
        rows = zip(data["labels"], data["images"], data["split"], strict=True)
        lines = [f"{n},{' '.join(map(str, image.ravel()))},{('Training', 'PublicTest')[s]}"
                 for n, image, s in rows]  # fmt: skip
    lines.append("3,0 0,PrivateTest")  # not even looked at
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n" + "\n".join(lines))
    for ours, theirs in zip(load_fer2013(path), load_fer2013(tiny_fer2013), strict=True):
        assert np.array_equal(ours.images, theirs.images)
        assert np.array_equal(ours.labels, theirs.labels)


def test_archive_is_read_with_its_folders_as_labels(tmp_path):
    path = tmp_path / "faces.zip"
    image = cv2.imencode(".png", np.full((60, 50), 7, np.uint8))[1].tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/happy/a.png", image)
        archive.writestr("set/readme.txt", "no image")
    faces = load_cropped_archive(path)
    assert faces.labels.tolist() == ["happiness"] and faces.images.shape == (1, 48, 48)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("set/hungry/a.png", b"x", "hungry"), ("set/happy/a.png", b"x", "not a readable image"),
     ("set/happy/a.png", b"", "not a readable image"), ("a.txt", b"", "no images")],
)  # fmt: skip
def test_bad_archive_is_refused(tmp_path, name, content, message):
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    with pytest.raises(DataError, match=message):
        load_cropped_archive(path)


def test_train_then_evaluate(tmp_path, tiny_fer2013, capsys):
    model, scores = tmp_path / "model", tmp_path / "scores.json"
    model.mkdir()
    (model / "fisherfaces_07.xml.gz").write_bytes(b"of an older, larger ensemble")
    assert run("train", "fisherfaces", "--data", tiny_fer2013, "--output", model,
               "--members", 3, "--descriptor", "hog") == 0  # fmt: skip
    assert run("evaluate", "--data", tiny_fer2013, "--model", model, "--json", scores) == 0
    measured = json.loads(scores.read_text())
    assert measured["accuracy"] > 0.9
    assert sorted(p.name for p in model.iterdir()) == [
        "README.md", "fisherfaces_00.xml.gz", "fisherfaces_01.xml.gz", "fisherfaces_02.xml.gz",
        "manifest.yaml",
    ]  # fmt: skip
    card = (model / "README.md").read_text()
    assert f"| accuracy of the vote | {measured['accuracy']:.4f} |" in card
    assert str(tmp_path) not in card
    assert f"accuracy {measured['accuracy']:.4f}" in capsys.readouterr().out


def test_label_is_in_the_manifest_and_on_the_card_with_a_prior_offset(tmp_path, tiny_fer2013):
    model = tmp_path / "model"
    assert run("train", "fisherfaces", "--data", tiny_fer2013, "--output", model, "--members", 2,
               "--descriptor", "pixels", "--favour", "happy=2") == 0  # fmt: skip
    assert FisherfaceEnsemble.load(model).manifest.training["favour"] == {"happiness": 2.0}
    card = (model / "README.md").read_text()
    assert "happiness by 2" in card and "--favour happiness=2" in card


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--favour", "contempt=1"), "contempt"),
        (("--favour", "happy=1", "--ensemble", "opencv"), "priors"),
    ],
)
def test_prior_offset_that_cannot_be_is_answered_with_one_line(
    tmp_path, tiny_fer2013, capsys, words, message
):
    assert run("train", "fisherfaces", "--data", tiny_fer2013, "--output", tmp_path / "model",
               "--descriptor", "pixels", *words) == 2  # fmt: skip
    lines = capsys.readouterr().err.strip().splitlines()
    assert "--favour" in lines[-1] and message in lines[-1]


@pytest.mark.parametrize("word", ["happiness", "hungry=1", "happy=much", "happy=nan", "happy=11"])
def test_prior_offset_that_is_none_is_refused(tmp_path, capsys, word):
    with pytest.raises(SystemExit):
        run("train", "fisherfaces", "--data", tmp_path, "--favour", word)
    assert "--favour" in capsys.readouterr().err


def test_pixels_are_one_option_away(tmp_path, tiny_fer2013):
    assert run("train", "fisherfaces", "--data", tiny_fer2013, "--output", tmp_path / "model",
               "--members", 2, "--descriptor", "pixels") == 0  # fmt: skip
    assert FisherfaceEnsemble.load(tmp_path / "model").descriptor.name == "pixels"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"garbage", b"PK\x03\x04 broken"],
    ids=["missing", "empty", "text", "zip"],
)
def test_bad_data_is_answered_with_one_line(tmp_path, capsys, content):
    data = tmp_path / "fer2013.npz"
    if content is not None:
        data.write_bytes(content)
    assert run("train", "fisherfaces", "--data", data, "--output", tmp_path / "model") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "fer2013.npz" in error
    assert not (tmp_path / "model").exists()


def test_model_that_is_not_there_is_answered_with_one_line(tmp_path, tiny_fer2013, capsys):
    assert run("evaluate", "--data", tiny_fer2013, "--model", tmp_path / "absent") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "absent" in error and "expression-ros train" in error


def test_boosted_models_have_weights_and_calibrated_ones_a_threshold(tmp_path, tiny_fer2013):
    model = tmp_path / "model"
    words = ("--members", 3, "--descriptor", "pixels", "--ensemble", "boosted")
    assert run("train", "fisherfaces", "--data", tiny_fer2013, "--output", model, *words) == 0
    ensemble = FisherfaceEnsemble.load(model)
    assert ensemble.weights.sum() == pytest.approx(1.0, abs=1e-4)
    assert ensemble.manifest.training["ensemble"] == "boosted"


def test_opencvs_own_trainer_is_one_option_away(tmp_path, tiny_fer2013):
    model = tmp_path / "model"
    words = ("--members", 2, "--descriptor", "hog", "--ensemble", "opencv", "--images", 100)
    assert run("train", "fisherfaces", "--data", tiny_fer2013, "--output", model, *words) == 0
    assert len(FisherfaceEnsemble.load(model).members[0].getProjections()) == 100


def test_enough_faces_are_held_out_to_calibrate_on(tmp_path):
    rng = np.random.default_rng(1)
    labels = np.arange(1400) % 7
    images = (labels[:, None, None] * 30 + rng.normal(0, 60, (1400, 48, 48))).clip(0, 255)
    path = tmp_path / "many.npz"
    np.savez(path, images=images.astype(np.uint8), labels=labels, split=np.arange(1400) % 10 == 0)
    model = tmp_path / "model"
    assert run("train", "fisherfaces", "--data", path, "--output", model, "--members", 2,
               "--descriptor", "hog", "--components", 20) == 0  # fmt: skip
    ensemble = FisherfaceEnsemble.load(model)
    assert ensemble.calibration is not None
    card = (model / "README.md").read_text()
    assert "expected calibration error" in card and "| min_confidence | said |" in card


def test_prepared_faces_bring_their_preparation_into_the_model(tmp_path, tiny_fer2013, capsys):
    from expression_ros.recognition.face_preparation import FacePreparation
    from expression_ros.training.data.fer2013 import load_fer2013 as load
    from expression_ros.training.data.prepared_set import PreparedSet, save_prepared_set

    def prepared(light: str):
        train, test = load(tiny_fer2013)
        faces, count = train.plus(test), len(train) + len(test)
        split = np.repeat(["train", "test"], [len(train), len(test)])
        names = np.array([f"{k}.png" for k in range(count)])
        face = FacePreparation(margin=0.11, light=light, level_by_eyes=True)
        path = tmp_path / f"prepared_{light}.npz"
        save_prepared_set(
            path,
            PreparedSet(
                faces.images, faces.labels.astype(str), names, split, names, "detect", face
            ),
        )
        return path  # fmt: skip

    network = models_path("embedding") / "embedding.onnx"  # its 256 numbers train fastest
    model = tmp_path / "model"
    words = ("--output", model, "--members", 2, "--network", network)
    assert run("train", "fisherfaces", "--data", prepared("none"), *words) == 0
    face = FisherfaceEnsemble.load(model).face
    assert (face.margin, face.level_by_eyes, face.light) == (0.11, True, "none")
    assert run("train", "fisherfaces", "--data", prepared("clahe"), *words) == 2
    assert "give --light to train" in capsys.readouterr().err
