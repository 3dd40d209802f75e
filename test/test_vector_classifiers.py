"""svm, knn and mlp: from labelled faces by the command to a classifier that is loaded and right."""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from generated_faces import LABELS, SIDE, drawn_faces, write_drawn_fer2013

from expression_ros.commands.train import add_classifier_parsers
from expression_ros.parameters.choices import CLASSIFIERS
from expression_ros.recognition import models
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.model_manifest import ModelError, sha256_of
from expression_ros.recognition.models import load_classifier, model_facts
from expression_ros.training.data.faces import DataError


def train(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_classifier_parsers(parser.add_subparsers(dest="kind", required=True))
    arguments = parser.parse_args([str(word) for word in words])
    return arguments.func(arguments)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install scikit-learn")
    return write_drawn_fer2013(tmp_path_factory.mktemp("data") / "fer2013.npz")


TRAININGS = {
    "svm linear": ("svm", "--kernel", "linear", "--components", 0, "--cost", 0.01),
    "svm rbf": ("svm", "--components", 20, "--mirror"),
    "knn": ("knn", "--components", 20, "--neighbours", 5),
    "mlp": ("mlp", "--components", 40, "--hidden", 20, 10, "--epochs", 80),
    "mlp on pixels": ("mlp", "--descriptor", "pixels", "--components", 40, "--epochs", 20),
}


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> dict[str, Path]:
    """The folders of all trainings, by name."""
    folders = {}
    for name, (kind, *words) in TRAININGS.items():
        folders[name] = tmp_path_factory.mktemp("models") / kind
        assert train(kind, "--data", data, "--output", folders[name], *words) == 0
    return folders


@pytest.mark.parametrize("name", TRAININGS)
def test_trained_model_is_loaded_and_right(trained, name):
    classifier = load_classifier(name.split()[0], trained[name])
    assert isinstance(classifier, Classifier)
    assert set(classifier.labels) == set(LABELS)
    faces, labels = drawn_faces(30, seed=7)
    said = []
    for face in faces:
        frame = np.full((120, 160), 90, np.uint8)
        frame[40 : 40 + SIDE, 60 : 60 + SIDE] = face
        # With its margin of 4 % a box of 44 px makes a crop of 48 px.
        prediction = classifier.read(frame, (62, 42, 44, 44))
        assert sum(prediction.scores.values()) == pytest.approx(1)
        assert prediction.score == max(prediction.scores.values())
        assert prediction.scores[prediction.label] == prediction.score
        said.append(prediction.label)
    assert np.mean(np.array(said) == labels) >= 0.85


def test_facts_of_a_model_are_told(trained):
    facts = model_facts(load_classifier("svm", trained["svm rbf"]))
    assert facts["descriptor"].startswith("hog")
    assert facts["training: rule"] == "rbf" and facts["training: faces"] == "120"
    assert float(facts["training: held_out_accuracy"]) > 0.7


def test_same_seed_gives_the_same_file(data, trained, tmp_path):
    kind, *words = TRAININGS["svm rbf"]
    train(kind, "--data", data, "--output", tmp_path, *words)
    assert sha256_of(tmp_path / "svm.npz") == sha256_of(trained["svm rbf"] / "svm.npz")


def test_files_hold_numbers_and_no_pickles(trained):
    for folder in trained.values():
        (path,) = folder.glob("*.npz")
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype.kind in "fiuU" for name in arrays.files)


def refused(kind: str, folder: Path | str) -> str:
    with pytest.raises(ModelError) as caught:
        load_classifier(kind, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    """A copy of a whole model folder of kind knn."""
    for file in trained["knn"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.yaml"
    content = {**yaml.safe_load(path.read_text()), **changes}
    content["files"] = [{"path": "knn.npz", "sha256": sha256_of(folder / "knn.npz")}]
    path.write_text(yaml.safe_dump(content))


def test_changed_file_is_refused(folder):
    with (folder / "knn.npz").open("ab") as file:
        file.write(b" ")
    message = refused("knn", folder)
    assert "SHA-256" in message and "expression-ros train knn" in message


@pytest.mark.parametrize(
    "content", [b"", b"garbage", pickle.dumps({"rule": "neighbours"}), b"PK\x03\x04"]
)
def test_file_that_is_no_model_is_refused(folder, content):
    (folder / "knn.npz").write_bytes(content)
    edit(folder)
    assert "not an npz file of plain arrays" in refused("knn", folder)


def test_pickled_array_is_refused(folder):
    np.savez(folder / "knn.npz", rule=np.array([{}], dtype=object))
    edit(folder)
    assert "not an npz file of plain arrays" in refused("knn", folder)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"labels": {0: "anger", 1: "fear"}}, "3 classes apart, not 2"),
        ({"labels": {0: "anger", 1: "fear", 3: "neutral"}}, "numbered from 0"),
        ({"descriptor": {"name": "pixels", "size": 2304}}, "descriptors of 3888, not of 2304"),
        ({"kind": "svm"}, "'svm', not 'knn'"),
        ({"settings": {"thresholds": {"anger": 0.3}}}, "anger"),
        ({"settings": {"thresholds": {"happiness": 3}}}, "between 0 and 1"),
        ({"settings": {"thresholds": 3}}, "mapping"),
    ],
)
def test_manifest_that_does_not_fit_is_refused(folder, changes, what):
    edit(folder, **changes)
    assert what in refused("knn", folder)


