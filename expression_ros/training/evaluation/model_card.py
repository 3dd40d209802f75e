"""Writes the model card of Fisherfaces from what was measured (Mitchell et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.face_preparation import UPPER
from expression_ros.recognition.model_manifest import ModelManifest
from expression_ros.training.evaluation.metrics import (
    Evaluation,
    coverage_curve,
    expected_calibration_error,
)
from expression_ros.training.evaluation.people_groups import ENOUGH, group_rows
from expression_ros.training.evaluation.report import table
from expression_ros.vocabulary import NEUTRAL

CARD_NAME = "README.md"
RIGHT_ENOUGH = 0.90  # share of what is said that has to be right; sets min_confidence

_USE = """\
## What it is for

A robot that mirrors the expression on a face in front of it, demonstrations, teaching, and as a
baseline to compare with.

## What it is not for

* It names the look of a face in one image. It says nothing about what a person feels, intends or
  is: people smile without joy and are sad without showing it.
* Not for hiring, grading, policing, border control, insurance, advertising, medical or any other
  decision about people.
* In the European Union the AI Act, Regulation (EU) 2024/1689, article 5(1)(f), forbids systems that
  infer emotions of people at work and in education, apart from medical and safety reasons. Other
  uses of emotion recognition carry duties to inform. Ask before you point it at anybody.

## Known limits

* Trained on small 48x48 images from a web search, many of them posed or acted. Labels are noisy:
  people agree with them in about two cases of three (Goodfellow et al., 2013).
* Age, sex, skin colour and origin of the people are not recorded: how well it works for which
  group is unknown, and differences must be expected.
* Frontal faces, not covered, found by OpenCV's Haar cascades. A hand before the mouth, strong tilt
  or low light makes it guess.
* Scores are right as often as they say on faces like those of FER2013. On others, in other light,
  at other angles, they promise too much.
* disgust is rare in the data and rarely found; fear, sadness, anger and neutral are mixed up often.
"""

_DATA = """\
## Data

FER2013 (Goodfellow et al., "Challenges in representation learning", ICML 2013 workshop): 48x48 grey
faces from a web search, seven expressions. It comes without a licence statement of its own; none of
its images is in this repository, and the models hold averages over many faces only. Tested on its
public test, without the images that are pixel copies of training images. The network behind the
descriptor `embedding` has a card of its own, models/embedding/README.md.

