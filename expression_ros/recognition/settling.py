"""Scores of single frames become a label that does not flicker."""

from __future__ import annotations

import math
from collections.abc import Mapping

from expression_ros.vocabulary import UNKNOWN


class LabelSettler:
    """Smooths one face's scores over time and changes its label with hysteresis.

    Args:
        time_constant: seconds after which an old score counts 1/e; 0 takes every frame as it is.
        margin: by how much another label's score must exceed the present one's to take over.
        min_confidence: below this score the label is ``unknown``.
    """

    def __init__(
        self, time_constant: float = 0.25, margin: float = 0.1, min_confidence: float = 0.0
    ):
        self.time_constant = time_constant
        self.margin = margin
        self.min_confidence = min_confidence
        self.scores: dict[str, float] = {}
        self._winner = ""
        self._stamp: float | None = None

    def update(self, scores: Mapping[str, float], stamp: float) -> tuple[str, float]:
        """Take one frame's scores (label to share, adding to 1) at ``stamp`` seconds.

        Returns:
            The settled label (or ``unknown``) and the smoothed score of the leading label.

        Raises:
            ValueError: there are no scores, or one is not finite; it would stay in all later ones.
        """
        if not scores or not math.isfinite(sum(scores.values())):
            raise ValueError(f"scores must be finite numbers by label, not {dict(scores)}")
        self._smooth(scores, stamp)
        leader = max(self.scores, key=lambda label: self.scores[label])
        present = self.scores.get(self._winner, -math.inf)
        if self.scores[leader] > present + self.margin or not self._winner:
            self._winner = leader
        score = self.scores[self._winner]
        return (self._winner if score >= self.min_confidence else UNKNOWN), score

    def _smooth(self, scores: Mapping[str, float], stamp: float) -> None:
        passed = None if self._stamp is None else stamp - self._stamp
        self._stamp = stamp
        if passed is None or passed < 0 or self.time_constant <= 0:
            self.scores = dict(scores)
            return
        keep = math.exp(-passed / self.time_constant)
        labels = {**self.scores, **scores}
        self.scores = {
            label: keep * self.scores.get(label, 0.0) + (1 - keep) * scores.get(label, 0.0)
            for label in labels
        }
