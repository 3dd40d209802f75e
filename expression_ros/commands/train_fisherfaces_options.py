"""The options of ``expression-ros train fisherfaces``."""

from __future__ import annotations

import argparse
from pathlib import Path

from expression_ros.recognition.descriptors import DESCRIPTOR_NAMES
from expression_ros.recognition.face_preparation import (
    FULL,
    LIGHT_CHOICES,
    REGION_CHOICES,
    FacePreparation,
)
from expression_ros.training.fisherfaces.lessons import LEARN_CHOICES
from expression_ros.training.fisherfaces.settings import ENSEMBLES, FisherfaceSettings
from expression_ros.vocabulary import UnknownLabelError, canonical_label

NETWORK = Path("models/embedding/embedding.onnx")
_MOST_FAVOUR = 10  # of a label; more would leave no other


def add_fisherface_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that can be chosen about the training of Fisherfaces."""
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
    parser.add_argument("--network", type=Path, default=NETWORK, metavar="ONNX",
                        help="network of embedding (default: %(default)s)")  # fmt: skip
    parser.add_argument("--power", type=float, default=1.0,
                        help="to which the numbers of embedding are raised; a root makes their "
                        "clouds rounder (default: %(default)s)")  # fmt: skip
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
    parser.add_argument("--shrinkage", type=float, default=FisherfaceSettings.shrinkage,
                        help="share of the mean variance that is added to every variance "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--refine", type=int, default=FisherfaceSettings.refine, metavar="STEPS",
                        help="move the directions of each model by so many steps until its labels "
                        "are least surprising; with --ensemble bagged "
                        "(default: %(default)s)")  # fmt: skip
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
    parser.add_argument("--learn-portraits", action="store_true",
                        help="also learn from the portraits; they are then judged by models that "
                        "learnt half of the people and are asked about the others")  # fmt: skip
    parser.add_argument("--portrait-copies", type=_at_least_one, default=12, metavar="N",
                        help="crops of each portrait that is learnt, the box moved "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--portrait-groups", type=Path, metavar="FILE",
                        help="a CSV that says who is what on the portraits, named in its first "
                        "column as their files begin")  # fmt: skip


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


def _label(text: str) -> str:
    try:
        return canonical_label(text)
    except UnknownLabelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
