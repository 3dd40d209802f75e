"""A model folder that is not whole is refused with one line: the file, the trouble, the remedy."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import (
    MANIFEST_NAME,
    ModelError,
    ModelFile,
    ModelManifest,
    read_manifest,
    sha256_of,
    write_manifest,
)
from expression_ros.training.fisherfaces.opencv_model_file import (
    FisherfaceModel,
    write_opencv_model,
)

LABELS = {0: "happiness", 1: "neutral"}
SIZE = 48 * 48


@pytest.fixture
def folder(tmp_path) -> Path:
    """A whole model folder: two members on pixels, bright faces happy and dark ones neutral."""
    folder = tmp_path / "model"
    folder.mkdir()
    basis = np.full((SIZE, 1), 1 / SIZE)
    model = FisherfaceModel(
        np.full(SIZE, 0.5), basis, np.ones(1), np.array([[0.5], [-0.5]]), np.array([0, 1])
    )
    for name in ("a.xml", "b.xml.gz"):
        write_opencv_model(folder / name, model, LABELS)
    _write(folder)
    return folder


def _write(folder: Path) -> None:
    files = tuple(ModelFile(n, sha256_of(folder / n)) for n in ("a.xml", "b.xml.gz"))
    face = FacePreparation(margin=0.1)
    write_manifest(
        folder,
        ModelManifest("fisherfaces", LABELS, "pixels", SIZE, {}, face, files, training={"seed": 1}),
    )


def _edit(folder: Path, **changes) -> None:
    path = folder / MANIFEST_NAME
    content = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))


def _refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        FisherfaceEnsemble.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert "expression-ros train fisherfaces" in message
    return message


def test_whole_folder_is_read_and_answers(folder):
    ensemble = FisherfaceEnsemble.load(folder)
    assert ensemble.labels == ("happiness", "neutral")
    assert ensemble.face == FacePreparation(margin=0.1)
    assert read_manifest(folder).training == {"seed": 1}
    assert ensemble.predict(np.full((48, 48), 250, np.uint8)).label == "happiness"
    assert ensemble.predict(np.full((48, 48), 5, np.uint8)).label == "neutral"


def test_missing_folder(folder):
    shutil.rmtree(folder)
    assert f"{folder} does not exist" in _refused(folder)


@pytest.mark.parametrize("name", [MANIFEST_NAME, "a.xml", "b.xml.gz"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    assert f"{folder / name} is missing" in _refused(folder)


@pytest.mark.parametrize("name", ["a.xml", "b.xml.gz"])
def test_changed_file(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b" ")
    message = _refused(folder)
    assert str(folder / name) in message and "SHA-256" in message


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("</opencv_storage>", "", "cannot parse"),
        ("<opencv_fisherfaces>", "<opencv", "cannot parse"),
        ("eigenvectors", "eigenfaces", "missing"),
        ("<mean", "<moan", "cannot parse"),
        ("projections", "projected", "missing"),
        ("<cols>2304", "<cols>2305", "cannot parse"),
        ("<rows>2304", "<rows>2300", "cannot parse"),
        ("<rows>2</rows><cols>1</cols><dt>i</dt><data>\n0\n1",
         "<rows>1</rows><cols>1</cols><dt>i</dt><data>\n0", "1 labels for 2 projections"),
        ("<dt>i</dt><data>\n0\n1", "<dt>i</dt><data>\n0\n7", "[7]"),
        ("<data>\n-0.5", "<data>\n.Nan", "not finite"),
    ],
)  # fmt: skip
def test_corrupt_file_that_the_manifest_vouches_for(folder, old, new, what):
    path = folder / "a.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _write(folder)
    message = _refused(folder)
    assert str(path) in message and what in message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"garbage", id="garbage"),
        pytest.param(b"\x00" * 99, id="zeros"),
        pytest.param(gzip.compress(b"<?xml", mtime=0), id="cut-short-xml"),
    ],
)
def test_file_that_is_no_model_at_all(folder, content):
    (folder / "b.xml.gz").write_bytes(content)
    _write(folder)
    assert str(folder / "b.xml.gz") in _refused(folder)


@pytest.mark.parametrize(
    "content", ["", "- a", "{", "format: 1", "\x00", "!!python/object:os.x {}"]
)
def test_manifest_that_is_none(folder, content):
    (folder / MANIFEST_NAME).write_text(content)
    assert str(folder / MANIFEST_NAME) in _refused(folder)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"format": 2}, "format 2"),
        ({"kind": "svm"}, "'svm'"),
        ({"labels": {0: "hungry", 1: "neutral"}}, "hungry"),
        ({"labels": {0: "happy", 1: "happiness"}}, "repeated"),
        ({"labels": {0: "unknown", 1: "neutral"}}, "unknown"),
        ({"labels": {0: "neutral"}}, "fewer than two"),
        ({"labels": {0: "happiness", 2: "neutral"}}, "[1]"),
        ({"labels": ["happiness"]}, "wrong type"),
        ({"labels": None}, "'labels'"),
        ({"files": []}, "no model files"),
        ({"files": [{"path": "a.xml"}]}, "'sha256'"),
        ({"files": [{"path": "/a.xml", "sha256": "0" * 64}]}, "relative path"),
        ({"files": [{"path": "a.xml", "sha256": "no"}]}, "relative path"),
        ({"face": {"size": 48, "light": "dark"}}, "light"),
        ({"face": {"brow": 1}}, "brow"),
        ({"face": 3}, "wrong type"),
        ({"face": {"size": 32}}, "vectors of 1024"),
        ({"descriptor": {"name": "pixels"}}, "'size'"),
        ({"descriptor": {"name": "pixels", "size": 99}}, "not 99"),
        ({"descriptor": {"name": "sift", "size": 99}}, "sift"),
        ({"descriptor": {"name": "hog", "size": 3888}}, "descriptors of 2304, not of 3888"),
        ({"descriptor": {"name": "embedding", "size": 9, "settings": {"file": "n.onnx"}}},
         "n.onnx"),
        ({"descriptor": "pixels"}, "wrong type"),
    ],
)  # fmt: skip
def test_manifest_with_an_unfit_entry(folder, changes, what):
    _edit(folder, **changes)
    assert what in _refused(folder)


def test_file_of_the_descriptor_is_checked_too(folder):
    entry = {"path": "n.onnx", "sha256": "0" * 64}
    _edit(folder, descriptor={"name": "pixels", "size": SIZE, "file": entry})
    assert f"{folder / 'n.onnx'} is missing" in _refused(folder)
    (folder / "n.onnx").write_bytes(b"another network")
    assert "SHA-256" in _refused(folder)
