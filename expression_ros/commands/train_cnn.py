"""``expression-ros train cnn``: networks of ours and transfer learning."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from expression_ros.recognition.face_preparation import LIGHT_CHOICES, FacePreparation
from expression_ros.recognition.network_classifier import CNN
from expression_ros.training.data.data_sets import load_split_faces
from expression_ros.training.networks.cnn_model import NETWORKS, CnnSettings
from expression_ros.training.networks.cnn_training import CnnConfig, train


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
    parser.set_defaults(func=_train, model_kind=CNN)


def _train(arguments: argparse.Namespace) -> int:
    begin = time.monotonic()
    config = CnnConfig(
        data=arguments.data,
        output=arguments.output,
        settings=CnnSettings(
            arguments.network, arguments.epochs, arguments.batch, arguments.seed, arguments.weights
        ),
        from_embedding=arguments.from_embedding,
        checkpoint=arguments.checkpoint,
        limit=arguments.limit,
        light=arguments.light,
        margin=arguments.margin,
    )
    known, test = load_split_faces(config.data)
    _, right = train(known, test, config)
    print(f"accuracy {right:.4f} on {len(test):,} test faces, "
          f"{time.monotonic() - begin:.0f} s: {config.output}")  # fmt: skip
    return 0
