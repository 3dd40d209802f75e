"""Files damaged at random: each loads, or is refused in one line. Never anything else.

Bits are flipped, pieces cut out, repeated and put in, ends cut off. The damages are the same in
every run (seeded); a failure prints the file's hexadecimal start and where it is kept.
"""

from __future__ import annotations

import io
import random
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from generated_faces import write_linear_onnx

from expression_ros.mirroring.robot_table import RobotTableError, load_robot
from expression_ros.mirroring.styles import StyleError, load_style
from expression_ros.personal.kept_persons import save_person
from expression_ros.recognition.model_manifest import (
    ModelError,
    read_manifest,
    sha256_of,
)
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.mouth import read_mouth_cover
from expression_ros.recognition.network_description import read_description
from expression_ros.recognition.network_files import network_crash
from expression_ros.recognition.person import Person, PersonError, load_person
from expression_ros.recognition.regional_vote import regional
from expression_ros.recognition.vector_classifier import (
    VectorModel,
    read_vector_model,
    write_vector_model,
)
from expression_ros.recognition.vector_rules import LinearRule, RuleError, Standardization
from expression_ros.resources import config_path, models_path
from expression_ros.whole_files import ArraysError, read_plain_arrays

LONGEST_S = 5.0  # of one loading, on a busy machine
WORDS = (b"[", b"{", b"]", b":", b"- ", b"&a ", b"*a", b"!!int x", b"2024-13-41", b".inf",
         b".nan", b"0x", b"\0", b"\xff", b"\t", b"\n", b"'", b'"', b"1e999", b"null",
         b"9" * 400)  # fmt: skip


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return the content with one to four damages."""
    result = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        size = len(result)
        if not size:
            break
        # Half of them near the end, where zip keeps its directory.
        at = chance.randrange(size) if chance.random() < 0.5 else size - 1 - chance.randrange(
            min(size, 600))  # fmt: skip
        kind = chance.random()
        if kind < 0.5:
            result[at] ^= 1 << chance.randrange(8)
        elif kind < 0.65:
            del result[at : at + chance.randint(1, 64)]
        elif kind < 0.75:
            result[at:at] = chance.randbytes(chance.randint(1, 16))
        elif kind < 0.9:
            result[at:at] = chance.choice(WORDS)
        elif kind < 0.95:
            result[at:at] = result[at : at + chance.randint(1, 200)]
        else:
            del result[at:]
    return bytes(result)


def check(path: Path, load, refusal, times: int) -> dict[str, int]:
    """Damage a file many times and load it; return how often it loaded and was refused."""
    content = path.read_bytes()
    chance = random.Random(5)
    counts = {"loaded": 0, "refused": 0}
    for number in range(times):
        path.write_bytes(damaged(content, chance))
        begin = time.monotonic()
        try:
            load()
            counts["loaded"] += 1
        except refusal as error:
            counts["refused"] += 1
            assert "\n" not in str(error), f"damage {number}: {error!s}"
            assert str(path.parent) in str(error) or path.name in str(error), str(error)
        except BaseException as error:
            raise AssertionError(f"damage {number} of {path}: {error!r}") from error
        assert time.monotonic() - begin < LONGEST_S, f"damage {number} of {path}"
    path.write_bytes(content)
    load()  # the whole one still does
    assert counts["refused"]
    return counts


def test_person(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(24, 16)).astype(np.float32)
    labels = ("happiness", "neutral", "sadness") * 8
    path = save_person(Person("ada", vectors, labels, np.zeros(24, int), "ab" * 32, 4.0), tmp_path)
    check(path, lambda: load_person("ada", tmp_path), PersonError, 1500)


@pytest.mark.parametrize("name", ["virtual_face", "pal", "led_eyes"])
def test_robot(tmp_path, name):
    path = tmp_path / "robot.yaml"
    shutil.copy(config_path("robots", f"{name}.yaml"), path)
    check(path, lambda: load_robot(str(path)), RobotTableError, 150)


def test_style(tmp_path):
    path = tmp_path / "style.yaml"
    shutil.copy(config_path("robots", "styles", "empathic.yaml"), path)
    check(path, lambda: load_style(str(path)), StyleError, 400)


def test_manifest(tmp_path):
    folder = shutil.copytree(models_path("fisherfaces"), tmp_path / "fisherfaces")
    shutil.copytree(models_path("embedding"), tmp_path / "embedding")
    path = folder / "manifest.yaml"
    check(path, lambda: read_manifest(folder), ModelError, 150)
    # What a damaged manifest lets pass must make a whole classifier, or be refused.
    check(path, lambda: load_classifier("fisherfaces", folder), ModelError, 40)


@pytest.mark.parametrize("name", ["fisherfaces/fisherfaces_03.xml.gz", "embedding/embedding.onnx",
                                  "fisherfaces_upper/mouth_cover.npz"])  # fmt: skip
def test_model_files_are_held_against_their_sha256_before_they_are_opened(tmp_path, name):
    """cv2.dnn may end the process on a damaged network: it must not get to see one."""
    for part in ("fisherfaces", "fisherfaces_upper", "embedding"):
        shutil.copytree(models_path(part), tmp_path / part)
    whole = load_classifier("fisherfaces")

    def load():
        load_classifier("fisherfaces", tmp_path / "fisherfaces")
        regional(whole, "auto", tmp_path / "fisherfaces_upper")

    assert check(tmp_path / name, load, ModelError, 4) == {"loaded": 0, "refused": 4}


def test_mouth_cover_that_the_manifest_vouches_for(tmp_path):
    path = tmp_path / "mouth_cover.npz"
    shutil.copy(models_path("fisherfaces_upper", "mouth_cover.npz"), path)
    size = len(read_plain_arrays(path, 1 << 24)["weights"])
    check(path, lambda: read_mouth_cover(tmp_path, sha256_of(path), size), ModelError, 300)


def test_vector_model(tmp_path):
    path = tmp_path / "svm.npz"
    rule = LinearRule(np.ones((3, 8), np.float32), np.zeros(3, np.float32), 1.0)
    scale = Standardization(np.zeros(8, np.float32), np.ones(8, np.float32))
    write_vector_model(path, VectorModel(scale, rule))

    def load():
        try:
            read_vector_model(path)
        except RuleError as error:  # the caller names the file
            raise RuleError(f"{path.name}: {error}") from error

    check(path, load, RuleError, 300)


def test_description_of_a_network(tmp_path):
    write_linear_onnx(tmp_path / "net.onnx", np.ones((64, 3), np.float32), (1, 1, 8, 8))
    path = tmp_path / "network.yaml"
    path.write_text("file: net.onnx\nlabels: [happy, sad, scared]\ninput:\n  size: 8\n  std: 1.0\n"
                    "output:\n  kind: auto\nface:\n  margin: 0.04\n")  # fmt: skip
    check(path, lambda: read_description(tmp_path), ModelError, 400)


@pytest.mark.parametrize("text", [
    "a: 2024-13-41", "!!map x", "? {}\n: 1", "[" * 600, "!!int ''", "!!timestamp x", "a: 0b",
    "!!float x", "!!bool x", "!!set x", "!!omap x", "a: &a [*a]", "<<: 1", "!!binary é", "\x07",
])  # fmt: skip
def test_yaml_that_breaks_the_parser_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "network.yaml"
    path.write_text(text, encoding="utf-8")
    for load, refusal in ((lambda: load_robot(str(path)), RobotTableError),
                          (lambda: load_style(str(path)), StyleError),
                          (lambda: read_description(tmp_path), ModelError)):  # fmt: skip
        with pytest.raises(refusal) as caught:
            load()
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    path.rename(tmp_path / "manifest.yaml")
    with pytest.raises(ModelError):
        read_manifest(tmp_path)


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(shape: str, data: bytes = b"") -> bytes:
    """Return an npy file whose header claims a shape."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (117 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize("shape", ["(100000000000000,)", "(10**9,)", "(-1,)", "()", "(3, 'a')"])
