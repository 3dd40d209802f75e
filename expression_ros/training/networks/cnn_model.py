"""Writes the model folder of the classifier ``cnn``; needs no PyTorch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expression_ros.recognition.embedding import FACE_SIZE, LOGITS_OUTPUT
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.model_manifest import (
    ModelFile,
    ModelManifest,
    sha256_of,
    write_manifest,
)
from expression_ros.recognition.network_classifier import CNN, NetworkClassifier
from expression_ros.recognition.network_description import (
    DESCRIPTION_NAME,
    NetworkDescription,
    write_description,
)
from expression_ros.training.data.faces import DataError
from expression_ros.vocabulary import FER2013_ORDER

NETWORK_FILE = "network.onnx"
NETWORKS = ("compact", "blocks", "mobilenetv2", "vgg16")


@dataclass(frozen=True)
class CnnSettings:
    """How a network is trained.

    Attributes:
        network: one of NETWORKS, the keys of expression_networks.DESIGNS.
        epochs: passes over the faces.
        batch: faces per step.
        seed: of everything random.
        weights: ImageNet weight file of a transfer.
    """

    network: str = NETWORKS[0]
    epochs: int = 40
    batch: int = 64
    seed: int = 1
    weights: Path | None = None


def write_cnn(folder: Path, description: NetworkDescription, facts: Mapping[str, Any]) -> None:
    """Write ``network.yaml`` and the manifest of a network that is there already."""
    write_description(folder, description)
    names = (description.file, DESCRIPTION_NAME)
    write_manifest(
        folder,
        ModelManifest(
            kind=CNN,
            labels=dict(enumerate(description.labels)),
            descriptor="pixels",
            descriptor_size=description.size**2,
            descriptor_settings={},
            face=description.face,
            files=tuple(ModelFile(name, sha256_of(folder / name)) for name in names),
            training=facts,
        ),
    )


def write_cnn_of_embedding(
    folder: Path, network: Path, face: FacePreparation, facts: Mapping[str, Any]
) -> None:
    """Make the label head of the embedding network a ``cnn`` model, without a copy of the network.

    Args:
        folder: the model folder to write.
        network: ONNX file of commands.train_embedding.
        face: how faces are cut out.
        facts: about the training, for people.

    Raises:
        DataError: there is no such file.
        ModelError: it is not such a network.
    """
    if not network.is_file():
        raise DataError(f"no embedding network at {network}")
    folder.mkdir(parents=True, exist_ok=True)
    description = NetworkDescription(
        file=Path(os.path.relpath(network, folder)).as_posix(),
        labels=FER2013_ORDER,
        size=FACE_SIZE,
        per_face=True,
        output_name=LOGITS_OUTPUT,
        output_kind="logits",
        face=face,
    )
    NetworkClassifier(folder, description)  # before anything is written: does it fit?
    write_cnn(folder, description, facts)
