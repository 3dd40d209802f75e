"""Networks for cnn: sizes, training that resumes, export that cv2.dnn runs as PyTorch does."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from generated_faces import LABELS, drawn_faces, write_drawn_fer2013
from test_vector_classifiers import train

from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.models import load_classifier, model_facts
from expression_ros.training.data.faces import DataError

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch onnx")
pytest.importorskip("onnx", reason="needs onnx: pip install onnx")

from expression_ros.training.networks.cnn import CnnTraining  # noqa: E402
from expression_ros.training.networks.cnn_model import CnnSettings  # noqa: E402
from expression_ros.training.networks.expression_networks import (  # noqa: E402
    DESIGNS,
    load_imagenet_weights,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_drawn_fer2013(tmp_path_factory.mktemp("data") / "fer2013.npz", 96, 15)


def test_tutorials_network_has_2_1_million_parameters():
    network = DESIGNS["blocks"].make(7)
    assert sum(p.numel() for p in network.parameters()) == 2_134_407
    widths = [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert widths == [256, 256, 128, 128, 64, 64]
    dense = [m.out_features for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert dense == [512, 256, 128, 7]


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_every_network_is_exported_and_cv2_answers_as_pytorch_does(name, tmp_path):
    design = DESIGNS[name]
    weights = tmp_path / "weights.pt" if design.transfer else None
    if weights:
        torch.save(design.make(7).state_dict(), weights)
    training = CnnTraining(CnnSettings(name, weights=weights), LABELS)
    training.export(tmp_path, FacePreparation(design.size), {})  # raises where they differ
    face = np.random.default_rng(0).integers(0, 256, (design.size, design.size), np.uint8)
    prediction = load_classifier("cnn", tmp_path).predict(face)
    assert set(prediction.scores) == set(LABELS)
    assert sum(prediction.scores.values()) == pytest.approx(1)


def test_blocks_are_trained_for_an_epoch_by_the_command(data, tmp_path, capsys):
    words = ("--network", "blocks", "--epochs", 1, "--batch", 16, "--limit", 40)
    assert train("cnn", "--data", data, "--output", tmp_path, *words) == 0
    progress = capsys.readouterr().err
    assert "faces/s" in progress and "epoch 1 of 1" in progress
    facts = model_facts(load_classifier("cnn", tmp_path))
    assert facts["training: epochs"] == "1" and facts["training: network"] == "blocks"
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "manifest.yaml", "network.onnx", "network.yaml"
    ]  # fmt: skip


class Stopped(Exception):
    """Raised in the middle of a training, as if somebody had pressed Ctrl-C."""


def stop_after(epoch: int):
    def stop(text: str) -> None:
        if text.startswith(f"epoch {epoch} "):
            raise Stopped

    return stop


def test_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path):
    images, labels = drawn_faces(48)
    numbers = np.array([LABELS.index(label) for label in labels])
    settings = CnnSettings("compact", epochs=2, batch=16)
    whole = CnnTraining(settings, LABELS)
    whole.run(images, numbers, tmp_path / "whole.pt")

    checkpoint = tmp_path / "interrupted.pt"
    with pytest.raises(Stopped):
        CnnTraining(settings, LABELS).run(images, numbers, checkpoint, stop_after(1))
    resumed = CnnTraining(settings, LABELS)
    resumed.resume(checkpoint)
    assert resumed.epoch == 1
    resumed.run(images, numbers, checkpoint)
    expected = whole.network.state_dict()
    for name, value in resumed.network.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_small_network_learns_drawn_faces(tmp_path):
    images, labels = drawn_faces(240)
    numbers = np.array([LABELS.index(label) for label in labels])
    training = CnnTraining(CnnSettings("compact", epochs=5, batch=16), LABELS)
    training.run(images[:192], numbers[:192], tmp_path / "c.pt")
    assert training.accuracy(images[192:], numbers[192:]) > 0.8


def test_checkpoint_of_another_training_is_refused(tmp_path):
    first = CnnTraining(CnnSettings("compact"), LABELS)
    first.save(tmp_path / "c.pt")
    with pytest.raises(DataError, match="is of compact"):
        CnnTraining(CnnSettings("compact"), LABELS[:2]).resume(tmp_path / "c.pt")
    (tmp_path / "c.pt").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a checkpoint"):
        first.resume(tmp_path / "c.pt")


class Evil:
    """Something whose pickle runs code when it is loaded the careless way."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_weight_files_are_checked_and_run_no_code(tmp_path):
    path = tmp_path / "weights.pt"
    network = DESIGNS["mobilenetv2"].make(3)
    with pytest.raises(DataError, match="no weight file at"):
        load_imagenet_weights(network, path)
    path.write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(DataError, match="weights_only=True") as caught:
        load_imagenet_weights(network, path)
    assert "\n" not in str(caught.value) and not (tmp_path / "ran").exists()
    torch.save(DESIGNS["vgg16"].make(3).state_dict(), path)
    with pytest.raises(DataError, match="not of this network"):
        load_imagenet_weights(network, path)
    for settings in (CnnSettings("vgg16"), CnnSettings("blocks", weights=path)):
        with pytest.raises(DataError, match="--weights is for"):
            CnnTraining(settings, LABELS)


def test_colours_of_the_first_convolution_are_added_up(tmp_path):
    path = tmp_path / "weights.pt"
    state = DESIGNS["vgg16"].make(1000).state_dict()
    grey = state["features.0.weight"]
    state["features.0.weight"] = torch.cat([grey, 2 * grey, 3 * grey], dim=1)
    state["classifier.6.weight"] = torch.zeros(1000, 4096)  # of ImageNet, not wanted
    torch.save(state, path)
    network = DESIGNS["vgg16"].make(3)
    load_imagenet_weights(network, path)
    torch.testing.assert_close(network.state_dict()["features.0.weight"], 6 * grey)


def test_transfer_teaches_the_new_layer_first(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(DESIGNS["mobilenetv2"].make(3).state_dict(), path)
    images, labels = drawn_faces(16)
    numbers = np.array([LABELS.index(label) for label in labels])
    training = CnnTraining(CnnSettings("mobilenetv2", epochs=8, batch=8, weights=path), LABELS)
    before = {k: v.clone() for k, v in training.network.state_dict().items()}

    with pytest.raises(Stopped):
        training.run(images, numbers, tmp_path / "c.pt", stop_after(2))
    changed = {k for k, v in training.network.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"head.1.weight", "head.1.bias"}


def test_fewer_faces_than_a_batch_are_named(tmp_path):
    images, _ = drawn_faces(5)
    training = CnnTraining(CnnSettings("compact"), LABELS)
    with pytest.raises(DataError, match="5 faces are fewer than a batch of 64"):
        training.run(images, np.zeros(5, int), tmp_path / "c.pt")
