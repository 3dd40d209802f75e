"""``expression-ros train svm | knn | mlp | landmarks``: classifiers on descriptors."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from expression_ros.commands.options import at_least_one
from expression_ros.recognition.face_preparation import LIGHT_CHOICES, FacePreparation
from expression_ros.training.data.data_sets import load_split_faces
from expression_ros.training.data.prepared_set import preparation_for
from expression_ros.training.vectors.fitting import VectorRuleSettings
from expression_ros.training.vectors.training import (
    LANDMARK_SIDE,
    LANDMARKS,
    VectorConfig,
    train,
)
from expression_ros.vocabulary import UnknownLabelError, canonical_label

_THRESHOLDS_OF_VAN_GENT = "0.3 to 0.5 in the tutorial this follows"
_USUAL_COST = {"linear": 0.001, "rbf": 3.0}


def add_svm_parser(kinds: Any) -> None:
    """Add ``svm`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = _parser(kinds, "svm", "support vector machine, linear or RBF")
    _add_descriptor(parser)
    _add_cost(parser)
    parser.add_argument("--kernel", choices=("rbf", "linear"), default="rbf",
                        help="rbf is better and far slower: its time grows with the square of the "
                        "faces (default: %(default)s)")  # fmt: skip
    parser.add_argument("--gamma", type=float, default=0.0,
                        help="of the rbf kernel exp(-gamma d^2) (default: one over the number of "
                        "components times their variance)")  # fmt: skip
    _add_components(parser, 300)


def add_knn_parser(kinds: Any) -> None:
    """Add ``knn`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = _parser(kinds, "knn", "the nearest known faces vote")
    _add_descriptor(parser)
    parser.add_argument("--neighbours", type=at_least_one, default=15,
                        help="how many vote (default: %(default)s)")  # fmt: skip
    _add_components(parser, 100)


def add_mlp_parser(kinds: Any) -> None:
    """Add ``mlp`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = _parser(kinds, "mlp", "multi-layer perceptron")
    _add_descriptor(parser)
    parser.add_argument("--hidden", type=at_least_one, nargs="+", default=[256], metavar="N",
                        help="neurons of each hidden layer (default: 256)")  # fmt: skip
    parser.add_argument("--epochs", type=at_least_one, default=40,
                        help="at most so many passes (default: %(default)s)")  # fmt: skip
    parser.add_argument("--weight-decay", type=float, default=VectorRuleSettings.weight_decay,
                        help="how much large weights cost (default: %(default)s)")  # fmt: skip
    _add_components(parser, 300)


def add_landmarks_parser(kinds: Any) -> None:
    """Add ``landmarks`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = _parser(kinds, "landmarks", "linear SVM on dlib's 68 points (needs dlib-bin and "
                     "face-recognition-models)")  # fmt: skip
    parser.add_argument("--predictor", default="", metavar="FILE",
                        help="dlib's predictor of 68 points (default: that of "
                        "face-recognition-models; for non-commercial use)")  # fmt: skip
    parser.add_argument("--threshold", action="append", default=[], metavar="LABEL=SHARE",
                        type=_threshold,
                        help="say a label only from this probability on, "
                        f"{_THRESHOLDS_OF_VAN_GENT}; may be repeated, and changed later under "
                        "settings: thresholds: in manifest.yaml")  # fmt: skip
    _add_cost(parser)
    parser.set_defaults(descriptor="landmarks", kernel="linear", components=0)


def _train(arguments: argparse.Namespace) -> int:
    begin = time.monotonic()
    known, test = load_split_faces(arguments.data)
    config = _config(arguments)
    trained, right = train(known, test, config)
    size = (config.output / f"{config.kind}.npz").stat().st_size
    print(f"accuracy {right:.4f} on {len(test):,} test faces, {trained.accuracy:.4f} on "
          f"{trained.held_out:,} held out of training, {size / 1e6:.1f} MB, "
          f"{time.monotonic() - begin:.0f} s: {config.output}")  # fmt: skip
    return 0


def _config(arguments: argparse.Namespace) -> VectorConfig:
    size = LANDMARK_SIDE if arguments.descriptor == LANDMARKS else FacePreparation.size
    face = FacePreparation(size, arguments.margin, arguments.light, level_by_eyes=False)
    return VectorConfig(
        kind=arguments.model_kind,
        data=arguments.data,
        output=arguments.output,
        rule=_rule(arguments),
        face=preparation_for(arguments.data, face),
        descriptor=arguments.descriptor,
        network=getattr(arguments, "network", VectorConfig.network),
        predictor=getattr(arguments, "predictor", ""),
        limit=arguments.limit,
        mirror=arguments.mirror,
        thresholds=dict(getattr(arguments, "threshold", [])),
    )


def _rule(arguments: argparse.Namespace) -> VectorRuleSettings:
    common = {"components": arguments.components, "seed": arguments.seed}
    if arguments.model_kind == "knn":
        return VectorRuleSettings("neighbours", neighbours=arguments.neighbours, **common)
    if arguments.model_kind == "mlp":
        return VectorRuleSettings(
            "perceptron", hidden=tuple(arguments.hidden), epochs=arguments.epochs,
            weight_decay=arguments.weight_decay, **common,
        )  # fmt: skip
    return VectorRuleSettings(
        arguments.kernel, cost=arguments.cost or _USUAL_COST[arguments.kernel],
        gamma=getattr(arguments, "gamma", 0.0), **common,
    )  # fmt: skip


def _parser(kinds: Any, kind: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(kind, help=text)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="labelled faces: fer2013.npz or .csv, or what expression-ros prepare "
                        "wrote")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models") / kind,
                        help="model folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--limit", type=at_least_one, default=None, metavar="N",
                        help="train on N faces chosen at random (default: all)")  # fmt: skip
    parser.add_argument("--mirror", action="store_true",
                        help="train on the mirrored faces as well")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="same seed, same model")
    parser.add_argument("--light", choices=LIGHT_CHOICES, default="none",
                        help="what is done about light (default: %(default)s)")  # fmt: skip
    parser.add_argument("--margin", type=float, default=FacePreparation.margin,
                        help="margin around a detected face, as a share of its width "
                        "(default: %(default)s)")  # fmt: skip
    parser.set_defaults(func=_train, model_kind=kind)
    return parser


def _add_descriptor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--descriptor", choices=("pixels", "hog", "embedding"), default="hog",
                        help="what it looks at (default: %(default)s)")  # fmt: skip
    parser.add_argument("--network", type=Path, default=VectorConfig.network, metavar="ONNX",
                        help="network of embedding (default: %(default)s)")  # fmt: skip


def _add_components(parser: argparse.ArgumentParser, count: int) -> None:
    parser.add_argument("--components", type=_at_least_none, default=count,
                        help="principal components kept after standardisation; 0 keeps the "
                        "descriptor as it is (default: %(default)s)")  # fmt: skip


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cost", type=_above_zero, default=None, metavar="C",
                        help="what a face on the wrong side costs (default: 0.001 for linear, "
                        "3 for rbf)")  # fmt: skip


def _threshold(text: str) -> tuple[str, float]:
    label, _, share = text.partition("=")
    try:
        return canonical_label(label), float(share)
    except (UnknownLabelError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a LABEL=SHARE ({error})") from None


def _at_least_none(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _above_zero(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number