Nothing was trained or calibrated on the public test. The number of principal components and the
share of them that a model looks at were chosen by looking at it (the accuracies differed by less
than 0.01), the margin around a detected face by looking at the London Set and three clips: the
scores on them flatter a little. FER2013's private test was never looked at.
"""


@dataclass(frozen=True)
class PortraitScore:
    """Result on whole portraits, whose faces the cascades find.

    Attributes:
        name: what the portraits are.
        portraits: how many there are.
        found: in how many a face was found.
        evaluation: of those.
        groups: the figures of people_groups.group_figures; None if nobody said who is what.
        copies: crops of each that the models learnt; 0 if they learnt none. Those that are judged
            then learnt half of the people, and were asked about the others.
    """

    name: str
    portraits: int
    found: int
    evaluation: Evaluation
    groups: Mapping[str, Any] | None = None
    copies: int = 0


@dataclass(frozen=True)
class FaceScores:
    """Result on cropped faces.

    Attributes:
        vote: the scores of the ensemble.
        member_accuracies: of each member alone.
        scores: (N,) float, what the ensemble thinks of each of its answers, 0..1.
        right: (N,) bool, whether it was right.
        by_people: the same, judged by what most people see on those faces on which they agree;
            None where nobody was asked.
        people: the figures of metrics.people_figures.
    """

    vote: Evaluation
    member_accuracies: Sequence[float]
    scores: np.ndarray
    right: np.ndarray
    by_people: FaceScores | None = None
    people: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Measurements:
    """What the card reports.

    Attributes:
        test: scores on the test faces.
        posed: the same where posed expressions are expected, if the models know what these are.
        train_faces: faces trained on, before mirroring.
        calibration_faces: faces the scores were calibrated on.
        portraits: scores on portraits, if measured.
        command: what rebuilds the models.
    """

    test: FaceScores
    posed: FaceScores | None
    train_faces: int
    calibration_faces: int
    portraits: PortraitScore | None
    command: str


def write_model_card(folder: Path, manifest: ModelManifest, measured: Measurements) -> None:
    """Write the card as README.md into the model folder."""
    (folder / CARD_NAME).write_text(model_card(manifest, measured), encoding="utf-8")


def model_card(manifest: ModelManifest, measured: Measurements) -> str:
    """Return the card as Markdown."""
    of = " of the upper face" if manifest.face.region == UPPER else ""
    return "\n".join(
        [
            f"# Fisherfaces{of}: model card\n",
            "Written by the training command from what it measured; do not edit by hand.\n",
            _method(manifest),
            *([_by_people(measured.test)] if measured.test.by_people else []),
            *([_expected(measured)] if measured.posed else []),
            _scores(measured.test),
            _confidence(manifest, measured),
            *([_portraits(measured.portraits)] if measured.portraits else []),
            _DATA,
            f"Training: {measured.train_faces:,} faces and their mirror images. Test: "
            f"{len(measured.test.right):,} faces.\n",
            _USE,
            f"## Building it again\n\n    {measured.command}\n",
        ]
    )


def _method(manifest: ModelManifest) -> str:
    descriptor = ", ".join(f"{k} {v}" for k, v in manifest.descriptor_settings.items())
    face = ", ".join(f"{k} {v}" for k, v in manifest.face.as_mapping().items())
    settings = ", ".join(
        f"{k} {v}" for k, v in manifest.training.items()
        if isinstance(v, (int, float)) or k == "learn"
    )  # fmt: skip
    return (
        f"{len(manifest.files)} models for `cv2.face.FisherFaceRecognizer`; each answers, and the "
        "mode is the label.\n\n"
        f"* Labels: {', '.join(manifest.labels.values())}\n"
        f"* Face: {face}\n"
        f"* Descriptor: {manifest.descriptor} ({descriptor or 'no settings'}), "
        f"{manifest.descriptor_size:,} numbers\n"
        f"* Training: {settings}\n" + _prior_offset_line(manifest)
    )


def _prior_offset_line(manifest: ModelManifest) -> str:
    """Say which labels count for more than their share of the training faces, if any do."""
    prior_offsets = manifest.training.get("favour")
    if not prior_offsets:
        return ""
    labels = ", ".join(f"{label} by {amount:g}" for label, amount in prior_offsets.items())
    return (
        f"* Prior offset: {labels}, added to the logarithm of the prior. How much was chosen by "
        "looking at the\n  calibration faces and at the London Set, whose scores it flatters a "
        "little.\n"
    )


def _by_people(test: FaceScores) -> str:
    """Lead with what people see, and say why."""
    people, by_people = test.people, test.by_people
    assert people is not None and by_people is not None
    members = by_people.member_accuracies
    return (
        "## What people see on FER2013's public test, without duplicates\n\n"
        "FER2013's labels come from a web search; people agree with them in two cases of three. "
        "FER+ (Barsoum et al., 2016)\nasked ten people about each face, and by them the models are "
        "judged first: right is what more than half of the ten see.\n\n"
        "| | |\n|---|---|\n"
        f"| faces on which more than half agree | {people['n']:,} |\n"
        f"| right by what most people see | {people['majority']:.4f} |\n"
        f"| a single model | {sum(members) / len(members):.4f} "
        f"({min(members):.4f} to {max(members):.4f}) |\n"
        f"| agreement with one person, of {people['n_voted']:,} faces | "
        f"{people['one_person']:.4f} |\n"
        f"| a second person with a first | {people['second_person']:.4f} |\n"
        f"| the best that any answer could reach | {people['best']:.4f} |\n"
        f"| share that can be answered with 90 of 100 right | {people['coverage_90']:.2f} |\n"
        f"| share that can be answered with 95 of 100 right | {people['coverage_95']:.2f} |\n"
        f"| expected calibration error, 15 bins | {people['ece']:.3f} |\n\n"
        f"{_per_label(by_people.vote)}\n{_confusion(by_people.vote)}"
    )


def _expected(measured: Measurements) -> str:
    """Compare the expectations."""
    rows = []
    for name, scores in (("everyday", measured.test), ("posed", measured.posed)):
        assert scores is not None and scores.people is not None
        recalls = " | ".join(f"{share:.2f}" for share in scores.people["recall"].values())
        seen, named = scores.people["majority"], scores.vote.accuracy
        rows.append(f"| `{name}` | {seen:.3f} | {named:.3f} | {recalls} |")
    assert measured.test.people is not None
    labels = measured.test.people["recall"]
    return (
        "## Everyday and posed\n\n"
        "A faint posed expression and a face at rest look alike; which it is depends on what is "
        "expected. With `expectation: posed`\nthe priors are those under which FER2013's own "
        "labels, which say what was searched for, are least surprising.\n\n"
        f"| expectation | most people | FER2013's label | {' | '.join(labels)} |\n"
        f"|---|---|---|{'---|' * len(labels)}\n" + "\n".join(rows) + "\n\n"
        "The last columns are the recalls by what most people see.\n"
    )


def _scores(test: FaceScores) -> str:
    members, vote = test.member_accuracies, test.vote
    return (
        "## Scores on FER2013's public test by its single labels, without duplicates\n\n"
        "| | |\n|---|---|\n"
        f"| accuracy of the vote | {vote.accuracy:.4f} |\n"
        f"| macro F1 of the vote | {vote.macro_f1:.4f} |\n"
        f"| accuracy of a single model | {sum(members) / len(members):.4f} "
        f"({min(members):.4f} to {max(members):.4f}) |\n\n"
        f"{_per_label(vote)}\n{_confusion(vote)}"
    )


def _confidence(manifest: ModelManifest, measured: Measurements) -> str:
    judged = measured.test.by_people or measured.test
    scores, right = judged.scores, judged.right
    judge = "what most people see" if measured.test.by_people else "the label"
    error = expected_calibration_error(scores, right)
    least = manifest.settings.get("min_confidence")
    rows = [
        f"| {c.threshold:.2f} | {c.said:.2f} | {c.right:.2f} |"
        for c in coverage_curve(scores, right)
        if c.said > 0 and c.threshold >= 0.3
    ]
    chosen = "No score was high enough for that.\n"
    if least is not None:
        chosen = (
            f"`min_confidence` {least:.2f} is the least score from which on at least "
            f"{RIGHT_ENOUGH:.0%} of the answers on the calibration faces are right by one look, "
            f"by {judge} (with 97.5 % certainty, counted in steps of 0.05). On the test faces, "
            f"{right[scores >= least].mean():.1%} of what is said from there on is right.\n"
        )
    return (
        "## Confidence\n\n"
        "Two weights turn votes and distances into the score (expression_ros/recognition/vote.py). "
        f"They were fitted on {measured.calibration_faces:,} faces on which neither the models nor "
        "the network were trained.\n\n"
        f"| | |\n|---|---|\n| expected calibration error on the test, 15 bins | {error:.3f} |\n\n"
        f"{chosen}\n"
        "What is left of the test faces when nothing below a score is said:\n\n"
        "| min_confidence | said | of these right |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _per_label(evaluation: Evaluation) -> str:
    rows = [
        f"| {label} | {s.precision:.2f} | {s.recall:.2f} | {s.f1:.2f} | {s.faces} |"
        for label, s in evaluation.per_label.items()
    ]
    head = "| label | precision | recall | F1 | faces |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _confusion(evaluation: Evaluation) -> str:
    """Return the confusion matrix; row: true label, column: said label."""
    head = "| true \\ said | " + " | ".join(evaluation.labels) + " |\n"
    head += "|---" * (len(evaluation.labels) + 1) + "|\n"
    rows = [
        f"| {label} | " + " | ".join(str(count) for count in row) + " |"
        for label, row in zip(evaluation.labels, evaluation.confusion, strict=True)
    ]
    return head + "\n".join(rows) + "\n"


def _portraits(score: PortraitScore) -> str:
    recalls = ", ".join(
        f"{label} {s.recall:.2f} of {s.faces}"
        for label, s in score.evaluation.per_label.items()
        if s.faces
    )
    labels, confusion = score.evaluation.labels, score.evaluation.confusion
    smiling = 0
    if NEUTRAL in labels and "happiness" in labels:
        smiling = int(confusion[labels.index(NEUTRAL), labels.index("happiness")])
    return (
        f"## Whole portraits: {score.name}\n\n{_of_whom(score)}"
        f"The cascades found one face in {score.found} of {score.portraits} portraits. The right "
        f"one of all labels was said for {score.evaluation.accuracy:.2f} of these ({recalls}).\n\n"
        f"{smiling} of the neutral faces were read as happiness. On photos of strangers the models "
        "before these, taught by\nFER2013's single labels, read 14 of 64 neutral women as happy "
        f"and 3 of 67 neutral men.\n{_by_group(score)}"
    )


def _of_whom(score: PortraitScore) -> str:
    if not score.copies:
        return "None was trained on.\n\n"
    return (
        f"These models learnt from them, {score.copies} crops of each. So these figures are of two "
        "other ensembles, trained alike but each on one\nhalf of the people, and asked about the "
        "other half. What `evaluate` says of these portraits is better than what is to be\n"
        "expected of strangers.\n\n"
    )


def _by_group(score: PortraitScore) -> str:
    if score.groups is None:
        return (
            "Who is a woman or a man, or of which skin tone or age, was not said here, so that "
            "differences between them were not\nmeasured: `--portrait-groups`.\n"
        )
    tables = "\n\n".join(table(group_rows(name, f)) for name, f in score.groups.items())
    return (
        "\nOf the portraits of a group, how many were read right; a difference is that of the best "
        f"and the worst of the groups\nwith {ENOUGH} or more of a label.\n\n{tables}\n"
    )
