"""``expression-ros train fisherfaces``: the ensemble, its calibration and its model card."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.descriptors import Descriptor, make_descriptor
from expression_ros.recognition.face_preparation import (
    FULL,
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
    face_preparation,
    load_labelled_faces,
)
from expression_ros.training.faces import (
    DataError,
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.fisherface_calibration import FEWEST_TO_CALIBRATE, calibrated
from expression_ros.training.fisherface_lessons import (
    SINGLE,
    VOTES,
    Lesson,
    lesson_of,
    without_copies,
)
from expression_ros.training.fisherface_options import NETWORK, add_fisherface_options
from expression_ros.training.fisherface_scores import (
    posed_scores,
    scores_on_faces,
    scores_on_portraits,
)
from expression_ros.training.fisherface_settings import FisherfaceSettings
from expression_ros.training.held_out import LIST_NAME, held_out_mask
from expression_ros.training.image_archives import load_cropped_archive
from expression_ros.training.model_card import (
    Measurements,
    write_model_card,
)

_CALIBRATION_SHARE = 0.05  # of the training faces, where no list says which to hold out


def add_fisherfaces_parser(kinds: Any) -> None:
    """Add ``fisherfaces`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = kinds.add_parser(KIND, help="ten Fisherfaces that vote")
    add_fisherface_options(parser)
    parser.set_defaults(func=_train)


def _train(arguments: argparse.Namespace) -> int:
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training needs scikit-learn: pip install scikit-learn ({error})"
        ) from None
    learn = _learn(arguments)
    known, test = load_labelled_faces(arguments.data, arguments.votes)
    train, calibration = _split_for_calibration(known, arguments)
    if arguments.without_copies:
        calibration = without_copies(calibration, test)
        train = without_copies(train, calibration.plus(test))
    if arguments.more:
        train = _with_more(train, arguments)
    lesson = lesson_of(train, learn, arguments.leave_out)
    face = face_preparation(arguments, FacePreparation.size)
    arguments.output.mkdir(parents=True, exist_ok=True)
    descriptor = _new_descriptor(arguments, face)
    counts = (len(lesson.faces), len(calibration), len(test))
    report_progress("{:,} faces to train on, {:,} to calibrate on, {:,} to test on".format(*counts))
    manifest = _train_members(lesson, face, descriptor, arguments)
    write_manifest(arguments.output, manifest)
    manifest = calibrated(manifest, calibration, arguments.output, learn)
    write_manifest(arguments.output, manifest)
    ensemble = FisherfaceEnsemble.load(arguments.output)  # measured as it will be used
    report_progress("measuring")
    measured = Measurements(
        test=scores_on_faces(ensemble, test),
        posed=posed_scores(ensemble, test),
        train_faces=len(lesson.faces),
        calibration_faces=len(calibration),
        portraits=scores_on_portraits(ensemble, arguments.portraits, arguments.portrait_groups),
        command=_command(arguments),
    )
    write_model_card(arguments.output, manifest, measured)
    vote, people = measured.test.vote, measured.test.people
    if people is not None:
        print(f"what most people see {people['majority']:.4f} of {people['n']:,}, one person "
              f"{people['one_person']:.4f}")  # fmt: skip
    print(f"accuracy {vote.accuracy:.4f}, macro F1 {vote.macro_f1:.4f}, single model "
          f"{np.mean(measured.test.member_accuracies):.4f}: {arguments.output}")  # fmt: skip
    return 0


def _learn(arguments: argparse.Namespace) -> str:
    """Return what is learnt; DataError if it does not go with the other options."""
    learn = arguments.learn or (VOTES if arguments.votes else SINGLE)
    if learn != SINGLE and arguments.more:
        raise DataError(f"--more: nobody was asked about these faces; with --learn {SINGLE} only")
    if arguments.ensemble != "bagged" and (learn == VOTES or arguments.refine):
        raise DataError("--learn votes and --refine go with --ensemble bagged only")
    return learn


def _split_for_calibration(
    known: FaceSet, arguments: argparse.Namespace
) -> tuple[FaceSet, FaceSet]:
    """Return faces to train on and faces to calibrate on, which the network has not seen either."""
    held_out = np.zeros(len(known), bool)
    if arguments.descriptor == "embedding":
        held_out = held_out_mask(arguments.network.with_name(LIST_NAME), known.images)
    if held_out.sum() < FEWEST_TO_CALIBRATE:
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
        if arguments.power != 1.0:
            settings["power"] = arguments.power
    return make_descriptor(arguments.descriptor, settings, face.size, arguments.output)


def _train_members(
    lesson: Lesson, face: FacePreparation, descriptor: Descriptor, arguments: argparse.Namespace
) -> ModelManifest:
    """Train and write the members; return their manifest."""
    labels = dict(enumerate(lesson.labels))
    favour = _favour_by_number(arguments, lesson.labels)
    train = lesson.faces
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
        shrinkage=arguments.shrinkage,
        images=arguments.images,
        refine=arguments.refine,
        favour=favour,
    )
    for old in arguments.output.glob("fisherfaces_*.xml.gz"):
        old.unlink()  # of an ensemble with more members
    paths = [arguments.output / f"fisherfaces_{k:02d}.xml.gz" for k in range(settings.members)]
    try:
        weights = _write_members(paths, np.concatenate(vectors), lesson, labels, settings)
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
    record = {"data": _name_of_data(arguments), "learn": _learn(arguments), "faces": faces,
              **vars(settings)}  # fmt: skip
    del record["favour"]  # by number; people read labels
    return {**record, **({"favour": dict(arguments.favour)} if arguments.favour else {})}


def _write_members(
    paths: list[Path],
    vectors: np.ndarray,
    lesson: Lesson,
    labels: dict[int, str],
    settings: FisherfaceSettings,
) -> list[float]:
    """Train and write as many models as there are paths; return their weights, [] if all alike."""
    numbers = np.tile(lesson.numbers, 2)
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
        votes = None if lesson.votes is None else np.tile(lesson.votes, (2, 1))
        models = train_fisherfaces(vectors, numbers, settings, pairs, report_progress, votes)
    for path, model in zip(paths, models, strict=True):
        write_opencv_model(path, model, labels)
    return [float(f"{weight:.6g}") for weight in weights]


def _name_of_data(arguments: argparse.Namespace) -> str:
    name = f"training faces of {arguments.data.name} and their mirror images"
    if arguments.more:
        name += f", {arguments.more.name} (at most {arguments.more_per_label} per label)"
    return name


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that was given, without the paths of this machine."""
    parts = [f"expression-ros train {KIND} --data {arguments.data.name}"]
    if arguments.votes:
        parts.append(f"--votes {arguments.votes.name}")
    if arguments.learn:
        parts.append(f"--learn {arguments.learn}")
    parts += [f"--leave-out {label}" for label in arguments.leave_out]
    if arguments.without_copies:
        parts.append("--without-copies")
    parts.append(f"--output models/{arguments.output.name} --descriptor {arguments.descriptor}")
    if arguments.descriptor == "embedding":
        parts.append(f"--network {NETWORK.parent.as_posix()}/{arguments.network.name}")
        parts += [f"--power {arguments.power:g}"] if arguments.power != 1.0 else []
    parts.append(f"--ensemble {arguments.ensemble} --members {arguments.members}")
    parts.append(f"--components {arguments.components}")
    parts.append(f"--feature-share {arguments.feature_share} --seed {arguments.seed}")
    if arguments.shrinkage != FisherfaceSettings.shrinkage:
        parts.append(f"--shrinkage {arguments.shrinkage:g}")
    parts += [f"--refine {arguments.refine}"] if arguments.refine else []
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
        if arguments.portrait_groups:
            parts.append(f"--portrait-groups {arguments.portrait_groups.name}")
    return " ".join(parts)
