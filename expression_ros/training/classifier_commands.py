"""The subcommands of ``expression-ros train`` for every classifier besides Fisherfaces."""

from __future__ import annotations

from typing import Any

from expression_ros.training.cnn_commands import add_cnn_parser
from expression_ros.training.vector_commands import (
    add_knn_parser,
    add_landmarks_parser,
    add_mlp_parser,
    add_svm_parser,
)


def add_classifier_parsers(kinds: Any) -> None:
    """Add svm, knn, mlp, cnn and landmarks to the subparsers of ``train``."""
    add_svm_parser(kinds)
    add_knn_parser(kinds)
    add_mlp_parser(kinds)
    add_cnn_parser(kinds)
    add_landmarks_parser(kinds)
