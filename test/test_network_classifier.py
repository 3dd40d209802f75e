"""onnx and cnn: anybody's network by its description, ours by its manifest."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from generated_faces import write_linear_onnx

from expression_ros.recognition.classifier import Classifier, softmax
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.recognition.model_manifest import ModelError, sha256_of
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.network_classifier import NetworkClassifier
from expression_ros.recognition.network_description import (
    NetworkDescription,
    read_description,
    write_description,
)
from expression_ros.training.data.faces import DataError
from expression_ros.training.networks.cnn_model import write_cnn, write_cnn_of_embedding

SIZE = 8
ALIASES = ["happy", "sad", "scared"]
WEIGHTS = np.random.default_rng(0).normal(0, 0.5, (SIZE * SIZE, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """A folder with a network of three logits of an 8x8 face and its description."""
    write_linear_onnx(tmp_path / "network.onnx", WEIGHTS, (1, 1, SIZE, SIZE))
    describe(tmp_path)
    return tmp_path


def describe(folder, **changes):
    content = {"file": "network.onnx", "labels": ALIASES, "input": {"size": SIZE}, **changes}
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "network.yaml").write_text(yaml.safe_dump(content))


def faces(count=5, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE), np.uint8)


def expected(inputs, weights=WEIGHTS):
    return softmax(inputs.reshape(len(inputs), -1) @ weights)


def refused(folder, kind="onnx"):
    with pytest.raises(ModelError) as caught:
        load_classifier(kind, folder)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


def test_network_of_somebody_answers_in_the_vocabulary(folder):
    classifier = load_classifier("onnx", folder)
    assert isinstance(classifier, Classifier)
    assert classifier.labels == ("happiness", "sadness", "fear")
    frame = np.random.default_rng(2).integers(0, 256, (60, 80), np.uint8)
    prediction = classifier.read(frame, (10, 10, 30, 30))
    face = prepare_face(frame, (10, 10, 30, 30), FacePreparation(SIZE))
    wanted = expected(face[None] / 255)[0]
    np.testing.assert_allclose(list(prediction.scores.values()), wanted, atol=1e-5)
    assert prediction.label == classifier.labels[wanted.argmax()]
    assert sum(prediction.scores.values()) == pytest.approx(1)


def test_description_may_be_named_itself(folder):
    assert load_classifier("onnx", folder / "network.yaml").labels[0] == "happiness"


def test_many_faces_at_once_or_one_by_one_are_the_same(folder):
    classifier = load_classifier("onnx", folder)
    many = faces(150)
    one_by_one = [list(classifier.predict(face).scores.values()) for face in many]
    np.testing.assert_allclose(classifier.probabilities(many), one_by_one, atol=1e-5)


@pytest.mark.parametrize("kind", ["auto", "probabilities"])
def test_softmax_is_not_taken_twice(folder, kind):
    write_linear_onnx(folder / "network.onnx", WEIGHTS, (1, 1, SIZE, SIZE), softmax=True)
    describe(folder, output={"kind": kind})
    found = load_classifier("onnx", folder).probabilities(faces())
    np.testing.assert_allclose(found, expected(faces() / 255), atol=1e-5)


def test_output_that_is_no_emotion_is_left_out(folder):
    describe(folder, labels=["happy", None, "fear"])
    classifier = load_classifier("onnx", folder)
    assert classifier.labels == ("happiness", "fear")
    found = classifier.probabilities(faces())
    np.testing.assert_allclose(found, expected(faces() / 255, WEIGHTS[:, [0, 2]]), atol=1e-5)
    write_linear_onnx(folder / "network.onnx", WEIGHTS, (1, 1, SIZE, SIZE), softmax=True)
    again = load_classifier("onnx", folder).probabilities(faces())
    np.testing.assert_allclose(again, found, atol=1e-5)


def test_mean_std_and_scale_are_applied(folder):
    describe(folder, input={"size": SIZE, "scale": 0.5, "mean": 10, "std": [20]})
    found = load_classifier("onnx", folder).probabilities(faces())
    np.testing.assert_allclose(found, expected((faces() * 0.5 - 10) / 20), atol=1e-5)


def test_each_face_can_be_standardized(folder):
    describe(folder, input={"size": SIZE, "per_face": True})
    pixels = faces().astype(float)
    spread = pixels.std(axis=(1, 2), keepdims=True)
    inputs = (pixels - pixels.mean(axis=(1, 2), keepdims=True)) / spread
    found = load_classifier("onnx", folder).probabilities(faces())
    np.testing.assert_allclose(found, expected(inputs), atol=1e-4)


@pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])
@pytest.mark.parametrize("colour", ["bgr", "rgb"])
def test_colour_networks_get_grey_in_each_channel_normalised_by_its_own(
    folder, layout, axis, colour
):
    weights = np.random.default_rng(3).normal(0, 0.3, (3 * SIZE * SIZE, 3)).astype(np.float32)
    shape = [1, SIZE, SIZE]
    shape.insert(axis, 3)
    write_linear_onnx(folder / "network.onnx", weights, tuple(shape))
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    describe(folder, input={"size": SIZE, "colour": colour, "layout": layout, "mean": mean,
                            "std": std})  # fmt: skip
    channels = [(faces() / 255 - m) / s for m, s in zip(mean, std, strict=True)]
    inputs = np.stack(channels, axis=axis)
    found = load_classifier("onnx", folder).probabilities(faces())
    np.testing.assert_allclose(found, expected(inputs, weights), atol=1e-5)


def test_one_of_several_outputs_is_named(folder):
    path = folder / "network.onnx"
    write_linear_onnx(path, WEIGHTS, (1, 1, SIZE, SIZE), outputs=("features", "scores"))
    message = refused(folder)
    assert "features" in message and "scores" in message and "name:" in message
    describe(folder, output={"name": "scores"})
    found = load_classifier("onnx", folder).probabilities(faces())
    np.testing.assert_allclose(found, expected(faces() / 255), atol=1e-5)
    describe(folder, output={"name": "sums"})
    assert "no output 'sums'" in refused(folder)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"file": None}, "'file'"),
        ({"labels": None}, "'labels'"),
        ({"file": "other.onnx"}, "other.onnx is missing"),
        ({"labels": "happy"}, "list"),
        ({"labels": ["happy", "sad"]}, "3 outputs, there are 2 labels"),
        ({"labels": ["happy", "sad", "hungry"]}, "hungry"),
        ({"labels": ["happy", "joy", "sad"]}, "repeated"),
        ({"colour": "grey"}, "unknown entry 'colour'"),
        ({"input": {"size": SIZE, "sise": 3}}, "unknown entry 'sise'"),
        ({"input": 3}, "input is not a YAML mapping"),
        ({"input": {"size": 9}}, "does not take"),
        ({"input": {"size": "8"}}, "whole number"),
        ({"input": {"size": SIZE, "colour": "red"}}, "grey, bgr, rgb"),
        ({"input": {"size": SIZE, "colour": ["grey"]}}, "grey, bgr, rgb"),
        ({"input": {"size": SIZE, "layout": "chw"}}, "nchw, nhwc"),
        ({"input": {"size": SIZE, "mean": [1, 2, 3]}}, "mean must be one number"),
        ({"input": {"size": SIZE, "std": 0}}, "std not 0"),
        ({"input": {"size": SIZE, "scale": "1/255"}}, "scale must be a number"),
        ({"output": {"kind": "votes"}}, "auto, logits, probabilities"),
        ({"face": {"size": 9}}, "face size 9"),
        ({"face": {"margin": 9}}, "margin"),
    ],
)
def test_description_that_does_not_fit_is_refused(folder, changes, what):
    describe(folder, **changes)
    message = refused(folder)
    assert what in message and "network.yaml" in message


@pytest.mark.parametrize("content", ["", "- a", "{", "!!python/object:os.x {}"])
def test_description_that_is_none_is_refused(folder, content):
    (folder / "network.yaml").write_text(content)
    assert "network.yaml" in refused(folder)


def test_missing_description_and_folder_are_named(folder, tmp_path):
    (folder / "network.yaml").unlink()
    assert "network.yaml is missing" in refused(folder)
    assert "network.yaml is missing" in refused(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x07", b"\x80\x04K\x01."])
def test_file_that_is_no_network_is_refused(folder, content):
    (folder / "network.onnx").write_bytes(content)
    assert "network.onnx" in refused(folder)


def test_network_cut_short_is_refused(folder):
    path = folder / "network.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    assert "network.onnx" in refused(folder)


def test_answers_that_are_not_finite_are_refused(folder):
    write_linear_onnx(folder / "network.onnx", WEIGHTS * np.nan, (1, 1, SIZE, SIZE))
    assert "not finite" in refused(folder)


def test_description_is_read_as_it_was_written(tmp_path):
    description = NetworkDescription(
        "n.onnx", ("anger", "unknown", "fear"), 64, "rgb", "nhwc", 0.5, (1.0, 2.0, 3.0), (4.0,),
        False, "out", "logits", FacePreparation(64, 0.2, "clahe"),
    )  # fmt: skip
    write_description(tmp_path, description)
    assert read_description(tmp_path) == description


def test_cnn_is_the_same_network_with_a_manifest_that_vouches_for_it(folder):
    write_cnn(folder, read_description(folder), {"epochs": 3})
    classifier = load_classifier("cnn", folder)
    assert classifier.manifest.training == {"epochs": 3}
    found = classifier.probabilities(faces())
    np.testing.assert_array_equal(found, load_classifier("onnx", folder).probabilities(faces()))


@pytest.mark.parametrize("name", ["network.onnx", "network.yaml"])
def test_cnn_with_a_changed_or_missing_file_is_refused(folder, name):
    write_cnn(folder, read_description(folder), {})
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert "SHA-256" in refused(folder, "cnn")
    (folder / name).unlink()
    assert f"{folder / name} is missing" in refused(folder, "cnn")


def test_cnn_must_vouch_for_the_network_it_uses(folder):
    write_cnn(folder, read_description(folder), {})
    path = folder / "manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["files"] = [{"path": "network.yaml", "sha256": sha256_of(folder / "network.yaml")}]
    path.write_text(yaml.safe_dump(manifest))
    assert "does not list" in refused(folder, "cnn")


def test_head_of_the_embedding_network_is_a_cnn(tmp_path):
    from expression_ros.recognition.embedding import EmbeddingNetwork
    from expression_ros.resources import models_path

    network = models_path("embedding", "embedding.onnx")
    write_cnn_of_embedding(tmp_path, network, FacePreparation(), {})
    classifier = NetworkClassifier.load_cnn(tmp_path)
    some = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    wanted = softmax(EmbeddingNetwork(network).logits(some))
    np.testing.assert_allclose(classifier.probabilities(some), wanted, atol=1e-4)
    with pytest.raises(DataError, match=r"none\.onnx"):
        write_cnn_of_embedding(tmp_path, tmp_path / "none.onnx", FacePreparation(), {})
