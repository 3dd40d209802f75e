"""From labelled faces to the network behind the descriptor ``embedding``: ONNX, list and card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.held_out import LIST_NAME, write_held_out
from expression_ros.training.networks import training
from expression_ros.training.networks.card import measure, model_card
from expression_ros.training.networks.faces import Faces, taught
from expression_ros.training.networks.residual import export
from expression_ros.training.networks.training import agreement, new_state


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
