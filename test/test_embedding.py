"""The embedding network: the shipped ONNX file through cv2.dnn, without PyTorch."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from expression_ros.recognition.embedding import (
    FACE_SIZE,
    EmbeddingError,
    EmbeddingNetwork,
    standardize,
)
from expression_ros.vocabulary import FER2013_ORDER, canonical_label

ROOT = Path(__file__).resolve().parents[1]
NETWORK = ROOT / "models" / "embedding" / "embedding.onnx"
FER2013 = ROOT.parent / "shared" / "data" / "fer2013.npz"


@pytest.fixture(scope="module")
def network():
    return EmbeddingNetwork(NETWORK)


def make_face(seed=0):
    """A smooth random image with the contrast of a face, (48, 48) uint8."""
    noise = np.random.default_rng(seed).normal(size=(FACE_SIZE, FACE_SIZE))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (128 + 30 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_one_face_gives_one_finite_float32_vector(network):
    embedding = network.describe(make_face())
    assert embedding.shape == (network.dimension,)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()
    assert embedding.std() > 0


def test_same_face_gives_same_embedding_also_in_another_object(network):
    face = make_face()
    first = network.describe(face)
    network.describe(make_face(1))
    np.testing.assert_array_equal(network.describe(face), first)
    np.testing.assert_array_equal(EmbeddingNetwork(NETWORK).describe(face), first)


def test_batch_agrees_with_single_faces_and_with_batches_of_other_sizes(network):
    faces = np.stack([make_face(seed) for seed in range(5)])
    batch = network.describe_batch(faces)
    assert batch.shape == (5, network.dimension) and batch.dtype == np.float32
    single = np.stack([network.describe(face) for face in faces])
    np.testing.assert_allclose(batch, single, atol=1e-4)
    np.testing.assert_allclose(network.describe_batch(faces[:2]), single[:2], atol=1e-4)


def test_batches_longer_than_one_call_of_cv2_dnn_are_split(network, monkeypatch):
    monkeypatch.setattr("expression_ros.recognition.embedding.MAX_BATCH", 2)
    faces = np.stack([make_face(seed) for seed in range(5)])
    single = np.stack([network.describe(face) for face in faces])
    np.testing.assert_allclose(network.describe_batch(faces), single, atol=1e-4)


def test_no_faces_give_no_embeddings(network):
    empty = network.describe_batch(np.empty((0, FACE_SIZE, FACE_SIZE), np.uint8))
    assert empty.shape == (0, network.dimension) and empty.dtype == np.float32


def test_different_faces_give_different_embeddings(network):
    assert cosine(network.describe(make_face(0)), network.describe(make_face(1))) < 0.99


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 40), (1.0, -40), (0.5, 60), (0.7, 0)])
def test_brightness_and_contrast_leave_the_embedding_nearly_unchanged(network, gain, offset):
    face = (make_face() * 0.6 + 50).astype(np.uint8)  # leaves room at both ends
    changed = np.clip(face * gain + offset, 0, 255).astype(np.uint8)
    assert cosine(network.describe(face), network.describe(changed)) > 0.98


def test_standardize_gives_mean_0_and_deviation_1_and_zeros_for_a_flat_face():
    flat = np.full((FACE_SIZE, FACE_SIZE), 77, np.uint8)
    faces = standardize(np.stack([make_face(), flat]))
    assert faces.shape == (2, 1, FACE_SIZE, FACE_SIZE) and faces.dtype == np.float32
    assert faces[0].mean() == pytest.approx(0, abs=1e-5)
    assert faces[0].std() == pytest.approx(1, abs=1e-5)
    assert not faces[1].any()


def test_flat_face_still_gives_finite_numbers(network):
    assert np.isfinite(network.describe(np.zeros((FACE_SIZE, FACE_SIZE), np.uint8))).all()


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (np.zeros((64, 64), np.uint8), "INTER_AREA"),
        (np.zeros((48, 48, 3), np.uint8), "grey"),
        (np.zeros((48, 48), np.float32), "astype"),
        (np.zeros((48,), np.uint8), "shape"),
    ],
)
def test_wrong_input_is_refused_with_one_line_that_says_what_to_do(network, face, message):
    with pytest.raises(EmbeddingError, match=message) as caught:
        network.describe(face)
    assert "\n" not in str(caught.value)


def test_batch_without_its_first_axis_is_refused(network):
    with pytest.raises(EmbeddingError, match=r"\(N, 48, 48\)"):
        network.describe_batch(make_face())


def test_missing_file_names_the_file_and_the_remedy(tmp_path):
    with pytest.raises(EmbeddingError, match="train one") as caught:
        EmbeddingNetwork(tmp_path / "gone.onnx")
    assert "gone.onnx" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no ONNX at all", None])
def test_corrupt_file_is_refused_with_one_line(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(NETWORK.read_bytes()[:200_000] if content is None else content)
    with pytest.raises(EmbeddingError, match=r"restore|use a network") as caught:
        EmbeddingNetwork(path)
    assert "\n" not in str(caught.value)


def test_file_is_small_enough_to_ship():
    assert NETWORK.stat().st_size < 8e6


def test_network_needs_no_pytorch_and_no_onnx():
    program = (
        "import sys; sys.modules.update(torch=None, onnx=None)\n"
        "from expression_ros.recognition.embedding import EmbeddingNetwork\n"
        f"EmbeddingNetwork({str(NETWORK)!r})"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_network_reads_fer2013_faces_far_better_than_chance(network):
    if not FER2013.is_file():
        pytest.skip("needs shared/data/fer2013.npz beside the repository")
    with np.load(FER2013, allow_pickle=False) as data:
        test = np.flatnonzero((data["split"] == 1) & ~data["duplicate_of_train"])[::5]
        images, numbers = data["images"][test], data["labels"][test]
        names = [canonical_label(name) for name in data["label_names"]]
    answers = network.logits(images).argmax(axis=1)
    right = np.mean([FER2013_ORDER[a] == names[n] for a, n in zip(answers, numbers, strict=True)])
    assert right > 0.6
