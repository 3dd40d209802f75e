"""``expression-ros train``: one subcommand per classifier."""

from __future__ import annotations

from typing import Any

from expression_ros.commands.options import with_one_line_errors
from expression_ros.commands.train_cnn import add_cnn_parser
from expression_ros.commands.train_fisherfaces import add_fisherfaces_parser
from expression_ros.commands.train_mouth_cover import add_mouth_cover_parser
from expression_ros.commands.train_vectors import (
    add_knn_parser,
    add_landmarks_parser,
    add_mlp_parser,
    add_svm_parser,
)


def add_train_parser(subparsers: Any) -> None:
    """Add ``train`` and every classifier to the subparsers; ``func`` returns an exit code."""
    train = subparsers.add_parser("train", help="train models from labelled faces")
    kinds = train.add_subparsers(dest="model_kind", required=True, metavar="CLASSIFIER")
    add_classifier_parsers(kinds)
    for parser in kinds.choices.values():
        parser.set_defaults(func=with_one_line_errors(parser.get_default("func")))


def add_classifier_parsers(kinds: Any) -> None:
    """Add every classifier to the subparsers of ``train``; their errors are ValueErrors."""
    for add_parser in (
        add_fisherfaces_parser,
        add_svm_parser,
        add_knn_parser,
        add_mlp_parser,
        add_cnn_parser,
        add_landmarks_parser,
        add_mouth_cover_parser,
    ):
        add_parser(kinds)
