"""From labelled faces to the network behind the descriptor ``embedding``: ONNX, list and card.

What the network is worth is measured on its exported file.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from expression_ros.recognition.embedding import FACE_SIZE, EmbeddingNetwork
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.training.data.faces import LIST_NAME, DataError, write_held_out
from expression_ros.training.networks import training
from expression_ros.training.networks.faces import MUXSPACE_CAP, NEAR_COPY, Faces, taught
from expression_ros.training.networks.residual import (
    Exported,
    ResidualBlock,
    export,
    multiplications,
)
from expression_ros.training.networks.training import (
    MAX_RATE,
    SMALL_UNTIL,
    State,
    agreement,
    new_state,
)
from expression_ros.vocabulary import FER2013_ORDER


@dataclass(frozen=True)
class EmbeddingConfig:
    """How the network is trained, and where it is written.

    Attributes:
        output: ONNX file to write; the card and the list of held-out faces lie beside it.
        checkpoint: written after every epoch, gone on from if it is there.
        start: checkpoint or ONNX file whose weights it begins with; an ONNX file has the list of
            the faces that it has not seen beside it.
        rate: largest learning rate; the usual one when left out.
        label_weight: of the loss of the single labels.
        vote_weight: of the loss of the votes.
        epochs: at most.
        minutes: at most.
        teacher: folder of Fisherfaces whose answers are learnt beside the votes.
        teacher_share: of its answers where people voted, 0..1.
        threads: of the CPU; PyTorch's own number when left out.
        export_only: export what the checkpoint has.
        note: remark for the model card on this very run.
        command: what trains this network again, for the card.

    Raises:
        DataError: the list beside the ONNX file to start from is missing.
    """

    output: Path
    checkpoint: Path
    start: Path | None = None
    rate: float | None = None
    label_weight: float = training.LABEL_WEIGHT
    vote_weight: float = training.VOTE_WEIGHT
    epochs: int = 60
    minutes: float = 70
    teacher: Path | None = None
    teacher_share: float = 0.3
    threads: int | None = None
    export_only: bool = False
    note: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        if self.held_out is not None and not self.held_out.is_file():
            raise DataError(
                f"{self.held_out} is missing: without it nobody knows which faces {self.start} "
                "has not seen; keep it beside the network"
            )

    @property
    def held_out(self) -> Path | None:
        """The list of the faces to validate on, which the network to start from has not seen."""
        from_file = self.start is not None and self.start.suffix == ".onnx"
        return self.start.with_name(LIST_NAME) if self.start and from_file else None

    def load_teacher(self) -> FisherfaceEnsemble | None:
        """Return the teacher, if there is one; ModelError if the folder holds none."""
        return FisherfaceEnsemble.load(self.teacher) if self.teacher else None


def train(
    faces: tuple[Faces, Faces, Faces, dict[str, int]],
    config: EmbeddingConfig,
    teacher: FisherfaceEnsemble | None = None,
) -> dict[str, Any]:
    """Train (or go on training), export, measure, and write the model card beside the network.

    Args:
        faces: to train on, to validate on and to test on, and how many were left out, see
            faces.split_data.
        config: how, and into which files.
        teacher: see EmbeddingConfig.load_teacher.

    Returns:
        What was measured on the exported file, fit for JSON.

    Raises:
        ValueError: the ONNX file to start from holds another network.
        OSError: a file cannot be written.
    """
    known, validation, test, counts = faces
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{len(known)} faces to train on, {len(validation)} to validate on: {counts}")
    state = new_state(device, config.start, known.images[:512], config.rate)
    state.label_weight, state.vote_weight = config.label_weight, config.vote_weight
    if config.checkpoint.is_file():
        state.load(config.checkpoint)
        torch.manual_seed(state.step)
        print(f"going on from {config.checkpoint}, epoch {state.epoch}")
    if not config.export_only:
        if teacher is not None:
            known = taught(known, lambda face: teacher.predict(face).scores, config.teacher_share)
        training.train(state, known, validation, config.epochs, config.minutes, config.checkpoint)
    error = export(state.average, config.output)
    write_held_out(config.output.with_name(LIST_NAME), validation.images)
    report = measure(config.output, validation, test)
    report |= {"counts": counts, "training faces": len(known), "export error": error}
    report["people"] = {"validation": agreement(state.average, validation),
                        "test": agreement(state.average, test)}  # fmt: skip
    card = model_card(config.output, state, report, config.command, config.note)
    config.output.with_name("README.md").write_text(card, encoding="utf-8")
    return report


def milliseconds_per_face(reader: EmbeddingNetwork) -> float:
    """Return the median time of ``describe`` on one thread, with the normalisation."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    face = np.random.default_rng(0).integers(0, 256, (FACE_SIZE, FACE_SIZE), np.uint8)
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        reader.describe(face)
        times.append(time.perf_counter() - begin)
    cv2.setNumThreads(threads)
    return 1000 * float(np.median(times))


