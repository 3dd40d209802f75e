r"""Trains the network behind the descriptor ``embedding`` and writes it as ONNX.

    python -m expression_ros.commands.train_embedding --data fer2013.npz \
        --muxspace muxspace.zip --output models/embedding/embedding.onnx

Training needs PyTorch (``pip install torch onnx``); recognition runs the ONNX file with
``cv2.dnn``. A residual network (He et al., 2016) of 1.5 million parameters looks at 48x48 grey
faces and has two answers while it learns: the single label of FER2013 and, on a second head, the
distribution of the ten votes of FER+. One head per label set does better than one head for a
mixture. The same command goes on from the checkpoint.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.training.data.held_out import LIST_NAME, write_held_out
from expression_ros.training.networks.card import measure, model_card
from expression_ros.training.networks.faces import split_data, taught
from expression_ros.training.networks.residual import export
from expression_ros.training.networks.training import (
    LABEL_WEIGHT,
    VOTE_WEIGHT,
    agreement,
    new_state,
    train,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train (or go on training), export, measure, and write the model card beside the network."""
    parser = argparse.ArgumentParser(
        prog="python -m expression_ros.commands.train_embedding",
        description=main.__doc__,
    )
    parser.add_argument("--data", type=Path, required=True, help="npz of FER2013 with FER+ votes")
    parser.add_argument("--muxspace", type=Path, help="zip of the muxspace faces")
    parser.add_argument("--votes", type=Path, metavar="FILE",
                        help="votes of FER+ in place of those in the npz")  # fmt: skip
    parser.add_argument("--teacher", type=Path, metavar="FOLDER",
                        help="Fisherfaces whose answers are learnt beside the votes")  # fmt: skip
    parser.add_argument("--teacher-share", type=float, default=0.3, metavar="SHARE",
                        help="of its answers where people voted (default %(default)s)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models/embedding/embedding.onnx"))
    parser.add_argument("--checkpoint", type=Path, default=Path("embedding_checkpoint.pt"))
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT",
                        help="begin with an earlier training's weights, or with an "
                        "exported .onnx and the held_out.txt beside it")  # fmt: skip
    parser.add_argument("--rate", type=float, help="largest learning rate")
    parser.add_argument("--label-weight", type=float, default=LABEL_WEIGHT, metavar="W",
                        help="of the single labels' loss (default %(default)s)")  # fmt: skip
    parser.add_argument("--vote-weight", type=float, default=VOTE_WEIGHT, metavar="W",
                        help="of the votes' loss (default %(default)s)")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=60, help="at most (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=70, help="at most (default %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's)")
    parser.add_argument("--note", default="", help="remark for the model card on this very run")
    parser.add_argument("--export-only", action="store_true", help="export what the checkpoint has")
    options = parser.parse_args(arguments)

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    from_file = options.start is not None and options.start.suffix == ".onnx"
    held_out = options.start.with_name(LIST_NAME) if from_file else None
    if held_out is not None and not held_out.is_file():
        parser.error(f"{held_out} is missing: without it nobody knows which faces {options.start} "
                     "has not seen; keep it beside the network")  # fmt: skip
    teacher = None
    if options.teacher:
        try:
            teacher = FisherfaceEnsemble.load(options.teacher)
        except ModelError as unfit:
            parser.error(str(unfit))
    training, validation, test, counts = split_data(
        options.data, options.muxspace, options.votes, held_out
    )
    print(f"{len(training)} faces to train on, {len(validation)} to validate on: {counts}")
    state = new_state(device, options.start, training.images[:512], options.rate)
    state.label_weight, state.vote_weight = options.label_weight, options.vote_weight
    if options.checkpoint.is_file():
        state.load(options.checkpoint)
        torch.manual_seed(state.step)
        print(f"going on from {options.checkpoint}, epoch {state.epoch}")
    if not options.export_only:
        if teacher is not None:
            training = taught(
                training, lambda face: teacher.predict(face).scores, options.teacher_share
            )
        train(state, training, validation, options.epochs, options.minutes, options.checkpoint)
    error = export(state.average, options.output)
    write_held_out(options.output.with_name(LIST_NAME), validation.images)
    report = measure(options.output, validation, test)
    report |= {"counts": counts, "training faces": len(training), "export error": error}
    report["people"] = {"validation": agreement(state.average, validation),
                        "test": agreement(state.average, test)}  # fmt: skip
    print(json.dumps(report, indent=2))
    command = _command(options, parser)
    card = model_card(options.output, state, report, command, options.note)
    options.output.with_name("README.md").write_text(card, encoding="utf-8")


def _command(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """Return the words that train this network again, files by their names alone."""
    words = ["python -m expression_ros.commands.train_embedding"]
    for name in ("data", "muxspace", "votes", "start", "teacher", "teacher_share", "rate",
                 "label_weight", "vote_weight", "epochs", "minutes"):  # fmt: skip
        value = getattr(options, name)
        if value is None or (
            name not in ("epochs", "minutes") and value == parser.get_default(name)
        ):
            continue
        text = value.name if isinstance(value, Path) else f"{value:g}"
        words.append(f"--{name.replace('_', '-')} {text}")
    return " \\\n        ".join(words)


if __name__ == "__main__":
    main()
