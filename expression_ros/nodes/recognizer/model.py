"""Which model the recognizer has loaded, how old it is, and how that is told on /diagnostics."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rclpy.node import Node

from expression_ros.nodes.common.diagnostics import ERROR, OK, level_above, status
from expression_ros.nodes.common.image_input import image_topic_of
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.recognition.models import model_facts
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.resources import models_path

_DAY_S = 86_400.0


class LoadedModel:
    """What is known of a model from the moment on at which it was loaded.

    Its files are looked at once: what is written there later is not what is loaded.

    Args:
        name: of the classifier.
        folder: of the model; empty for the shipped one.
        recognizer: reads with it.
    """

    def __init__(self, name: str, folder: str, recognizer: ExpressionRecognizer):
        self._name = name
        self._folder = Path(folder) if folder else models_path(name)
        self._labels = len(recognizer.classifier.labels)
        self._facts = model_facts(recognizer.classifier)
        self._recognizer = recognizer
        self._written = max(
            (file.stat().st_mtime for file in self._folder.iterdir() if file.is_file()),
            default=0.0,
        )

    def status(self, node: Node, limits: NodeParameters) -> Any:
        """Return the status of the model: which, how old, which labels, how sure is enough."""
        days = max(0.0, time.time() - self._written) / _DAY_S
        # 0 switches a threshold off: no age is above infinity.
        warn, error = (
            limits[name] or float("inf") for name in ("model_age_warn", "model_age_error")
        )
        level = level_above(days, warn, error)
        text = f"{self._name}, {self._labels} labels, written {_days(days)}"
        if level != OK:
            text += f": train or fetch a newer one into {self._folder}"
        values = {
            "classifier": self._name,
            "folder": self._folder,
            "written": datetime.fromtimestamp(self._written, timezone.utc).strftime("%Y-%m-%d"),
            "age (days)": f"{days:.1f}",
            "min_confidence": f"{self._recognizer.settings.min_confidence:g}",
        }
        return status(node, "model", level, text, values | self._facts, image_topic_of(node))


def model_status(
    node: Node, problem: str, model: LoadedModel | None, limits: NodeParameters
) -> Any:
    """Return the status of the model, or why there is none.

    Args:
        node: the recognizer.
        problem: why the last configure failed; empty if it did not.
        model: the loaded one, None while the node is not configured.
        limits: with the thresholds.
    """
    if problem:
        return status(node, "model", ERROR, problem, {}, image_topic_of(node))
    if model is None:
        return status(node, "model", OK, "not configured", {}, image_topic_of(node))
    return model.status(node, limits)


def _days(days: float) -> str:
    whole = int(days)
    return f"{whole} day{'' if whole == 1 else 's'} ago" if whole else "today"
