"""``expression-ros train fisherfaces``: the ensemble, its calibration and its model card."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.descriptors import DESCRIPTOR_NAMES, Descriptor, make_descriptor
from expression_ros.recognition.face_preparation import (
    FULL,
    LIGHT_CHOICES,
    REGION_CHOICES,
    FacePreparation,
)
from expression_ros.recognition.fisherfaces import KIND, FisherfaceEnsemble
from expression_ros.recognition.model_manifest import (
    ModelFile,
    ModelManifest,
    sha256_of,
    write_manifest,
)
from expression_ros.training.classifier_data import (
    class_numbers,
    face_preparation,
    load_labelled_faces,
)
from expression_ros.training.evaluation import evaluate
from expression_ros.training.faces import (
    DataError,
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.fisherface_settings import ENSEMBLES, FisherfaceSettings
from expression_ros.training.held_out import LIST_NAME, held_out_mask
from expression_ros.training.image_archives import load_cropped_archive
from expression_ros.training.model_card import (
    RIGHT_ENOUGH,
    FaceScores,
    Measurements,
    PortraitScore,
    write_model_card,
)
from expression_ros.training.portraits import portraits_of
from expression_ros.training.progress import with_progress
from expression_ros.vocabulary import EMOTIONS, UnknownLabelError, canonical_label

_NETWORK = Path("models/embedding/embedding.onnx")
_CALIBRATION_SHARE = 0.05  # of the training faces, where no list says which to hold out
_FEWEST_TO_CALIBRATE = 30  # faces
_MOST_FAVOUR = 10  # of a label; more would leave no other


def add_fisherfaces_parser(kinds: Any) -> None:
    """Add ``fisherfaces`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = kinds.add_parser(KIND, help="ten Fisherfaces that vote")
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="labelled faces: fer2013.npz, Kaggle's fer2013.csv, or what "
                        "expression-ros prepare wrote")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models/fisherfaces"),
                        help="model folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--descriptor", choices=DESCRIPTOR_NAMES, default="embedding",
                        help="what the models look at (default: %(default)s)")  # fmt: skip
    parser.add_argument("--network", type=Path, default=_NETWORK, metavar="ONNX",
                        help="network of embedding (default: %(default)s)")  # fmt: skip
    parser.add_argument("--ensemble", choices=ENSEMBLES, default=FisherfaceSettings.ensemble,
                        help="how the models come to differ: each is trained on its own random "
                        "subset, or boosted (SAMME), or by OpenCV's own trainer on a random "
                        "subset (default: %(default)s)")  # fmt: skip
    parser.add_argument("--members", type=_at_least_one, default=10, help="number of models")
    parser.add_argument("--components", type=_at_least_one, default=FisherfaceSettings.components,
                        help="principal components kept (default: %(default)s; for hog, 1600 are "
                        "better)")  # fmt: skip
    parser.add_argument("--feature-share", type=float, default=FisherfaceSettings.feature_share,
                        help="share of the components that each model looks at; less makes the "
                        "models differ more (default: %(default)s)")  # fmt: skip
    parser.add_argument("--favour", action="append", type=_favour, default=[],
                        metavar="LABEL=AMOUNT",
                        help="add so much to the logarithm of a label's prior, where missing it is "
                        "worse than seeing it too often; may be repeated")  # fmt: skip
    parser.add_argument("--images", type=_at_least_one, default=FisherfaceSettings.images,
                        help="images per model with --ensemble opencv, whose time grows with "
                        "their cube (default: %(default)s)")  # fmt: skip
    parser.add_argument("--more", type=Path, metavar="ZIP",
                        help="more faces to train on, cropped, a folder per label")  # fmt: skip
    parser.add_argument("--more-per-label", type=_at_least_one, default=1000, metavar="N",
                        help="at most so many of each label (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="same seed, same models")
    parser.add_argument("--light", choices=LIGHT_CHOICES, default="none",
                        help="what is done about light (default: %(default)s)")  # fmt: skip
    parser.add_argument("--margin", type=float, default=FacePreparation.margin,
                        help="margin around a detected face, as a share of its width; FER2013's "
                        "crops are about a detected box (default: %(default)s)")  # fmt: skip
    parser.add_argument("--region", choices=REGION_CHOICES, default=FULL,
                        help="upper: cover mouth and chin, for people who talk or wear a mask "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--level-by-eyes", action="store_true",
                        help="turn detected faces so that the eyes lie level")  # fmt: skip
    parser.add_argument("--portraits", type=Path, metavar="ZIP",
                        help="also measure on whole portraits, a folder per label")  # fmt: skip
    parser.set_defaults(func=_train)


def _train(arguments: argparse.Namespace) -> int:
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training needs scikit-learn: pip install scikit-learn ({error})"
        ) from None
    known, test = load_labelled_faces(arguments.data)
    train, calibration = _split_for_calibration(known, arguments)
    if arguments.more:
        train = _with_more(train, arguments)
    face = face_preparation(arguments, FacePreparation.size)
    arguments.output.mkdir(parents=True, exist_ok=True)
    descriptor = _new_descriptor(arguments, face)
    report_progress(f"{len(train):,} faces to train on, {len(calibration):,} to calibrate on, "
                    f"{len(test):,} to test on")  # fmt: skip
    manifest = _train_members(train, face, descriptor, arguments)
    write_manifest(arguments.output, manifest)
    manifest = _calibrated(manifest, calibration, arguments.output)
    write_manifest(arguments.output, manifest)
    ensemble = FisherfaceEnsemble.load(arguments.output)  # measured as it will be used
    report_progress("measuring")
    measured = Measurements(
        test=scores_on_faces(ensemble, test),
        train_faces=len(train),
        calibration_faces=len(calibration),
        portraits=_scores_on_portraits(ensemble, arguments.portraits),
        command=_command(arguments),
    )
    write_model_card(arguments.output, manifest, measured)
    vote = measured.test.vote
    print(f"accuracy {vote.accuracy:.4f}, macro F1 {vote.macro_f1:.4f}, single model "
          f"{np.mean(measured.test.member_accuracies):.4f}: {arguments.output}")  # fmt: skip
    return 0


def _split_for_calibration(
    known: FaceSet, arguments: argparse.Namespace
) -> tuple[FaceSet, FaceSet]:
    """Return faces to train on and faces to calibrate on, which the network has not seen either."""
    held_out = np.zeros(len(known), bool)
    if arguments.descriptor == "embedding":
        held_out = held_out_mask(arguments.network.with_name(LIST_NAME), known.images)
    if held_out.sum() < _FEWEST_TO_CALIBRATE:
        if arguments.descriptor == "embedding":
            report_progress("the network may have been trained on the faces its scores are "
                            "calibrated on; they will promise too much")  # fmt: skip
        held_out = np.random.default_rng(arguments.seed).random(len(known)) < _CALIBRATION_SHARE
    return known.take(~held_out), known.take(held_out)


def _with_more(train: FaceSet, arguments: argparse.Namespace) -> FaceSet:
    """Return the faces and those of the archive, as many per label as may be."""
    more = load_cropped_archive(arguments.more, train.images.shape[1])
    more = more.only(set(train.labels.tolist()))
    order = np.random.default_rng(arguments.seed).permutation(len(more))
    kept = np.concatenate([order[more.labels[order] == label][: arguments.more_per_label]
                           for label in np.unique(more.labels)])  # fmt: skip
    return train.plus(more.take(np.sort(kept)))


def _new_descriptor(arguments: argparse.Namespace, face: FacePreparation) -> Descriptor:
    settings: dict[str, Any] = {}
    if arguments.descriptor == "embedding":
        settings["file"] = Path(os.path.relpath(arguments.network, arguments.output)).as_posix()
    return make_descriptor(arguments.descriptor, settings, face.size, arguments.output)


def _train_members(
    train: FaceSet, face: FacePreparation, descriptor: Descriptor, arguments: argparse.Namespace
) -> ModelManifest:
    """Train and write the members; return their manifest."""
    present, numbers = class_numbers(train.labels)
    labels = dict(enumerate(present))
    favour = _favour_by_number(arguments, present)
    vectors = []
    for what, faces in (("faces", train), ("mirrored faces", train.mirrored())):
        report_progress(f"describing {what}")
        vectors.append(describe_faces(prepare_faces(faces.images, face), descriptor))
    settings = FisherfaceSettings(
        members=arguments.members,
        seed=arguments.seed,
        ensemble=arguments.ensemble,
        components=arguments.components,
        feature_share=arguments.feature_share,
        images=arguments.images,
        favour=favour,
    )
    for old in arguments.output.glob("fisherfaces_*.xml.gz"):
        old.unlink()  # of an ensemble with more members
    paths = [arguments.output / f"fisherfaces_{k:02d}.xml.gz" for k in range(settings.members)]
    try:
        weights = _write_members(
            paths, np.concatenate(vectors), np.tile(numbers, 2), labels, settings
        )
    except ValueError as error:
        raise DataError(f"{arguments.data}: {error}") from error
    network = descriptor.settings.get("file")
    return ModelManifest(
        kind=KIND,
        labels=labels,
        descriptor=descriptor.name,
        descriptor_size=descriptor.size,
        descriptor_settings=descriptor.settings,
        face=face,
        files=tuple(ModelFile(path.name, sha256_of(path)) for path in paths),
        descriptor_file=(
            ModelFile(network, sha256_of(arguments.output / network)) if network else None
        ),
        training=_training_record(arguments, len(train), settings),
        settings={"weights": weights} if weights else {},
    )


def _favour_by_number(arguments: argparse.Namespace, labels: Sequence[str]) -> dict[int, float]:
    """Return --favour by the numbers of the labels that there are faces of."""
    favour = dict(arguments.favour)
    if favour and arguments.ensemble == "opencv":
        raise DataError("--favour: OpenCV's own trainer knows no priors; leave it out")
    if missing := sorted(set(favour) - set(labels)):
        raise DataError(f"--favour {missing[0]}: the data has {', '.join(labels)}")
    return {labels.index(label): amount for label, amount in favour.items()}


def _training_record(
    arguments: argparse.Namespace, faces: int, settings: FisherfaceSettings
) -> dict[str, Any]:
    """Return what the manifest says of the training."""
    record = {"data": _name_of_data(arguments), "faces": faces, **vars(settings)}
    del record["favour"]  # by number; people read labels
    return {**record, **({"favour": dict(arguments.favour)} if arguments.favour else {})}


def _write_members(
    paths: list[Path],
    vectors: np.ndarray,
    numbers: np.ndarray,
    labels: dict[int, str],
    settings: FisherfaceSettings,
) -> list[float]:
    """Train and write as many models as there are paths; return their weights, [] if all alike."""
    from expression_ros.training.fisherface_boosting import train_boosted_fisherfaces
    from expression_ros.training.fisherfaces import train_fisherfaces
    from expression_ros.training.opencv_model_file import write_opencv_model
    from expression_ros.training.opencv_trainer import write_opencv_trained

    weights: list[float] = []
    if settings.ensemble == "opencv":
        write_opencv_trained(
            paths, vectors, numbers, labels, settings.images, settings.seed, report_progress
        )
        return weights
    if settings.ensemble == "boosted":
        models, weights = train_boosted_fisherfaces(vectors, numbers, settings, report_progress)
    else:
        pairs = np.tile(np.arange(len(vectors) // 2), 2)
        models = train_fisherfaces(vectors, numbers, settings, pairs, report_progress)
    for path, model in zip(paths, models, strict=True):
        write_opencv_model(path, model, labels)
    return [float(f"{weight:.6g}") for weight in weights]


def _calibrated(manifest: ModelManifest, faces: FaceSet, folder: Path) -> ModelManifest:
    """Return the manifest with how scores come from votes, and from which score on to believe."""
    from expression_ros.training.vote_calibration import fit_vote_calibration, trustworthy_score

    faces = faces.only(set(manifest.labels.values()))
    if len(faces) < _FEWEST_TO_CALIBRATE:
        report_progress(f"{len(faces)} faces are too few to calibrate on; scores are vote shares")
        return manifest
    report_progress(f"calibrating on {len(faces):,} faces")
    ensemble = FisherfaceEnsemble.load(folder)
    vectors = describe_faces(prepare_faces(faces.images, manifest.face), ensemble.descriptor)
    calibration = fit_vote_calibration(ensemble, vectors, faces.labels)
    settings = {**manifest.settings, "calibration": calibration.as_mapping()}
    ensemble.calibration = calibration
    said = [ensemble.predict_descriptor(vector[None]) for vector in vectors]
    right = np.array([p.label == label for p, label in zip(said, faces.labels, strict=True)])
    report_progress(f"of these the vote reads {right.mean():.3f} right")
    threshold = trustworthy_score(np.array([p.score for p in said]), right, RIGHT_ENOUGH)
    if threshold is not None:
        settings["min_confidence"] = threshold
    return replace(manifest, settings=settings)


def scores_on_faces(ensemble: FisherfaceEnsemble, faces: FaceSet) -> FaceScores:
    """Return how the vote and each member do on cropped faces."""
    vectors = describe_faces(prepare_faces(faces.images, ensemble.face), ensemble.descriptor)
    said = [ensemble.predict_descriptor(vector[None])
            for vector in with_progress(vectors, "letting the ensemble vote")]  # fmt: skip
    names = np.array(ensemble.labels)
    alone = np.array([names[ensemble.ballot(vector[None]).choices]
                      for vector in with_progress(vectors, "asking every member")])  # fmt: skip
    members = [float(np.mean(alone[:, k] == faces.labels)) for k in range(alone.shape[1])]
    labels = [p.label for p in said]
    vote = evaluate(faces.labels.tolist(), labels, _all_labels(ensemble, faces.labels))
    scores = np.array([p.score for p in said])
    return FaceScores(vote, members, scores, np.array(labels) == faces.labels)


def _scores_on_portraits(ensemble: FisherfaceEnsemble, path: Path | None) -> PortraitScore | None:
    """Return the scores on pictures with one face each, found by the cascades."""
    if path is None:
        return None
    portraits, count = portraits_of(path)
    truth = [label for label, _, _ in portraits]
    said = [ensemble.read(picture, box) for _, picture, box in portraits]
    labels = _all_labels(ensemble, np.array(truth))
    scores = evaluate(truth, [p.label for p in said], labels)
    return PortraitScore(path.name, count, len(truth), scores)


def _all_labels(ensemble: FisherfaceEnsemble, truth: np.ndarray) -> tuple[str, ...]:
    occurring = {*ensemble.labels, *truth.tolist()}
    return tuple(label for label in EMOTIONS if label in occurring)


def _name_of_data(arguments: argparse.Namespace) -> str:
    name = f"training faces of {arguments.data.name} and their mirror images"
    if arguments.more:
        name += f", {arguments.more.name} (at most {arguments.more_per_label} per label)"
    return name


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that was given, without the paths of this machine."""
    parts = [f"expression-ros train {KIND} --data {arguments.data.name}"]
    parts.append(f"--output models/{arguments.output.name} --descriptor {arguments.descriptor}")
    if arguments.descriptor == "embedding":
        parts.append(f"--network {_NETWORK.parent.as_posix()}/{arguments.network.name}")
    parts.append(f"--ensemble {arguments.ensemble} --members {arguments.members}")
    parts.append(f"--components {arguments.components}")
    parts.append(f"--feature-share {arguments.feature_share} --seed {arguments.seed}")
    parts += [f"--favour {label}={amount:g}" for label, amount in arguments.favour]
    parts.append(f"--light {arguments.light} --margin {arguments.margin}")
    if arguments.region != FULL:
        parts += ["--region", arguments.region]
    if arguments.level_by_eyes:
        parts.append("--level-by-eyes")
    if arguments.more:
        parts.append(f"--more {arguments.more.name} --more-per-label {arguments.more_per_label}")
    if arguments.portraits:
        parts.append(f"--portraits {arguments.portraits.name}")
    return " ".join(parts)


def _favour(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        label, value = canonical_label(name), float(amount)
    except (UnknownLabelError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no LABEL=AMOUNT ({error})") from None
    if not abs(value) <= _MOST_FAVOUR:
        raise argparse.ArgumentTypeError(f"must be from -{_MOST_FAVOUR} to {_MOST_FAVOUR}")
    return label, value


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
