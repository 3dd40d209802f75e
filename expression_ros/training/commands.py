"""The subcommands ``train`` and ``evaluate`` of the command ``expression-ros``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.cascades import CascadeError
from expression_ros.recognition.descriptors import (
    DESCRIPTOR_NAMES,
    Descriptor,
    DescriptorError,
    make_descriptor,
)
from expression_ros.recognition.face_preparation import (
    LIGHT_CHOICES,
    FaceError,
    FacePreparation,
)
from expression_ros.recognition.fisherfaces import KIND, FisherfaceEnsemble
from expression_ros.recognition.model_manifest import (
    ModelError,
    ModelFile,
    ModelManifest,
    sha256_of,
    write_manifest,
)
from expression_ros.training.classifier_commands import add_classifier_parsers
from expression_ros.training.evaluation import Evaluation, evaluate
from expression_ros.training.faces import (
    DataError,
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.fer2013 import load_fer2013
from expression_ros.training.fisherface_settings import FisherfaceSettings
from expression_ros.training.image_archives import pictures_of_archive
from expression_ros.training.model_card import Measurements, PortraitScore, write_model_card
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER

_NETWORK = Path("models/embedding/embedding.onnx")
_BAD_INPUT = (DataError, DescriptorError, FaceError, ModelError, CascadeError)


def add_train_parser(subparsers: Any) -> None:
    """Add ``train`` and every classifier to the subparsers; ``func`` returns an exit code."""
    train = subparsers.add_parser("train", help="train models from labelled faces")
    kinds = train.add_subparsers(dest="model_kind", required=True)
    add_classifier_parsers(kinds)
    parser = kinds.add_parser(KIND, help="ten Fisherfaces that vote")
    parser.add_argument("--data", type=Path, required=True, metavar="FER2013",
                        help="fer2013.npz, or Kaggle's fer2013.csv")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models/fisherfaces"),
                        help="model folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--descriptor", choices=DESCRIPTOR_NAMES, default="embedding",
                        help="what the models look at (default: %(default)s)")  # fmt: skip
    parser.add_argument("--network", type=Path, default=_NETWORK, metavar="ONNX",
                        help="network of embedding (default: %(default)s)")  # fmt: skip
    parser.add_argument("--members", type=_at_least_one, default=10, help="number of models")
    parser.add_argument("--components", type=_at_least_one, default=FisherfaceSettings.components,
                        help="principal components kept (default: %(default)s; for hog, 1600 are "
                        "better)")  # fmt: skip
    parser.add_argument("--feature-share", type=float, default=FisherfaceSettings.feature_share,
                        help="share of the components that each model looks at; less makes the "
                        "models differ more (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="same seed, same models")
    parser.add_argument("--light", choices=LIGHT_CHOICES, default="none",
                        help="what is done about light (default: %(default)s)")  # fmt: skip
    parser.add_argument("--margin", type=float, default=FacePreparation.margin,
                        help="margin around a detected face, as a share of its width; FER2013's "
                        "crops are about a detected box (default: %(default)s)")  # fmt: skip
    parser.add_argument("--level-by-eyes", action="store_true",
                        help="turn detected faces so that the eyes lie level")  # fmt: skip
    parser.add_argument("--portraits", type=Path, metavar="ZIP",
                        help="also measure on whole portraits, a folder per label")  # fmt: skip
    parser.set_defaults(func=_guarded(_train))


def add_evaluate_parser(subparsers: Any) -> None:
    """Add ``evaluate`` to the subparsers of argparse; ``func`` returns an exit code."""
    parser = subparsers.add_parser("evaluate", help="measure a model on labelled faces")
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="fer2013.npz or .csv (its public test), or a zip of whole portraits "
                        "with a folder per label")  # fmt: skip
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="model folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the scores as JSON")
    parser.set_defaults(func=_guarded(_evaluate))


def _guarded(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return a command that answers bad input with one line on stderr and exit code 2."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except _BAD_INPUT as error:
            print(f"expression-ros: {error}", file=sys.stderr)
        except OSError as error:
            print(f"expression-ros: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2

    return run


def _train(arguments: argparse.Namespace) -> int:
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training needs scikit-learn: pip install scikit-learn ({error})"
        ) from None
    train, test = load_fer2013(arguments.data)
    face = FacePreparation(
        margin=arguments.margin, light=arguments.light, level_by_eyes=arguments.level_by_eyes
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    descriptor = _new_descriptor(arguments, face)
    report_progress(f"{len(train):,} faces to train on, {len(test):,} to test on")
    manifest = _train_members(train, face, descriptor, arguments)
    write_manifest(arguments.output, manifest)
    ensemble = FisherfaceEnsemble.load(arguments.output)  # measured as it will be used
    report_progress("measuring")
    vote, members = scores_on_faces(ensemble, test)
    portraits = _scores_on_portraits(ensemble, arguments.portraits) if arguments.portraits else None
    measured = Measurements(vote, members, len(train), len(test), portraits, _command(arguments))
    write_model_card(arguments.output, manifest, measured)
    print(f"accuracy {vote.accuracy:.4f}, macro F1 {vote.macro_f1:.4f}, "
          f"single model {np.mean(members):.4f}: {arguments.output}")  # fmt: skip
    return 0


def _new_descriptor(arguments: argparse.Namespace, face: FacePreparation) -> Descriptor:
    settings: dict[str, Any] = {}
    if arguments.descriptor == "embedding":
        settings["file"] = Path(os.path.relpath(arguments.network, arguments.output)).as_posix()
    return make_descriptor(arguments.descriptor, settings, face.size, arguments.output)


def _train_members(
    train: FaceSet, face: FacePreparation, descriptor: Descriptor, arguments: argparse.Namespace
) -> ModelManifest:
    """Train and write the members; return their manifest."""
    from expression_ros.training.fisherfaces import train_fisherfaces
    from expression_ros.training.opencv_model_file import write_opencv_model

    vectors = []
    for what, faces in (("faces", train), ("mirrored faces", train.mirrored())):
        report_progress(f"describing {what}")
        vectors.append(describe_faces(prepare_faces(faces.images, face), descriptor))
    present = [label for label in FER2013_ORDER if label in set(train.labels)]
    numbers = np.array([present.index(label) for label in train.labels])
    settings = FisherfaceSettings(
        members=arguments.members,
        seed=arguments.seed,
        components=arguments.components,
        feature_share=arguments.feature_share,
    )
    try:
        models = train_fisherfaces(
            np.concatenate(vectors), np.tile(numbers, 2), settings,
            np.tile(np.arange(len(train)), 2), report_progress,
        )  # fmt: skip
    except ValueError as error:
        raise DataError(f"{arguments.data}: {error}") from error
    labels = dict(enumerate(present))
    for old in arguments.output.glob("fisherfaces_*.xml.gz"):
        old.unlink()  # of an ensemble with more members
    files = []
    for number, model in enumerate(models):
        path = arguments.output / f"fisherfaces_{number:02d}.xml.gz"
        write_opencv_model(path, model, labels)
        files.append(ModelFile(path.name, sha256_of(path)))
    network = descriptor.settings.get("file")
    return ModelManifest(
        kind=KIND,
        labels=labels,
        descriptor=descriptor.name,
        descriptor_size=descriptor.size,
        descriptor_settings=descriptor.settings,
        face=face,
        files=tuple(files),
        descriptor_file=(
            ModelFile(network, sha256_of(arguments.output / network)) if network else None
        ),
        training={"data": "FER2013, training split, and mirror images", "faces": len(train),
                  **vars(settings)},
    )  # fmt: skip


def _evaluate(arguments: argparse.Namespace) -> int:
    ensemble = FisherfaceEnsemble.load(arguments.model)
    result: dict[str, Any] = {"model": str(arguments.model), "data": str(arguments.data)}
    if arguments.data.suffix == ".zip":
        score = _scores_on_portraits(ensemble, arguments.data)
        evaluation = score.evaluation
        print(f"one face found in {score.found} of {score.portraits} portraits")
        result.update(portraits=score.portraits, found=score.found)
    else:
        evaluation, members = scores_on_faces(ensemble, load_fer2013(arguments.data)[1])
        print(f"accuracy of a single model {np.mean(members):.4f}")
        result["member_accuracies"] = members
    print(f"accuracy {evaluation.accuracy:.4f}, macro F1 {evaluation.macro_f1:.4f}")
    for label, s in evaluation.per_label.items():
        if s.faces:
            print(f"{label:10} precision {s.precision:.2f} recall {s.recall:.2f} "
                  f"F1 {s.f1:.2f} faces {s.faces}")  # fmt: skip
    if arguments.json:
        arguments.json.write_text(
            json.dumps({**result, **evaluation.as_mapping()}, indent=2) + "\n"
        )
    return 0


def scores_on_faces(ensemble: FisherfaceEnsemble, faces: FaceSet) -> tuple[Evaluation, list[float]]:
    """Return the scores of the vote and the accuracy of each member, on cropped faces."""
    vectors = describe_faces(prepare_faces(faces.images, ensemble.face), ensemble.descriptor)
    said = [ensemble.predict_descriptor(vector[None]).label for vector in vectors]
    alone = np.array([[label for label, _ in ensemble.votes(vector[None])] for vector in vectors])
    members = [float(np.mean(alone[:, k] == faces.labels)) for k in range(alone.shape[1])]
    return evaluate(list(faces.labels), said, _all_labels(ensemble, faces.labels)), members


def _scores_on_portraits(ensemble: FisherfaceEnsemble, path: Path) -> PortraitScore:
    """Return the scores on pictures with one face each, found by the cascades."""
    from expression_ros.recognition.detection import FaceDetector

    detector = FaceDetector(selection="single")
    truth, said, count = [], [], 0
    for label, picture in pictures_of_archive(path):
        count += 1
        if count % 50 == 0:
            report_progress(f"portrait {count}")
        found = detector.search_frame(picture)
        if len(found) == 1:
            truth.append(label)
            said.append(ensemble.read(picture, found[0].box).label)
    if not truth:
        raise DataError(f"{path}: no face was found in {count} pictures")
    return PortraitScore(
        path.name, count, len(truth), evaluate(truth, said, _all_labels(ensemble, truth))
    )


def _all_labels(ensemble: FisherfaceEnsemble, truth: Sequence[str] | np.ndarray) -> tuple[str, ...]:
    occurring = {*ensemble.labels, *(str(label) for label in truth)}
    return tuple(label for label in EMOTIONS if label in occurring)


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that was given, without the paths of this machine."""
    parts = [f"expression-ros train {KIND} --data {arguments.data.name}"]
    parts.append(f"--output models/{KIND} --descriptor {arguments.descriptor}")
    if arguments.descriptor == "embedding":
        parts.append(f"--network {_NETWORK.parent.as_posix()}/{arguments.network.name}")
    parts.append(f"--members {arguments.members} --components {arguments.components}")
    parts.append(f"--feature-share {arguments.feature_share} --seed {arguments.seed}")
    parts.append(f"--light {arguments.light} --margin {arguments.margin}")
    if arguments.level_by_eyes:
        parts.append("--level-by-eyes")
    if arguments.portraits:
        parts.append(f"--portraits {arguments.portraits.name}")
    return " ".join(parts)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