def test_arrays_that_claim_more_than_there_is_take_no_memory(tmp_path, shape):
    path = npz(tmp_path / "x.npz", weights=npy(shape, b"\0" * 4))
    with pytest.raises(ArraysError, match="it is damaged"):
        read_plain_arrays(path, 1 << 20)


def test_arrays_that_unpack_to_far_more_are_refused_unopened(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1 << 21))
    path = npz(tmp_path / "x.npz", weights=buffer.getvalue())
    assert path.stat().st_size < 1 << 16
    with pytest.raises(ArraysError, match="it is too large"):
        read_plain_arrays(path, 1 << 20)


def test_network_on_which_cv2_dnn_ends_the_process_is_refused(tmp_path, monkeypatch):
    """What cv2.dnn does to itself, done by the trial: this OpenCV's faults differ from others'."""
    write_linear_onnx(tmp_path / "net.onnx", np.ones((64, 3), np.float32), (1, 1, 8, 8))
    description = {"file": "net.onnx", "labels": ["happy", "sad", "scared"], "input": {"size": 8}}
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(description))
    assert network_crash(tmp_path / "net.onnx", (1, 1, 8, 8)) == ""
    assert load_classifier("onnx", tmp_path).labels
    trial = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr("expression_ros.recognition.network_files._TRIAL", trial)
    (tmp_path / "net.onnx").write_bytes((tmp_path / "net.onnx").read_bytes()[:-1] + b"\1")
    with pytest.raises(ModelError, match=r"ends by signal 11 on net.onnx; the file is damaged"):
        load_classifier("onnx", tmp_path)


def test_network_that_the_manifest_does_not_vouch_for_is_not_opened(tmp_path, monkeypatch):
    folder = shutil.copytree(models_path("fisherfaces"), tmp_path / "fisherfaces")
    path = folder / "manifest.yaml"
    content = yaml.safe_load(path.read_text())
    content["descriptor"].pop("file")
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelError, match=r"gives no SHA-256 of .*embedding\.onnx"):
        load_classifier("fisherfaces", folder)
