"""``expression-ros train svm | knn | mlp | landmarks``: classifiers on descriptors."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from expression_ros import load_classifier
from expression_ros.commands.train_options import face_preparation, naming_files
from expression_ros.recognition.descriptors import Descriptor, make_descriptor
from expression_ros.recognition.face_preparation import LIGHT_CHOICES, FacePreparation
from expression_ros.recognition.model_manifest import (
    ModelFile,
    ModelManifest,
    sha256_of,
    write_manifest,
)
from expression_ros.recognition.vector_classifier import checked_thresholds, write_vector_model
from expression_ros.training.data.classifier_data import (
    CropClassifier,
    at_most,
    class_numbers,
    load_labelled_faces,
    share_right,
)
from expression_ros.training.data.faces import (
    DataError,
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.vector_rules import VectorRuleSettings, train_vector_rule
from expression_ros.vocabulary import UnknownLabelError, canonical_label

_NETWORK = Path("models/embedding/embedding.onnx")
_LANDMARK_SIDE = 96  # px: dlib reads a 48 px face better when it is enlarged
_THRESHOLDS_OF_VAN_GENT = "0.3 to 0.5 in the tutorial this follows"


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
    parser.add_argument("--neighbours", type=_at_least_one, default=15,
                        help="how many vote (default: %(default)s)")  # fmt: skip
    _add_components(parser, 100)


def add_mlp_parser(kinds: Any) -> None:
    """Add ``mlp`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = _parser(kinds, "mlp", "multi-layer perceptron")
    _add_descriptor(parser)
    parser.add_argument("--hidden", type=_at_least_one, nargs="+", default=[256], metavar="N",
                        help="neurons of each hidden layer (default: 256)")  # fmt: skip
    parser.add_argument("--epochs", type=_at_least_one, default=40,
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


def train_vector_classifier(arguments: argparse.Namespace) -> int:
    """Describe the faces, train, write the model folder, and measure it as it will be used."""
    begin = time.monotonic()
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training needs scikit-learn: pip install scikit-learn ({error})"
        ) from None
    train, test = load_labelled_faces(arguments.data)
    if arguments.limit:
        train = at_most(train, arguments.limit, arguments.seed)
    size = _LANDMARK_SIDE if arguments.descriptor == "landmarks" else FacePreparation.size
    face = face_preparation(arguments, size)
    arguments.output.mkdir(parents=True, exist_ok=True)
    descriptor = _new_descriptor(arguments, face)
    report_progress(f"{len(train):,} faces to train on, {len(test):,} to test on")
    vectors = _described(train, face, descriptor)
    labels, numbers = class_numbers(train.labels)
    thresholds = checked_thresholds(dict(getattr(arguments, "threshold", [])), labels)
    pairs = np.arange(len(train))
    if arguments.mirror:
        vectors = np.concatenate([vectors, _described(train.mirrored(), face, descriptor)])
        numbers, pairs = np.tile(numbers, 2), np.tile(pairs, 2)
    settings = VectorRuleSettings(**_rule_settings(arguments))
    try:
        trained = train_vector_rule(vectors, numbers, settings, pairs, report_progress)
    except ValueError as error:
        raise DataError(f"{arguments.data}: {error}") from error

    path = arguments.output / f"{arguments.model_kind}.npz"
    write_vector_model(path, trained.model)
    network = descriptor.settings.get("file")
    manifest = ModelManifest(
        kind=arguments.model_kind,
        labels=dict(enumerate(labels)),
        descriptor=descriptor.name,
        descriptor_size=descriptor.size,
        descriptor_settings=descriptor.settings,
        face=face,
        files=(ModelFile(path.name, sha256_of(path)),),
        descriptor_file=(
            ModelFile(network, sha256_of(arguments.output / network)) if network else None
        ),
        training={
            "data": arguments.data.name,
            "faces": len(train),
            "mirrored": bool(arguments.mirror),
            "held_out": trained.held_out,
            "held_out_accuracy": round(trained.accuracy, 4),
            **_rule_settings(arguments),
        },
        settings={"thresholds": thresholds} if arguments.model_kind == "landmarks" else {},
    )
    write_manifest(arguments.output, manifest)
    classifier = cast(CropClassifier, load_classifier(arguments.model_kind, arguments.output))
    right = share_right(classifier, test)
    print(f"accuracy {right:.4f} on {len(test):,} test faces, {trained.accuracy:.4f} on "
          f"{trained.held_out:,} held out of training, {path.stat().st_size / 1e6:.1f} MB, "
          f"{time.monotonic() - begin:.0f} s: {arguments.output}")  # fmt: skip
    return 0


def _parser(kinds: Any, kind: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(kind, help=text)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="labelled faces: fer2013.npz or .csv, or what expression-ros prepare "
                        "wrote")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models") / kind,
                        help="model folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--limit", type=_at_least_one, default=None, metavar="N",
                        help="train on N faces chosen at random (default: all)")  # fmt: skip
    parser.add_argument("--mirror", action="store_true",
                        help="train on the mirrored faces as well")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="same seed, same model")
    parser.add_argument("--light", choices=LIGHT_CHOICES, default="none",
                        help="what is done about light (default: %(default)s)")  # fmt: skip
    parser.add_argument("--margin", type=float, default=FacePreparation.margin,
                        help="margin around a detected face, as a share of its width "
                        "(default: %(default)s)")  # fmt: skip
    parser.set_defaults(func=naming_files(train_vector_classifier), model_kind=kind)
    return parser


def _add_descriptor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--descriptor", choices=("pixels", "hog", "embedding"), default="hog",
                        help="what it looks at (default: %(default)s)")  # fmt: skip
    parser.add_argument("--network", type=Path, default=_NETWORK, metavar="ONNX",
                        help="network of embedding (default: %(default)s)")  # fmt: skip


def _add_components(parser: argparse.ArgumentParser, count: int) -> None:
    parser.add_argument("--components", type=_at_least_none, default=count,
                        help="principal components kept after standardisation; 0 keeps the "
                        "descriptor as it is (default: %(default)s)")  # fmt: skip


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cost", type=_above_zero, default=None, metavar="C",
                        help="what a face on the wrong side costs (default: 0.001 for linear, "
                        "3 for rbf)")  # fmt: skip


def _rule_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of VectorRuleSettings that matter for the rule that was asked for."""
    if arguments.model_kind == "knn":
        own = {"rule": "neighbours", "neighbours": arguments.neighbours}
    elif arguments.model_kind == "mlp":
        own = {"rule": "perceptron", "hidden": list(arguments.hidden), "epochs": arguments.epochs,
               "weight_decay": arguments.weight_decay}  # fmt: skip
    else:
        usual = {"linear": 0.001, "rbf": 3.0}[arguments.kernel]
        own = {"rule": arguments.kernel, "cost": arguments.cost or usual}
        if arguments.kernel == "rbf":
            own["gamma"] = arguments.gamma
    return {**own, "components": arguments.components, "seed": arguments.seed}


def _new_descriptor(arguments: argparse.Namespace, face: FacePreparation) -> Descriptor:
    settings: dict[str, Any] = {}
    if arguments.descriptor == "embedding":
        settings["file"] = Path(os.path.relpath(arguments.network, arguments.output)).as_posix()
    if arguments.descriptor == "landmarks":
        settings["inset"] = round(max(face.margin, 0.0) / (1 + 2 * max(face.margin, 0.0)), 4)
        if arguments.predictor:
            settings["predictor"] = arguments.predictor
    return make_descriptor(arguments.descriptor, settings, face.size, arguments.output)


def _described(faces: FaceSet, face: FacePreparation, descriptor: Descriptor) -> np.ndarray:
    report_progress(f"describing {len(faces):,} faces by {descriptor.name}")
    return describe_faces(prepare_faces(faces.images, face), descriptor)


def _threshold(text: str) -> tuple[str, float]:
    label, _, share = text.partition("=")
    try:
        return canonical_label(label), float(share)
    except (UnknownLabelError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no LABEL=SHARE ({error})") from None


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _at_least_none(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _above_zero(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number
