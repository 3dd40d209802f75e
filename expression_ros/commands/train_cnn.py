"""``expression-ros train cnn``: networks of ours and transfer learning."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from expression_ros import load_classifier
from expression_ros.commands.train_options import face_preparation, naming_files
from expression_ros.recognition.face_preparation import (
    LIGHT_CHOICES,
    FacePreparation,
    prepare_crop,
)
from expression_ros.recognition.network_classifier import CNN
from expression_ros.training.data.classifier_data import (
    CropClassifier,
    at_most,
    class_numbers,
    load_labelled_faces,
    share_right,
)
from expression_ros.training.data.faces import DataError, FaceSet, report_progress

NETWORKS = ("compact", "blocks", "mobilenetv2", "vgg16")
_TRAINING_SIDE = 48  # px: what the augmentation starts from
_HELD_OUT = 0.05  # share of the faces to watch the training with; they are never trained on


def add_cnn_parser(kinds: Any) -> None:
    """Add ``cnn`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = kinds.add_parser(
        CNN, help="a convolutional network (training needs torch and onnx, running it only OpenCV)"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="labelled faces: fer2013.npz or .csv, or what expression-ros prepare "
                        "wrote")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models") / CNN,
                        help="model folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--network", choices=NETWORKS, default="compact",
                        help="compact: 1.5 million parameters, residual; blocks: 2.1 million, the "
                        "tutorials' 256-128-64 and 512-256-128, 20 times as slow; the others "
                        "start from --weights (default: %(default)s)")  # fmt: skip
    parser.add_argument("--weights", type=Path, metavar="FILE",
                        help="ImageNet state_dict of mobilenetv2 or vgg16, as torchvision has it; "
                        "read with weights_only=True, no code of it is run")  # fmt: skip
    parser.add_argument("--from-embedding", type=Path, metavar="ONNX",
                        help="do not train: take the label head of this network")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=40, help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="(default: %(default)s)")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE",
                        help="written after every epoch; the same command goes on from it "
                        "(default: checkpoint.pt in the output, deleted at the end)")  # fmt: skip
    parser.add_argument("--limit", type=int, default=None, metavar="N",
                        help="train on N faces chosen at random (default: all)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="same seed, same beginning")
    parser.add_argument("--light", choices=LIGHT_CHOICES, default="none",
                        help="what is done about light (default: %(default)s)")  # fmt: skip
    parser.add_argument("--margin", type=float, default=FacePreparation.margin,
                        help="margin around a detected face, as a share of its width "
                        "(default: %(default)s)")  # fmt: skip
    parser.set_defaults(func=naming_files(train_cnn), model_kind=CNN)


def train_cnn(arguments: argparse.Namespace) -> int:
    """Train (or go on training), write the model folder, and measure it as it will be used."""
    begin = time.monotonic()
    train, test = load_labelled_faces(arguments.data)
    if arguments.from_embedding:
        _take_over(arguments)
    else:
        if arguments.limit:
            train = at_most(train, arguments.limit, arguments.seed)
        report_progress(f"{len(train):,} faces to train on, {len(test):,} to test on")
        _train(train, arguments)
    classifier = cast(CropClassifier, load_classifier(CNN, arguments.output))
    print(f"accuracy {share_right(classifier, test):.4f} on {len(test):,} test faces, "
          f"{time.monotonic() - begin:.0f} s: {arguments.output}")  # fmt: skip
    return 0


def _take_over(arguments: argparse.Namespace) -> None:
    from expression_ros.training.networks.cnn_model import write_cnn_of_embedding

    face = FacePreparation(_TRAINING_SIDE, arguments.margin, arguments.light)
    facts = {"network": f"label head of {arguments.from_embedding.name}"}
    write_cnn_of_embedding(arguments.output, arguments.from_embedding, face, facts)


def _train(train: FaceSet, arguments: argparse.Namespace) -> None:
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training a cnn needs PyTorch and onnx: pip install torch onnx ({error})"
        ) from None
    from expression_ros.training.networks.cnn import CnnSettings, CnnTraining

    labels, numbers = class_numbers(train.labels)
    seen = FacePreparation(_TRAINING_SIDE, arguments.margin, arguments.light)
    images = np.stack([prepare_crop(image, seen) for image in train.images])
    held_out = np.random.default_rng(0).random(len(images)) < _HELD_OUT
    settings = CnnSettings(
        network=arguments.network, epochs=arguments.epochs, batch=arguments.batch,
        seed=arguments.seed, weights=arguments.weights,
    )  # fmt: skip
    training = CnnTraining(settings, tuple(labels))
    checkpoint = arguments.checkpoint or arguments.output / "checkpoint.pt"
    if checkpoint.is_file():
        training.resume(checkpoint)
        report_progress(f"going on from {checkpoint}, epoch {training.epoch}")
    watched = (images[held_out], numbers[held_out]) if held_out.any() else None
    training.run(images[~held_out], numbers[~held_out], checkpoint, report_progress, watched)
    facts = {
        "data": arguments.data.name,
        "faces": int((~held_out).sum()),
        "network": arguments.network,
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "epochs": training.epoch,
        "minutes": round(training.seconds / 60, 1),
        "held_out": int(held_out.sum()),
    }
    if watched:
        facts["held_out_accuracy"] = round(training.accuracy(*watched), 4)
    face = face_preparation(arguments, training.size)
    training.export(arguments.output, face, facts)
    if not arguments.checkpoint:
        checkpoint.unlink()
