"""Training the network behind the descriptor on a few drawn faces; needs PyTorch."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from expression_ros.recognition.embedding import EmbeddingNetwork, standardize
from expression_ros.training.networks.faces import VOTE_ORDER, Faces, resembles, taught

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch onnx")
pytest.importorskip("onnx", reason="needs onnx: pip install torch onnx")

from expression_ros.commands import train_embedding as embedding_network  # noqa: E402
from expression_ros.training.networks.residual import ExpressionNet, export  # noqa: E402
from expression_ros.training.networks.training import (  # noqa: E402
    BATCH,
    MAX_RATE,
    RESTART_RATE,
    SMOOTHING,
    accuracy,
    agreement,
    augment,
    learning_rate,
    new_state,
    softened,
    train,
)


@pytest.fixture
def faces():
    """Noise, brighter above where the label is 0, below where it is 1."""
    rng = np.random.default_rng(0)
    labels = np.arange(2 * BATCH) % 2
    images = rng.integers(60, 120, (len(labels), 48, 48))
    images[labels == 0, :24] += 100
    images[labels == 1, 24:] += 100
    return Faces(images.astype(np.uint8), labels, np.zeros((len(labels), 8), np.float32))


def test_it_learns_what_is_plain_and_goes_on_from_its_checkpoint(faces, tmp_path):
    torch.manual_seed(0)
    state, checkpoint = new_state("cpu"), tmp_path / "checkpoint.pt"
    rows = train(state, faces, faces, 8, 5, checkpoint)
    assert rows[-1]["epoch"] == state.epoch and rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert accuracy(state.network, faces) > 0.9

    again = new_state("cpu")
    again.load(checkpoint)
    assert (again.epoch, again.images) == (state.epoch, state.images)
    for one, other in zip(state.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(one, other)
    assert train(again, faces, faces, 8, 5, checkpoint) == []  # all is done

    restarted = new_state("cpu", checkpoint)
    assert restarted.max_rate == RESTART_RATE and restarted.step == 0


def test_the_command_writes_network_list_and_card(faces, tmp_path, monkeypatch, capsys):
    counts = {"fer2013": len(faces)}
    monkeypatch.setattr(embedding_network, "split_data", lambda *_: (faces, faces, faces, counts))
    output = tmp_path / "embedding.onnx"
    words = ["--data", "fer2013.npz", "--epochs", "1", "--checkpoint", str(tmp_path / "c.pt"),
             "--output", str(output)]  # fmt: skip
    embedding_network.main(words)
    network = EmbeddingNetwork(output)
    assert network.describe_batch(faces.images[:3]).shape == (3, 256)
    card = (tmp_path / "README.md").read_text()
    assert f"{len(faces):,} images" in card and "--epochs 1" in card
    assert hashlib.sha256(output.read_bytes()).hexdigest() in card
    assert len((tmp_path / "held_out.txt").read_text().split()) >= 2
    assert "--rate" not in card
    assert '"test accuracy"' in capsys.readouterr().out


def test_an_exported_network_is_read_back_and_learns_on(faces, tmp_path):
    torch.manual_seed(0)
    state, checkpoint, path = new_state("cpu"), tmp_path / "first.pt", tmp_path / "first.onnx"
    train(state, faces, faces, 2, 5, checkpoint)
    export(state.average, path)
    back = new_state("cpu", path, faces.images, rate=0.01)
    assert back.max_rate == 0.01
    x = torch.from_numpy(standardize(faces.images[:32]))
    with torch.inference_mode():
        assert torch.allclose(back.average.embed(x), state.average.embed(x), atol=1e-3)
        by_label, expected = back.average(x)[0], state.average(x)[0]
    assert torch.allclose(by_label, expected, atol=1e-3)
    # In training the faces' own mean and deviation stand in, and the answers hardly change.
    back.network.train()
    with torch.no_grad():
        trained = back.network.embed(torch.from_numpy(standardize(faces.images)))
    with torch.inference_mode():
        still = back.average.embed(torch.from_numpy(standardize(faces.images)))
    assert torch.allclose(trained, still, atol=1e-2)
    lengths = [p.flatten(1).norm(dim=1) for p in back.network.body.parameters() if p.ndim > 1]
    fresh = [p.flatten(1).norm(dim=1) for p in ExpressionNet().body.parameters() if p.ndim > 1]
    assert all(
        torch.allclose(a.mean(), b.mean(), rtol=0.2) for a, b in zip(lengths, fresh, strict=True)
    )


def test_a_start_without_its_list_and_a_teacher_that_is_none_are_told_in_a_line(tmp_path, capsys):
    export(ExpressionNet(), tmp_path / "lonely.onnx")
    for words, told in (
        (["--start", str(tmp_path / "lonely.onnx")], "held_out.txt is missing"),
        (["--teacher", str(tmp_path / "nobody")], "nobody"),
    ):
        with pytest.raises(SystemExit) as ending:
            embedding_network.main(["--data", "fer2013.npz", *words])
        assert ending.value.code == 2 and told in capsys.readouterr().err.splitlines()[-1]


def test_another_network_s_file_is_refused(tmp_path):
    export(ExpressionNet(widths=(16, 32, 64, 128)), tmp_path / "small.onnx")
    with pytest.raises(ValueError, match="another network"):
        new_state("cpu", tmp_path / "small.onnx", np.zeros((2, 48, 48), np.uint8))


def test_a_teacher_speaks_where_nobody_voted_and_has_its_share_elsewhere():
    images = np.zeros((2, 48, 48), np.uint8)
    images[:, :, :24] = 200  # the mirror image is another face
    votes = np.zeros((2, 8), np.float32)
    votes[0, VOTE_ORDER.index("sadness")] = 1.0

    def answer(face):
        return {"happiness": 1.0} if face[0, 0] else {"neutral": 1.0}

    soft = taught(Faces(images, np.zeros(2, np.int64), votes), answer, 0.4).votes
    columns = [VOTE_ORDER.index(label) for label in ("sadness", "happiness", "neutral")]
    assert soft[0, columns] == pytest.approx([0.6, 0.2, 0.2])
    assert soft[1, columns] == pytest.approx([0.0, 0.5, 0.5])
    assert soft.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_agreement_counts_faces_on_which_more_than_half_agree(faces):
    torch.manual_seed(0)
    network = ExpressionNet()
    with torch.no_grad():
        network.vote_head.weight.zero_()
        network.vote_head.bias.copy_(torch.eye(8)[3])
    faces.votes[0, 3] = 0.6
    faces.votes[1, 2] = 0.9
    faces.votes[2, 4] = faces.votes[2, 5] = 0.5
    assert agreement(network, faces) == pytest.approx(0.5)


def test_the_rate_rises_and_falls_to_nothing():
    rates = [learning_rate(p) for p in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(MAX_RATE, rel=0.01) and rates[-1] == pytest.approx(0)
    assert rates[0] < 0.1 * MAX_RATE and np.argmax(rates) < 12


def test_votes_soften_a_label_and_so_does_nobody_s_vote():
    votes = torch.zeros(2, 8)
    votes[0, 3] = 1.0
    soft = softened(torch.tensor([0, 1]), votes)
    assert soft.sum(dim=1) == pytest.approx([1.0, 1.0])
    assert soft[1, 0] == pytest.approx(SMOOTHING / 7)
    assert soft[0].max() >= 1 - SMOOTHING


def test_varied_faces_are_standardised_and_differ():
    torch.manual_seed(0)
    face = torch.rand(1, 1, 48, 48).expand(16, 1, 48, 48)
    varied = augment(face, 32)
    assert varied.shape == (16, 1, 32, 32) and torch.isfinite(varied).all()
    assert varied.std(dim=0).mean() > 0.1


def test_near_copies_are_found_mirrored_or_not():
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (4, 48, 48)).astype(np.uint8)
    others = np.stack([faces[1], faces[2][:, ::-1]])
    assert resembles(faces, others).tolist() == [False, True, True, False]
