"""``expression-ros train mouth-cover``: the rule that tells covered mouths, and its worth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros import load_classifier
from expression_ros.commands.train_options import naming_files
from expression_ros.parameters.choices import AUTO, REGIONS
from expression_ros.progress import with_progress
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import read_manifest, write_manifest
from expression_ros.recognition.mouth_cover import FILE_NAME, write_mouth_cover
from expression_ros.recognition.regional_vote import regional
from expression_ros.training.data.classifier_data import load_labelled_faces
from expression_ros.training.data.faces import FaceSet
from expression_ros.training.data.portraits import portraits_of
from expression_ros.training.fisherfaces.lessons import MAJORITY, judged_by
from expression_ros.training.mouth_cover import COVERS, cover_by_turns, fit_mouth_cover

_FACES = 8000  # of the training faces; more do not change the rule
_CARD = "mouth_cover.md"


def add_mouth_cover_parser(subparsers: Any) -> None:
    """Add ``mouth-cover`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = subparsers.add_parser(
        "mouth-cover", help="learn to tell covered mouths, for region: auto",
        description="Fits the rule that tells a covered mouth into the folder of Fisherfaces of "
        "the upper face (train fisherfaces --region upper) and measures all regions.",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="labelled faces, as for train fisherfaces")  # fmt: skip
    parser.add_argument("--votes", type=Path, metavar="FILE",
                        help="judge by what most people see, as for evaluate")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models/fisherfaces_upper"),
                        metavar="DIR",
                        help="the upper face's models (default: %(default)s)")  # fmt: skip
    parser.add_argument("--model", default="", metavar="DIR",
                        help="the whole face's models (default: the shipped ones)")  # fmt: skip
    parser.add_argument("--portraits", type=Path, metavar="ZIP",
                        help="also measure on whole portraits, a folder per label")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="same seed, same rule")
    parser.set_defaults(func=naming_files(_train))


def _train(arguments: argparse.Namespace) -> int:
    train, test = load_labelled_faces(arguments.data, arguments.votes)
    rng = np.random.default_rng(arguments.seed)
    train = train.take(rng.permutation(len(train))[:_FACES])
    whole = load_classifier("fisherfaces", arguments.model)
    assert isinstance(whole, FisherfaceEnsemble)
    name = f"the test faces of {arguments.data.name}"
    if arguments.votes:
        test, truth = judged_by(test, MAJORITY, whole.labels)
        test = FaceSet(test.images, truth)
        name += " on which most people agree, by what they see"
    rule = fit_mouth_cover(
        _described(whole, train.images, "open"),
        _described(whole, cover_by_turns(train.images, rng), "covered"),
    )
    digest = write_mouth_cover(arguments.output, rule)
    manifest = read_manifest(arguments.output)
    entry = {"mouth_cover": {"path": FILE_NAME, "sha256": digest}}
    write_manifest(arguments.output, replace(manifest, settings={**manifest.settings, **entry}))
    sets = [(name, test)]
    if arguments.portraits:
        faces = _portraits(arguments.portraits, whole)
        sets.append((f"whole portraits, {arguments.portraits.name}", faces))
    text = _page([_measured(whole, arguments.output, *one, rng) for one in sets])
    (arguments.output / _CARD).write_text(text, encoding="utf-8")
    print(text)
    return 0


def _described(whole: FisherfaceEnsemble, faces: np.ndarray, what: str) -> np.ndarray:
    return np.concatenate(
        [whole.descriptor.describe(face) for face in with_progress(faces, f"describing {what}")]
    )


def _portraits(path: Path, whole: FisherfaceEnsemble) -> FaceSet:
    portraits, _ = portraits_of(path)
    faces = [prepare_face(p.picture, p.box, whole.face) for p in portraits]
    return FaceSet(np.stack(faces), np.array([p.label for p in portraits]))


@dataclass(frozen=True)
class _Worth:
    """What the regions are worth on one set of faces.

    Attributes:
        name: of the set.
        count: of faces.
        rows: of each region: its name, the share of open and of covered faces it reads right, and
            that of each kind of cover.
        told: share of the open and of the covered faces that are taken for covered.
        threshold: of the probability.
    """

    name: str
    count: int
    rows: list[tuple[str, float, float, list[float]]]
    told: dict[str, float]
    threshold: float


def _measured(
    whole: FisherfaceEnsemble, folder: Path, name: str, test: FaceSet, rng: np.random.Generator
) -> _Worth:
    """Measure how each region reads open and covered faces."""
    pictures = {"open": test.images, "covered": cover_by_turns(test.images, rng)}
    rows = []
    for region in REGIONS:
        vote = regional(whole, region, folder)
        right = {
            what: np.array([
                vote.predict(face).label == label
                for face, label in zip(
                    with_progress(faces, f"{region}, {what}"), test.labels.tolist(), strict=True
                )
            ])
            for what, faces in pictures.items()
        }  # fmt: skip
        kinds = [float(right["covered"][k :: len(COVERS)].mean()) for k in range(len(COVERS))]
        rows.append((region, float(right["open"].mean()), float(right["covered"].mean()), kinds))
    cover = regional(whole, AUTO, folder).cover
    told = {
        what: float(np.mean([cover.is_covered(whole.descriptor.describe(f)) for f in faces]))
        for what, faces in pictures.items()
    }
    return _Worth(name, len(test), rows, told, cover.threshold)


def _page(sets: Sequence[_Worth]) -> str:
    lines = [
        "# Covered mouths: model card",
        "",
        "Written by `expression-ros train mouth-cover` from what it measured; do not edit by hand.",
        "",
        f"`{FILE_NAME}` is a logistic regression on the embedding of the whole face. It was",
        "trained on faces of FER2013's training part, half of them with something drawn over mouth",
        f"and chin: {', '.join(COVERS)} (expression_ros/training/mouth_cover.py). Measured on",
        "faces that nothing was trained on, each open and with one of these covers. Drawn covers",
        "are not photographed ones: on real masks and hands it has not been measured.",
        "",
    ]
    for worth in sets:
        lines += [
            f"## {worth.name[0].upper()}{worth.name[1:]}: {worth.count:,} faces",
            "",
            f"| region | open | mouth covered | {' | '.join(COVERS)} |",
            f"|---|---|---|{'---|' * len(COVERS)}",
        ]
        for region, open_share, covered_share, by_kind in worth.rows:
            kinds = " | ".join(f"{share:.3f}" for share in by_kind)
            lines.append(f"| `{region}` | {open_share:.3f} | {covered_share:.3f} | {kinds} |")
        lines += [
            "",
            f"Taken for covered at a probability of {worth.threshold}: {worth.told['covered']:.3f} "
            "of the covered",
            f"faces, {worth.told['open']:.3f} of the open ones.",
            "",
        ]
    lines += [
        "It tells nothing about people. It is meant for choosing which part of a face to read.",
        "",
    ]
    return "\n".join(lines)
