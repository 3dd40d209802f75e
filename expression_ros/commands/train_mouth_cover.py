"""``expression-ros train mouth-cover``: the rule that tells covered mouths, and its worth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from expression_ros.training.data.data_sets import load_split_faces
from expression_ros.training.fisherfaces.mouth_cover import MouthCoverConfig, train


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
    parser.set_defaults(func=_train)


def _train(arguments: argparse.Namespace) -> int:
    config = MouthCoverConfig(
        data=arguments.data,
        output=arguments.output,
        model=arguments.model,
        by_people=bool(arguments.votes),
        portraits=arguments.portraits,
        seed=arguments.seed,
    )
    _, card = train(*load_split_faces(arguments.data, votes=arguments.votes), config)
    print(card)
    return 0
