"""An OpenCV that lacks a part: every command and the node say which, and how to repair it."""

from __future__ import annotations

import types

import cv2
import pytest

from expression_ros.cli import main
from expression_ros.recognition import opencv_parts
from expression_ros.recognition.embedding import EmbeddingError, EmbeddingNetwork
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.opencv_parts import REPAIR, CascadeError, load_cascade
from expression_ros.resources import models_path


@pytest.fixture
def stub_face(monkeypatch):
    """``cv2.face`` as opencv-python leaves it when it is installed over the contrib package."""
    monkeypatch.setattr(cv2, "face", types.ModuleType("cv2.face"))


@pytest.fixture
def photo(tmp_path, astronaut):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), astronaut)
    return path


COMMANDS = {
    "predict": "predict {photo}",
    "analyze": "analyze {folder} --output {folder}/out",
    "web": "web --video {folder} --port 0",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_say_how_to_repair_an_opencv_without_fisherfaces(
    stub_face, photo, capsys, command
):
    words = COMMANDS[command].format(photo=photo, folder=photo.parent).split()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "no cv2.face.FisherFaceRecognizer" in line and REPAIR in line


def test_everything_that_loads_fisherfaces_says_it(stub_face):
    for load in (lambda: load_classifier("fisherfaces"),
                 lambda: FisherfaceEnsemble.load(models_path("fisherfaces_upper"))):  # fmt: skip
        with pytest.raises(ModelError, match="pip uninstall -y opencv-python") as caught:
            load()
        assert "\n" not in str(caught.value)


def test_opencv_without_networks(monkeypatch, tmp_path):
    monkeypatch.delattr(cv2.dnn, "readNetFromONNX")
    with pytest.raises(EmbeddingError, match=r"no cv2\.dnn\.readNetFromONNX"):
        EmbeddingNetwork(models_path("embedding", "embedding.onnx"))
    with pytest.raises(ModelError, match=r"no cv2\.dnn\.readNetFromONNX"):
        load_classifier("fisherfaces")


def test_opencv_without_cascades(monkeypatch):
    """Version 5, and Ubuntu without opencv-data."""
    monkeypatch.setattr(opencv_parts, "_SYSTEM_FOLDERS", ("/nowhere",))
    monkeypatch.setattr(cv2.data, "haarcascades", "/nowhere/")
    opencv_parts.cascade_folder.cache_clear()
    with pytest.raises(CascadeError, match="apt install opencv-data"):
        load_cascade("frontalface_default")
    opencv_parts.cascade_folder.cache_clear()
    monkeypatch.undo()
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(CascadeError, match=r"no cv2\.CascadeClassifier"):
        load_cascade("frontalface_default")
