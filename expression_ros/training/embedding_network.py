"""Trains the network behind the descriptor ``embedding`` and writes it as ONNX.

    python -m expression_ros.training.embedding_network --data fer2013.npz \\
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

from expression_ros.training.held_out import LIST_NAME, write_held_out
from expression_ros.training.network_card import measure, model_card
from expression_ros.training.network_faces import split_data
from expression_ros.training.network_training import new_state, train
from expression_ros.training.residual_network import export


def main(arguments: Sequence[str] | None = None) -> None:
    """Train (or go on training), export, measure, and write the model card beside the network."""
    parser = argparse.ArgumentParser(
        prog="python -m expression_ros.training.embedding_network",
        description=main.__doc__,
    )
    parser.add_argument("--data", type=Path, required=True, help="npz of FER2013 with FER+ votes")
    parser.add_argument("--muxspace", type=Path, help="zip of the muxspace faces")
    parser.add_argument("--output", type=Path, default=Path("models/embedding/embedding.onnx"))
    parser.add_argument("--checkpoint", type=Path, default=Path("embedding_checkpoint.pt"))
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT",
                        help="begin with the weights of an earlier training")  # fmt: skip
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
    training, validation, test, counts = split_data(options.data, options.muxspace)
    print(f"{len(training)} faces to train on, {len(validation)} to validate on: {counts}")
    state = new_state(device, options.start)
    if options.checkpoint.is_file():
        state.load(options.checkpoint)
        torch.manual_seed(state.step)
        print(f"going on from {options.checkpoint}, epoch {state.epoch}")
    if not options.export_only:
        train(state, training, validation, options.epochs, options.minutes, options.checkpoint)
    error = export(state.average, options.output)
    write_held_out(options.output.with_name(LIST_NAME), validation.images)
    report = measure(options.output, validation, test)
    report |= {"counts": counts, "training faces": len(training), "export error": error}
    print(json.dumps(report, indent=2))
    command = "python -m expression_ros.training.embedding_network --data fer2013.npz"
    command += " \\\n        --muxspace muxspace.zip" if options.muxspace else ""
    if options.start:
        command += f" --start {options.start.name}"
    command += f" --epochs {options.epochs} --minutes {options.minutes:g}"
    card = model_card(options.output, state, report, command, options.note)
    options.output.with_name("README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
