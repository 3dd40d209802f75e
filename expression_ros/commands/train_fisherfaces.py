"""``expression-ros train fisherfaces``: the ensemble, its calibration and its model card."""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

from expression_ros.commands.options import at_least_one
from expression_ros.recognition.descriptors import DESCRIPTOR_NAMES
from expression_ros.recognition.face_preparation import (
    FULL,
    LIGHT_CHOICES,
    REGION_CHOICES,
    FacePreparation,
)
from expression_ros.recognition.fisherfaces import KIND
from expression_ros.training.data.data_sets import load_split_faces
from expression_ros.training.data.prepared_set import preparation_for
from expression_ros.training.fisherfaces.settings import (
    ENSEMBLES,
    LEARN_CHOICES,
    SINGLE,
    VOTES,
    FisherfaceConfig,
    FisherfaceSettings,
)
from expression_ros.training.fisherfaces.training import train
from expression_ros.vocabulary import UnknownLabelError, canonical_label

_LARGEST_OFFSET = 10  # of a label; more would leave no other


def add_fisherfaces_parser(kinds: Any) -> None:
    """Add ``fisherfaces`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = kinds.add_parser(KIND, help="ten Fisherfaces that vote")
    _add_options(parser)
    parser.set_defaults(func=_train)


def _train(arguments: argparse.Namespace) -> int:
    config = _config(arguments)
    _, measured = train(*load_split_faces(arguments.data, votes=arguments.votes), config)
    vote, people = measured.test.vote, measured.test.people
    if people is not None:
        print(f"what most people see {people['majority']:.4f} of {people['n']:,}, one person "
              f"{people['one_person']:.4f}")  # fmt: skip
    print(f"accuracy {vote.accuracy:.4f}, macro F1 {vote.macro_f1:.4f}, single model "
          f"{fmean(measured.test.member_accuracies):.4f}: {arguments.output}")  # fmt: skip
    return 0


def _config(arguments: argparse.Namespace) -> FisherfaceConfig:
    face = FacePreparation(
        FacePreparation.size, arguments.margin, arguments.light,
        arguments.level_by_eyes, arguments.region,
    )  # fmt: skip
    return FisherfaceConfig(
        data=arguments.data,
        output=arguments.output,
        settings=FisherfaceSettings(
            members=arguments.members,
            seed=arguments.seed,
            ensemble=arguments.ensemble,
            components=arguments.components,
            feature_share=arguments.feature_share,
            shrinkage=arguments.shrinkage,
            images=arguments.images,
            refine=arguments.refine,
        ),
        face=preparation_for(arguments.data, face),
        learn=arguments.learn or (VOTES if arguments.votes else SINGLE),
        leave_out=tuple(arguments.leave_out),
        without_copies=arguments.without_copies,
        descriptor=arguments.descriptor,
        network=arguments.network,
        power=arguments.power,
        prior_offsets=dict(arguments.favour),
        more=arguments.more,
        more_per_label=arguments.more_per_label,
        portraits=arguments.portraits,
        learn_portraits=arguments.learn_portraits,
        portrait_copies=arguments.portrait_copies,
        portrait_groups=arguments.portrait_groups,
        command=_command(arguments),
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="labelled faces: fer2013.npz, Kaggle's fer2013.csv, or what "
                        "expression-ros prepare wrote")  # fmt: skip
    parser.add_argument("--votes", type=Path, metavar="FILE",
                        help="what people see on the faces of FER2013: an npz with ferplus_votes, "
                        "or Microsoft's fer2013new.csv")  # fmt: skip
    parser.add_argument("--learn", choices=LEARN_CHOICES,
                        help="votes: each model draws each face's label from the people who were "
                        "asked; majority: what more than half of them see; single: the data's own "
                        "label (default: votes with --votes, else single)")  # fmt: skip
    parser.add_argument("--leave-out", action="append", type=_label, default=[],
                        metavar="LABEL", help="do not learn this label; may be "
                        "repeated")  # fmt: skip
    parser.add_argument("--without-copies", action="store_true",
                        help="leave out training faces that resemble one that is calibrated or "
                        "tested on")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models/fisherfaces"),
                        help="model folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--descriptor", choices=DESCRIPTOR_NAMES, default="embedding",
                        help="what the models look at (default: %(default)s)")  # fmt: skip
    parser.add_argument("--network", type=Path, default=FisherfaceConfig.network, metavar="ONNX",
                        help="network of embedding (default: %(default)s)")  # fmt: skip
    parser.add_argument("--power", type=float, default=1.0,
                        help="to which the numbers of embedding are raised; a root makes their "
                        "clouds rounder (default: %(default)s)")  # fmt: skip
    parser.add_argument("--ensemble", choices=ENSEMBLES, default=FisherfaceSettings.ensemble,
                        help="how the models come to differ: each is trained on its own random "
                        "subset, or boosted (SAMME), or by OpenCV's own trainer on a random "
                        "subset (default: %(default)s)")  # fmt: skip
    parser.add_argument("--members", type=at_least_one, default=10, help="number of models")
    parser.add_argument("--components", type=at_least_one, default=FisherfaceSettings.components,
                        help="principal components kept (default: %(default)s; for hog, 1600 are "
                        "better)")  # fmt: skip
    parser.add_argument("--feature-share", type=float, default=FisherfaceSettings.feature_share,
                        help="share of the components that each model looks at; less makes the "
                        "models differ more (default: %(default)s)")  # fmt: skip
    parser.add_argument("--shrinkage", type=float, default=FisherfaceSettings.shrinkage,
                        help="share of the mean variance that is added to every variance "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--refine", type=int, default=FisherfaceSettings.refine, metavar="STEPS",
                        help="move the directions of each model by so many steps until its labels "
                        "are least surprising; with --ensemble bagged "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--favour", action="append", type=_prior_offset, default=[],
                        metavar="LABEL=AMOUNT",
                        help="add so much to the logarithm of a label's prior, where missing it is "
                        "worse than seeing it too often; may be repeated")  # fmt: skip
    parser.add_argument("--images", type=at_least_one, default=FisherfaceSettings.images,
                        help="images per model with --ensemble opencv, whose time grows with "
                        "their cube (default: %(default)s)")  # fmt: skip
    parser.add_argument("--more", type=Path, metavar="ZIP",
                        help="more faces to train on, cropped, a folder per label")  # fmt: skip
    parser.add_argument("--more-per-label", type=at_least_one, default=1000, metavar="N",
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
    parser.add_argument("--learn-portraits", action="store_true",
                        help="also learn from the portraits; they are then judged by models that "
                        "learnt half of the people and are asked about the others")  # fmt: skip
    parser.add_argument("--portrait-copies", type=at_least_one, default=12, metavar="N",
                        help="crops of each portrait that is learnt, the box moved "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--portrait-groups", type=Path, metavar="FILE",
                        help="a CSV that says who is what on the portraits, named in its first "
                        "column as their files begin")  # fmt: skip


def _prior_offset(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        label, value = canonical_label(name), float(amount)
    except (UnknownLabelError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a LABEL=AMOUNT ({error})") from None
    if not abs(value) <= _LARGEST_OFFSET:
        raise argparse.ArgumentTypeError(f"must be from -{_LARGEST_OFFSET} to {_LARGEST_OFFSET}")
    return label, value


def _label(text: str) -> str:
    try:
        return canonical_label(text)
    except UnknownLabelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
        parts.append(
            f"--network {FisherfaceConfig.network.parent.as_posix()}/{arguments.network.name}"
        )
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
        if arguments.learn_portraits:
            parts.append(f"--learn-portraits --portrait-copies {arguments.portrait_copies}")
        if arguments.portrait_groups:
            parts.append(f"--portrait-groups {arguments.portrait_groups.name}")
    return " ".join(parts)
