"""Learning to tell covered mouths: real faces, with and without something drawn over the mouth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from expression_ros.parameters.choices import AUTO, REGIONS
from expression_ros.progress import with_progress
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import read_manifest, write_manifest
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.mouth import FILE_NAME, MouthCover, write_mouth_cover
from expression_ros.recognition.regional_vote import regional
from expression_ros.training.data.faces import FaceSet
from expression_ros.training.data.image_archives import portraits_of
from expression_ros.training.fisherfaces.settings import MAJORITY
from expression_ros.training.fisherfaces.training_set import truth_of

COVERS = ("even", "cloth", "hand", "fingers")
THRESHOLD = 0.8  # of a hundred open mouths one or two are then taken for covered
_HIGHEST, _LOWEST = 0.56, 0.68  # where a cover begins, as a share of the face's height
_FACES = 8000  # of the training faces; more do not change the rule
_CARD = "mouth_cover.md"
_PENALTY = 0.05  # scikit-learn's C: the embedding has 256 numbers that go together


def covered(
    face: np.ndarray, kind: str, others: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return a copy of a face with something over mouth and chin.

    Args:
        face: (S, S) uint8.
        kind: one of COVERS.
        others: (N, S, S) uint8, faces whose skin makes a hand.
        rng: source of chance.
    """
    face = face.copy()
    size = len(face)
    row = round(rng.uniform(_HIGHEST, _LOWEST) * size)
    shape = (size - row, size)
    if kind == "even":
        face[row:] = rng.integers(0, 256)
    elif kind == "cloth":  # shaded from side to side and from top to bottom, a little rough
        across = np.linspace(-1, 1, size)[None] * rng.uniform(-40, 40)
        down = np.linspace(-1, 1, shape[0])[:, None] * rng.uniform(-40, 40)
        rough = rng.normal(0, rng.uniform(0, 8), shape)
        face[row:] = np.clip(rng.integers(30, 225) + across + down + rough, 0, 255)
    elif kind == "hand":  # forehead and eyes of somebody else, too large to be a face
        other = others[rng.integers(len(others))]
        patch = other[size // 8 : size // 2, size // 6 : -size // 6]
        rows = np.arange(shape[0]) * len(patch) // shape[0]
        columns = np.arange(size) * patch.shape[1] // size
        face[row:] = patch[rows][:, columns]
    elif kind == "fingers":
        width, slant = rng.uniform(3, 8) * size / 48, rng.uniform(-0.6, 0.6)
        y, x = np.mgrid[row:size, 0:size]
        stripes = np.sin((x + slant * y) * np.pi / width + rng.uniform(0, 6))
        light = np.median(face[:row]) + stripes * rng.uniform(10, 35) + rng.normal(0, 4, shape)
        face[row:] = np.clip(light, 0, 255)
    else:
        raise ValueError(f"there is no cover {kind!r}; there are: {', '.join(COVERS)}")
    return face


def cover_by_turns(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (N, S, S) uint8 faces, each covered by the next kind of cover."""
    return np.stack(
        [covered(face, COVERS[k % len(COVERS)], faces, rng) for k, face in enumerate(faces)]
    )


def fit_mouth_cover(open_vectors: np.ndarray, covered_vectors: np.ndarray) -> MouthCover:
    """Return the rule that tells (N, D) descriptors of covered faces from those of open ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    vectors = np.concatenate([open_vectors, covered_vectors]).astype(np.float64)
    is_covered = np.repeat([0, 1], [len(open_vectors), len(covered_vectors)])
    scaler = StandardScaler().fit(vectors)
    rule = LogisticRegression(C=_PENALTY, max_iter=500).fit(scaler.transform(vectors), is_covered)
    weights = rule.coef_[0] / scaler.scale_
    return MouthCover(weights, float(rule.intercept_[0] - weights @ scaler.mean_), THRESHOLD)


@dataclass(frozen=True)
class MouthCoverConfig:
    """How the rule is trained, and where.

    Attributes:
        data: the data set, for its name.
        output: the folder of Fisherfaces of the upper face, into which the rule is written.
        model: the folder of Fisherfaces of the whole face; empty for the shipped ones.
        by_people: judge by what most people see, where the test faces have votes.
        portraits: zip of whole portraits to measure on, a folder per label.
        seed: of everything random.
    """

    data: Path
    output: Path
    model: str = ""
    by_people: bool = False
    portraits: Path | None = None
    seed: int = 1


def train(known: FaceSet, test: FaceSet, config: MouthCoverConfig) -> tuple[MouthCover, str]:
    """Fit the rule, write it into its folder, and measure what the regions are worth.

    Args:
        known: faces to train on.
        test: faces to measure on.
        config: how, and into which folder.

    Returns:
        The rule, and its model card (Markdown), which lies beside it.

    Raises:
        ModelError: there are no Fisherfaces in one of the folders.
        DataError: the portraits cannot be read.
        OSError: a file cannot be read or written.
    """
    rng = np.random.default_rng(config.seed)
    known = known.take(rng.permutation(len(known))[:_FACES])
    whole = load_classifier("fisherfaces", config.model)
    assert isinstance(whole, FisherfaceEnsemble)
    name = f"the test faces of {config.data.name}"
    if config.by_people:
        test, truth = truth_of(test, MAJORITY, whole.labels)
        test = FaceSet(test.images, truth)
        name += " on which most people agree, by what they see"
    rule = fit_mouth_cover(
        _described(whole, known.images, "open"),
        _described(whole, cover_by_turns(known.images, rng), "covered"),
    )
    digest = write_mouth_cover(config.output, rule)
    manifest = read_manifest(config.output)
    entry = {"mouth_cover": {"path": FILE_NAME, "sha256": digest}}
    write_manifest(config.output, replace(manifest, settings={**manifest.settings, **entry}))
    sets = [(name, test)]
    if config.portraits:
        faces = _portraits(config.portraits, whole)
        sets.append((f"whole portraits, {config.portraits.name}", faces))
    card = _page([_measured(whole, config.output, *one, rng) for one in sets])
    (config.output / _CARD).write_text(card, encoding="utf-8")
    return rule, card


def _described(whole: FisherfaceEnsemble, faces: np.ndarray, what: str) -> np.ndarray:
    return np.concatenate(
        [whole.descriptor.describe(face) for face in with_progress(faces, f"describing {what}")]
    )


def _portraits(path: Path, whole: FisherfaceEnsemble) -> FaceSet:
    portraits, _ = portraits_of(path)
    faces = [prepare_face(p.image, p.box, whole.face) for p in portraits]
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
    images = {"open": test.images, "covered": cover_by_turns(test.images, rng)}
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
            for what, faces in images.items()
        }  # fmt: skip
        kinds = [float(right["covered"][k :: len(COVERS)].mean()) for k in range(len(COVERS))]
        rows.append((region, float(right["open"].mean()), float(right["covered"].mean()), kinds))
    cover = regional(whole, AUTO, folder).cover
    told = {
        what: float(np.mean([cover.is_covered(whole.descriptor.describe(f)) for f in faces]))
        for what, faces in images.items()
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
        f"and chin: {', '.join(COVERS)} "
        "(expression_ros/training/fisherfaces/mouth_cover.py). Measured on",
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
