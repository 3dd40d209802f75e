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

from expression_ros.training.networks.embedding import EmbeddingConfig, train
from expression_ros.training.networks.faces import split_data


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
    parser.add_argument("--teacher-share", type=float, metavar="SHARE",
                        default=EmbeddingConfig.teacher_share,
                        help="of its answers where people voted (default %(default)s)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("models/embedding/embedding.onnx"))
    parser.add_argument("--checkpoint", type=Path, default=Path("embedding_checkpoint.pt"))
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT",
                        help="begin with an earlier training's weights, or with an "
                        "exported .onnx and the held_out.txt beside it")  # fmt: skip
    parser.add_argument("--rate", type=float, help="largest learning rate")
    parser.add_argument("--label-weight", type=float, metavar="W",
                        default=EmbeddingConfig.label_weight,
                        help="of the single labels' loss (default %(default)s)")  # fmt: skip
    parser.add_argument("--vote-weight", type=float, metavar="W",
                        default=EmbeddingConfig.vote_weight,
                        help="of the votes' loss (default %(default)s)")  # fmt: skip
    parser.add_argument(
        "--epochs", type=int, default=EmbeddingConfig.epochs, help="at most (default %(default)s)"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=EmbeddingConfig.minutes,
        help="at most (default %(default)s)",
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's)")
    parser.add_argument("--note", default="", help="remark for the model card on this very run")
    parser.add_argument("--export-only", action="store_true", help="export what the checkpoint has")
    options = parser.parse_args(arguments)

    try:
        config = EmbeddingConfig(
            output=options.output,
            checkpoint=options.checkpoint,
            start=options.start,
            rate=options.rate,
            label_weight=options.label_weight,
            vote_weight=options.vote_weight,
            epochs=options.epochs,
            minutes=options.minutes,
            teacher=options.teacher,
            teacher_share=options.teacher_share,
            threads=options.threads,
            export_only=options.export_only,
            note=options.note,
            command=_command(options, parser),
        )
        teacher = config.load_teacher()
    except ValueError as unfit:
        parser.error(str(unfit))
    faces = split_data(options.data, options.muxspace, options.votes, config.held_out)
    print(json.dumps(train(faces, config, teacher), indent=2))


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