def test_thresholds_in_the_manifest_are_used(folder):
    edit(folder, settings={"thresholds": {"happiness": 1.0, "surprise": 1.0}})
    classifier = load_classifier("knn", folder)
    assert classifier.thresholds == {"happiness": 1.0, "surprise": 1.0}
    model = classifier.model

    class Undecided:
        classes, size = 3, model.rule.size

        def probabilities(self, vectors):
            return np.array([[0.6, 0.1, 0.3]])

    object.__setattr__(model, "rule", Undecided())
    prediction = classifier.predict(np.full((SIDE, SIDE), 9, np.uint8))
    assert prediction.label == "sadness" and prediction.score == 1.0


@pytest.mark.parametrize("kind", sorted(set(CLASSIFIERS) - {"fisherfaces", "cnn"}))
def test_classifier_that_is_not_shipped_says_how_to_get_it(kind):
    message = refused(kind, "")
    assert "--model DIR" in message
    assert kind == "onnx" or f"expression-ros train {kind}" in message


def test_data_that_cannot_be_trained_on_is_named(data, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.npz"):
        train("knn", "--data", tmp_path / "nowhere.npz", "--output", tmp_path)
    with pytest.raises(DataError, match="two labels"):
        with np.load(data) as arrays:
            content = dict(arrays)
        content["labels"][:] = 3
        np.savez(tmp_path / "one.npz", **content)
        train("knn", "--data", tmp_path / "one.npz", "--output", tmp_path)


def test_output_that_cannot_be_written_is_named_in_one_line(data, tmp_path, capsys):
    from expression_ros.cli import main

    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "model"
    assert main(["train", "svm", "--data", str(data), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(output) in error


def test_missing_scikit_learn_is_said_in_one_line(data, monkeypatch, capsys):
    from expression_ros.cli import main

    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main(["train", "knn", "--data", str(data)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install scikit-learn" in error


def test_evaluation_without_scikit_learn_is_said_before_any_work(monkeypatch, capsys):
    from expression_ros.cli import main

    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main(["evaluate", "--data", "not_looked_at.npz"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "evaluation needs scikit-learn: pip install" in error


@pytest.mark.parametrize("words", [("--limit", "0"), ("--neighbours", "0"), ("--components", "-1")])
def test_options_out_of_range_are_refused(data, words, capsys):
    with pytest.raises(SystemExit):
        train("knn", "--data", data, *words)
    assert words[0] in capsys.readouterr().err


def test_thresholds_can_be_given_when_the_model_is_loaded(trained):
    loaded = load_classifier("knn", trained["knn"], "happy=0.4, surprised=0.3")
    assert loaded.thresholds == {"happiness": 0.4, "surprise": 0.3}


@pytest.mark.parametrize(
    ("text", "message"),
    [("happy", "not a threshold like"), ("happy=much", "not a threshold like"),
     ("hungry=0.3", "hungry"), ("happy=1.3", "between 0 and 1"), ("fear=0.3", "it says")],
)  # fmt: skip
def test_thresholds_that_make_no_sense_are_refused(trained, text, message):
    with pytest.raises(ModelError, match=message):
        load_classifier("knn", trained["knn"], text)


def test_thresholds_for_the_vote_of_fisherfaces_are_refused_with_the_remedy():
    with pytest.raises(ModelError, match="min_confidence"):
        load_classifier("fisherfaces", "", "happy=0.4")


def test_each_classifier_that_can_be_chosen_has_a_loader():
    assert tuple(models._LOADERS) == CLASSIFIERS
