"""Which of several cameras is answered: the one that is surest of a face, and it does not hop."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SMOOTHING_S = 0.5  # time constant over which a source's leading score is averaged
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")


def source_names(text: str) -> list[str]:
    """Return the namespaces in a list such as ``front,left``, in their order.

    Raises:
        ValueError: there is none, one is named twice, or a word is not a relative ROS namespace.
    """
    names = [word.strip() for word in text.split(",") if word.strip()]
    if not names:
        raise ValueError("names the namespaces of the recognizers, as in front,left; it is empty")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be a namespace: letters, digits and _, no digit first, as in "
                "front,left"
            )
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is named twice")
    return names


@dataclass
class _Source:
    """What is known of a source.

    Attributes:
        score: its leading score, smoothed; None while no scores came.
        label_at: when its last label came, s; None before the first.
        scores_at: when its last scores came, s.
    """

    score: float | None = None
    label: str = ""
    label_at: float | None = None
    scores_at: float | None = None


class SourceChoice:
    """Chooses the source that has a face with the highest smoothed score.

    A source has a face while labels come from it. Its score is the leading one of the scores it
    tells, averaged over SMOOTHING_S and beginning at 0, so that one sure frame of a newcomer
    changes nothing; a source that tells no scores is answered only where no other has a face. The
    chosen one stays until another leads by the margin, or until it is silent.

    Args:
        sources: names, at least one.
        switch_margin: by how much another source's score must lead, 0..1.
        source_timeout: seconds without a label after which a source has no face.
    """

    def __init__(
        self, sources: Sequence[str], switch_margin: float = 0.15, source_timeout: float = 0.5
    ):
        self.switch_margin = switch_margin
        self.source_timeout = source_timeout
        self.switches = 0  # from one source to another
        self.chosen: str | None = None
        self._sources = {name: _Source() for name in sources}
        self._last: str | None = None  # the one chosen last, also while all are silent

    def scores_received(self, name: str, scores: Mapping[str, float], now: float) -> None:
        """Take a source's scores by label at ``now`` seconds; only numbers count."""
        source = self._sources[name]
        leading = max((v for v in scores.values() if math.isfinite(v)), default=None)
        if leading is None:
            return
        passed = None if source.scores_at is None else now - source.scores_at
        if source.score is None or passed is None or not 0 <= passed <= self.source_timeout:
            source.score = 0.0  # the first ones, or after a silence: who comes in has to stay
        else:
            keep = math.exp(-passed / SMOOTHING_S)
            source.score = keep * source.score + (1 - keep) * leading
        source.scores_at = now

    def label_received(self, name: str, label: str, now: float) -> None:
        """Take a source's label: it has a face."""
        source = self._sources[name]
        source.label, source.label_at = label, now

    def choose(self, now: float) -> str | None:
        """Return the source to be answered at ``now`` seconds; None while all are silent."""
        speaking = [name for name in self._sources if self.has_face(name, now)]
        if not speaking:
            self.chosen = None
            return None
        best = max(speaking, key=lambda name: self._rank(name, now))
        chosen = self.chosen if self.chosen in speaking else None
        if chosen is None or self._leads(best, chosen, now):
            self._take(best)
        return self.chosen

    def has_face(self, name: str, now: float) -> bool:
        """Return whether labels come from a source."""
        return self._recent(self._sources[name].label_at, now)

    def score(self, name: str, now: float) -> float | None:
        """Return a source's smoothed leading score, 0..1; None where it tells none now."""
        source = self._sources[name]
        return source.score if self._recent(source.scores_at, now) else None

    def label(self, name: str, now: float) -> str:
        """Return a source's label; empty while it is silent."""
        return self._sources[name].label if self.has_face(name, now) else ""

    def _leads(self, name: str, other: str, now: float) -> bool:
        return self._rank(name, now) > self._rank(other, now) + self.switch_margin

    def _rank(self, name: str, now: float) -> float:
        score = self.score(name, now)
        return -1.0 if score is None else score

    def _recent(self, at: float | None, now: float) -> bool:
        return at is not None and 0 <= now - at <= self.source_timeout

    def _take(self, name: str) -> None:
        if self._last is not None and name != self._last:
            self.switches += 1
        self.chosen = self._last = name
