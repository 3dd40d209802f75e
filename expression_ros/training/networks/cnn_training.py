"""From labelled faces to the model folder of a ``cnn``; only training itself needs PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from expression_ros.recognition.face_preparation import FacePreparation, prepare_crop
from expression_ros.recognition.network_classifier import NetworkClassifier
from expression_ros.training.data.faces import DataError, FaceSet, class_numbers, report_progress
from expression_ros.training.data.prepared_set import preparation_for
from expression_ros.training.evaluation.measurement import share_right
from expression_ros.training.networks.cnn_model import CnnSettings, write_cnn_of_embedding

_TRAINING_SIDE = 48  # px: what the augmentation starts from
_HELD_OUT = 0.05  # share of the faces to watch the training with; they are never trained on


@dataclass(frozen=True)
class CnnConfig:
    """How a network is trained or taken over, and where it is written.

    Attributes:
        data: the data set, whose name goes into the manifest.
        output: model folder to write.
        settings: of the training.
        from_embedding: do not train: take the label head of this ONNX file.
        checkpoint: written after every epoch, gone on from if it is there; one in the output that
            is deleted at the end when left out.
        limit: train on so many faces chosen at random; all when left out.
        light: what is done about light.
        margin: around a detected face, as a share of its width.
    """

    data: Path
    output: Path
    settings: CnnSettings = field(default_factory=CnnSettings)
    from_embedding: Path | None = None
    checkpoint: Path | None = None
    limit: int | None = None
    light: str = FacePreparation.light
    margin: float = FacePreparation.margin

    def face(self, size: int) -> FacePreparation:
        """Return how faces are cut out for a network that looks at so many px."""
        return FacePreparation(size, self.margin, self.light)


def train(known: FaceSet, test: FaceSet, config: CnnConfig) -> tuple[NetworkClassifier, float]:
    """Train (or go on training) a network, or take one over, write its model, and measure it.

    Args:
        known: faces to train on.
        test: faces to measure on.
        config: how, and into which folder.

    Returns:
        The network as it will be used, and the share of the test faces that it reads right.

    Raises:
        DataError: PyTorch or onnx is missing, or faces, weights or checkpoint do not fit.
        ModelError: the network that is taken over is none.
        OSError: a file cannot be written.
    """
    if config.from_embedding:
        facts = {"network": f"label head of {config.from_embedding.name}"}
        face = config.face(_TRAINING_SIDE)
        write_cnn_of_embedding(config.output, config.from_embedding, face, facts)
    else:
        known = known.at_most(config.limit, config.settings.seed) if config.limit else known
        report_progress(f"{len(known):,} faces to train on, {len(test):,} to test on")
        _train(known, config)
    classifier = NetworkClassifier.load_cnn(config.output)
    return classifier, share_right(classifier, test)


def _train(known: FaceSet, config: CnnConfig) -> None:
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training a cnn needs PyTorch and onnx: pip install torch onnx ({error})"
        ) from None
    from expression_ros.training.networks.cnn import CnnTraining

    labels, numbers = class_numbers(known.labels)
    seen = config.face(_TRAINING_SIDE)
    images = np.stack([prepare_crop(image, seen) for image in known.images])
    held_out = np.random.default_rng(0).random(len(images)) < _HELD_OUT
    training = CnnTraining(config.settings, tuple(labels))
    checkpoint = config.checkpoint or config.output / "checkpoint.pt"
    if checkpoint.is_file():
        training.resume(checkpoint)
        report_progress(f"going on from {checkpoint}, epoch {training.epoch}")
    watched = (images[held_out], numbers[held_out]) if held_out.any() else None
    training.run(images[~held_out], numbers[~held_out], checkpoint, report_progress, watched)
    facts = {
        "data": config.data.name,
        "faces": int((~held_out).sum()),
        "network": config.settings.network,
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "epochs": training.epoch,
        "minutes": round(training.seconds / 60, 1),
        "held_out": int(held_out.sum()),
    }
    if watched:
        facts["held_out_accuracy"] = round(training.accuracy(*watched), 4)
    face = preparation_for(config.data, config.face(training.size))
    training.export(config.output, face, facts)
    if not config.checkpoint:
        checkpoint.unlink()
