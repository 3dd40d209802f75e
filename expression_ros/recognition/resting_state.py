"""A face's own resting state, against which its expressions are read in a stream.

Faces at rest differ: one looks a little sad, another is so plainly neutral that a faint smile on it
stays neutral. What somebody shows is what has changed since the face was at rest. A face is taken
to be at rest while its scores are steady, nobody speaks, and no expression is clear; spontaneous
expressions rarely last for more than four seconds (Ekman and Friesen, 1982). Its mean scores are
learnt then. From there on neutral leads every other label at rest by as much as the scores may be
shifted to that end: an expression is told when it is so much nearer than at rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from expression_ros.vocabulary import NEUTRAL

_LEAD = 4.0  # nats by which neutral shall lead each other label at rest
# Nats by which that raises a label that is far off at rest, and lowers one that is near: what is
# clear stays what it is.
_MOST_UP, _MOST_DOWN = 2.0, 1.0
_CLEAR = 0.7  # another label with this score is an expression and no rest
_STEADY = 1.0  # nats by which steady scores leave their mean of the last moments
_MOMENT_S, _MEMORY_S = 0.3, 3.0  # time constants of that mean, and of what is learnt
_FIRST_S, _LEARNT_S = 1.0, 3.0  # at rest from when on it counts a little, and all
_LONGEST_S = 0.5  # that one frame stands for
_LEADING = 3  # labels whose scores must be steady; those of the others are noise
_LEAST = 1e-7  # taken for a score of 0


class RestingState:
    """Learns the resting state of one face, and reads its scores relative to it.

    Of a model that cannot say neutral nothing is learnt.
    """

    def __init__(self) -> None:
        self._labels: tuple[str, ...] = ()
        self._rest: np.ndarray | None = None  # (C,) mean logarithms of the scores at rest
        self._moment: np.ndarray | None = None  # (C,) the same, of the last moments
        self._rested = 0.0  # seconds
        self._stamp: float | None = None

    def read(self, scores: Mapping[str, float], stamp: float, speaking: bool) -> dict[str, float]:
        """Return a frame's scores relative to the face's rest, and learn from them.

        Args:
            scores: of one frame by label, adding to 1.
            stamp: when it was taken, in seconds; going back in time starts anew.
            speaking: whether the person speaks.

        Returns:
            Scores by label, adding to 1; as they were until enough is known.
        """
        labels = tuple(scores)
        if NEUTRAL not in labels:
            return dict(scores)
        if labels != self._labels or (self._stamp is not None and stamp < self._stamp):
            self.__init__()  # type: ignore[misc]
            self._labels = labels
        passed = 0.0 if self._stamp is None else min(stamp - self._stamp, _LONGEST_S)
        self._stamp = stamp
        logs = np.log(np.maximum([scores[label] for label in labels], _LEAST))
        shifted = logs + self._shift()
        steady = self._is_steady(logs, passed)
        if steady and not speaking and self._may_be_rest(logs, shifted):
            self._learn(logs, passed)
        if not self._known():
            return dict(scores)
        shares = np.exp(shifted - shifted.max())
        return dict(zip(labels, (shares / shares.sum()).tolist(), strict=True))

    def _known(self) -> float:
        """Return how much of the rest is known, 0..1."""
        return min(max(0.0, (self._rested - _FIRST_S) / (_LEARNT_S - _FIRST_S)), 1.0)

    def _shift(self) -> np.ndarray:
        """Return what is added to the logarithms of the scores, (C,)."""
        if self._rest is None or not self._known():
            return np.zeros(len(self._labels))
        neutral = self._labels.index(NEUTRAL)
        shift: np.ndarray = np.clip(self._rest[neutral] - self._rest - _LEAD, -_MOST_DOWN, _MOST_UP)
        shift[neutral] = 0.0
        shift *= self._known()
        return shift

    def _is_steady(self, logs: np.ndarray, passed: float) -> bool:
        if self._moment is None:
            self._moment = logs.copy()
        leading = np.argsort(-logs)[:_LEADING]
        steady = bool(np.abs(logs - self._moment)[leading].max() < _STEADY)
        self._moment += (1 - math.exp(-passed / _MOMENT_S)) * (logs - self._moment)
        return steady

    def _may_be_rest(self, logs: np.ndarray, shifted: np.ndarray) -> bool:
        neutral = self._labels.index(NEUTRAL)
        others = np.delete(logs, neutral)
        if len(others) and others.max() >= math.log(_CLEAR):
            return False
        # Once it is known what the rest looks like, a faint expression is none.
        return self._known() < 1 or int(np.argmax(shifted)) == neutral

    def _learn(self, logs: np.ndarray, passed: float) -> None:
        if self._rest is None:
            self._rest = logs.copy()
        self._rested += passed
        memory = min(_MEMORY_S, max(self._rested, _LONGEST_S))
        self._rest += (1 - math.exp(-passed / memory)) * (logs - self._rest)