def measure(path: Path, validation: Faces, test: Faces) -> dict[str, Any]:
    """Return the scores of the exported file, read and run as the robot will run it."""
    reader = EmbeddingNetwork(path)
    logits = reader.logits(test.images)
    answers = logits.argmax(axis=1)
    mirrored = logits + reader.logits(np.ascontiguousarray(test.images[:, :, ::-1]))
    recall = {
        label: float((answers[test.labels == number] == number).mean())
        for number, label in enumerate(FER2013_ORDER)
    }
    return {
        "test faces": len(test),
        "test accuracy": float((answers == test.labels).mean()),
        "test accuracy with the mirrored face": float(
            (mirrored.argmax(axis=1) == test.labels).mean()
        ),
        "mean recall": float(np.mean(list(recall.values()))),
        "recall": recall,
        "validation faces": len(validation),
        "validation accuracy": float(
            (reader.logits(validation.images).argmax(axis=1) == validation.labels).mean()
        ),
        "dimension": reader.dimension,
        "milliseconds per face": milliseconds_per_face(reader),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


_CARD = """\
# Embedding network for facial expressions

`{name}` turns a grey 48x48 face into {dimension} numbers; `expression_ros.recognition.embedding`
reads it with `cv2.dnn`. Fisherfaces are trained on these numbers (descriptor `embedding`).
Every figure on this page was written by the command that trained the network.

## What it is

* Input `face`: (N, 1, 48, 48) float32, each face brought to mean 0 and standard deviation 1.
  Outputs `embedding`: (N, {dimension}) and `logits`: (N, 7), in the order
  {order}.
* Residual network: 3x3 stem to 24x24, four stages of {widths} channels with
  {blocks} residual blocks, average over all places. {parameters:,} parameters,
  {multiplications:.1f} million multiplications a face, {megabytes:.1f} MB (fp32),
  {ms:.2f} ms a face on one thread of the machine that trained it (other work was running there).
* SHA-256 `{sha256}`

## Scores on FER2013's public test

{test_faces:,} images (without those that are pixel copies of training images), the network's own
label head, run by `cv2.dnn`; nothing was chosen by this test.

| measure | value |
|---|---|
| accuracy | {accuracy:.3f} |
| accuracy, logits averaged with those of the mirrored face | {mirrored:.3f} |
| mean recall of the seven classes | {mean_recall:.3f} |
{recalls}
| accuracy on {validation_faces:,} training images held out for validation | {validation:.3f} |
| vote head, by what most people see | {people_test:.3f} |
| the same, held-out faces | {people_validation:.3f} |

People agree on these labels only in part: FER2013's authors put human accuracy at 0.65 +- 0.05.
What the network is worth by what people see is in the card of the Fisherfaces that stand on it.

## How it was trained

{training_faces:,} faces: {counts}.
FER2013's training split (the single label on one head, weight {label_weight:g}, the FER+ votes on
another, weight {vote_weight:g}), and up to
{cap:,} images per class of the muxspace set where it is named above. Faces that resemble a
validation or public-test image (correlation of 16x16 thumbnails above {near}) were left out of
training; no public-test image and no image of the London set was trained on. `{held_out}` names
the validation faces by a digest, so that what is trained on this network can be calibrated on them.
{start}{epochs} epochs, {images:,} faces seen, {minutes:.0f} minutes on {device} (PyTorch
{torch}), the first {small:.0%} of them on 32x32 faces; SGD, moving average of the weights. Rebuild:

    {command}

Random numbers and the clock decide the exact weights: a rebuild scores alike, not bit by bit.

{note}## Licences and limits

The weights are this project's, under its licence. FER2013 was collected from web search for a 2013
ICML challenge and states no licence; FER+ votes are MIT; muxspace is Apache-2.0. No image is part
of this file or of the repository.

Meant for a robot that mirrors an expression. The labels say what a face looks like to annotators,
not what a person feels. Not for judging people: no hiring, policing, border control, medicine,
teaching assessment or advertising. Web images of 2013 do not represent all ages, skin tones, head
poses or lighting; disgust, with the fewest examples, and fear are read least reliably.
"""

_RESTARTED = """\
It began with the weights of an earlier training (`--start`), at a lower learning rate. The figures
of this training:
"""


def model_card(
    path: Path, state: State, report: dict[str, Any], command: str, note: str = ""
) -> str:
    """Return the model card (Markdown) of an exported network, from measured figures only."""
    network = state.average
    stages = [m for m in network.body if isinstance(m, ResidualBlock)]
    widths = [m.second[0].out_channels for m in stages]
    unique = sorted(set(widths))
    device = next(network.parameters()).device
    return _CARD.format(
        name=path.name,
        dimension=report["dimension"],
        order=", ".join(FER2013_ORDER),
        widths=", ".join(map(str, unique)),
        blocks=", ".join(str(widths.count(w)) for w in unique),
        parameters=sum(p.numel() for p in Exported(network).parameters()),
        multiplications=multiplications(network) / 1e6,
        megabytes=report["bytes"] / 1e6,
        ms=report["milliseconds per face"],
        sha256=report["sha256"],
        test_faces=report["test faces"],
        accuracy=report["test accuracy"],
        mirrored=report["test accuracy with the mirrored face"],
        mean_recall=report["mean recall"],
        recalls="\n".join(f"| recall of {k} | {v:.3f} |" for k, v in report["recall"].items()),
        validation_faces=report["validation faces"],
        validation=report["validation accuracy"],
        people_test=report["people"]["test"],
        people_validation=report["people"]["validation"],
        label_weight=state.label_weight,
        vote_weight=state.vote_weight,
        training_faces=report["training faces"],
        counts=", ".join(f"{name} {count:,}" for name, count in report["counts"].items()),
        cap=MUXSPACE_CAP,
        near=NEAR_COPY,
        held_out=LIST_NAME,
        start="" if state.max_rate == MAX_RATE else _RESTARTED,
        epochs=state.epoch,
        images=state.images,
        minutes=state.seconds / 60,
        device=f"{torch.get_num_threads()} CPU threads" if device.type == "cpu" else "a GPU",
        torch=torch.__version__,
        small=SMALL_UNTIL,
        command=command,
        note=f"{note}\n\n" if note else "",
    )
