"""Scores of single frames become a label that does not flicker, told from the face at rest.

Scores are averaged over time, and a label that is said stays until the evidence against it is
enough: the logarithm of the likelihood ratio between a rival and the label that is said, summed
over time and never below 0 (the cumulative sum test; Page, "Continuous inspection schemes",
Biometrika, 1954). So a strong and steady change is taken up at once, a weak one later, and one that
wavers not at all. ``unknown`` is a rival like the labels, whose score is always the least that is
believed.

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

from expression_ros.vocabulary import NEUTRAL, UNKNOWN

# Evidence counts in seconds of the strongest there is: odds of 20 to 1 or more.
_STRONGEST = 3.0
_ONE_FRAME = 0.8  # of what a change takes: two frames at least, however long apart
_MOVING = 0.25  # of a frame's evidence counts while the mouth moves: what it becomes, counts
_NEVER = 1e-6  # taken for a score of 0

# Of the resting state.
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


class LabelSmoother:
    """Smooths one face's scores over time and changes its label when the evidence is enough.

    Args:
        time_constant: seconds after which an old score counts 1/e, and for how long the strongest
            evidence has to last; 0 takes every frame as it is, whatever the other times are.
        margin: by how much another label's score must exceed the present one's to take over.
        min_confidence: a label is said from this score on.
        talking_time: for how many seconds it has to last while the person speaks, for any label
            but neutral: what speech does to a mouth is over sooner. Doubt takes longer by as much.
        doubt_time: seconds of the strongest doubt after which a label whose score is too low is
            given up for ``unknown``; of fainter doubt the more.
    """

    def __init__(
        self,
        time_constant: float = 0.25,
        margin: float = 0.1,
        min_confidence: float = 0.0,
        talking_time: float = 1.0,
        doubt_time: float = 1.0,
    ):
        self.time_constant = time_constant
        self.margin = margin
        self.min_confidence = min_confidence
        self.talking_time = talking_time
        self.doubt_time = doubt_time
        self.scores: dict[str, float] = {}
        self._said = UNKNOWN
        self._against: dict[str, float] = {}  # evidence for each rival of what is said, in seconds
        self._stamp: float | None = None

    def update(
        self,
        scores: Mapping[str, float],
        stamp: float,
        speaking: bool = False,
        moving: bool = False,
    ) -> tuple[str, float]:
        """Take one frame's scores (label to share, adding to 1) at ``stamp`` seconds.

        Args:
            scores: of this frame.
            stamp: when it was taken; going back in time starts anew.
            speaking: whether the person speaks.
            moving: whether the mouth moves right now: then what the frame shows counts less, unless
                it is neutral.

        Returns:
            The smoothed label (or ``unknown``) and its smoothed score (or that of the leading one).

        Raises:
            ValueError: there are no scores, or one is not finite; it would stay in all later ones.
        """
        if not scores or not math.isfinite(sum(scores.values())):
            raise ValueError(f"scores must be finite numbers by label, not {dict(scores)}")
        passed = 0.0 if self._stamp is None else stamp - self._stamp
        anew = self._stamp is None or passed < 0
        self._stamp = stamp
        self._smooth(scores, None if anew else passed)
        leader = max(self.scores, key=lambda label: self.scores[label])
        if anew:
            self._say(leader if self.scores[leader] >= self.min_confidence else UNKNOWN)
        else:
            seconds = min(passed, _ONE_FRAME * self.time_constant)
            if moving and leader != NEUTRAL:
                seconds *= _MOVING
            self._gather(scores, leader, seconds)
            self._decide(leader, speaking)
        return self._said, self.scores[leader if self._said == UNKNOWN else self._said]

    def _smooth(self, scores: Mapping[str, float], passed: float | None) -> None:
        if passed is None or self.time_constant <= 0:
            self.scores = dict(scores)
            return
        keep = math.exp(-passed / self.time_constant)
        labels = {**self.scores, **scores}
        self.scores = {
            label: keep * self.scores.get(label, 0.0) + (1 - keep) * scores.get(label, 0.0)
            for label in labels
        }

    def _gather(self, scores: Mapping[str, float], leader: str, seconds: float) -> None:
        """Add what a frame that stands for so many seconds says against the label that is said."""
        most = self.time_constant + self.talking_time + self.doubt_time  # no change takes longer
        for rival in (*self.scores, UNKNOWN):
            if rival == self._said:
                continue
            if self._said == UNKNOWN:
                sure = rival == leader and self.scores[rival] >= self.min_confidence
                ratio = _STRONGEST if sure else -_STRONGEST
            elif rival == UNKNOWN:
                ratio = _log_odds(self.min_confidence) - _log_odds(scores.get(self._said, 0.0))
            else:
                ratio = _log(scores.get(rival, 0.0)) - _log(scores.get(self._said, 0.0))
            gain = min(max(ratio / _STRONGEST, -1.0), 1.0) * seconds
            self._against[rival] = min(max(0.0, self._against.get(rival, 0.0) + gain), most)

    def _decide(self, leader: str, speaking: bool) -> None:
        present = self.scores.get(self._said, -math.inf)  # unknown: anything leads
        if (
            self.scores[leader] > present + self.margin
            and self.scores[leader] >= self.min_confidence
            and self._against.get(leader, 0.0) >= self._needed(leader, speaking)
        ):
            self._say(leader)
        elif (
            present < self.min_confidence
            and self._against.get(UNKNOWN, 0.0) >= self._needed(UNKNOWN, speaking)
        ):  # fmt: skip
            self._say(UNKNOWN)

    def _needed(self, rival: str, speaking: bool) -> float:
        """Return how much evidence it takes to say a rival, in seconds."""
        if self.time_constant <= 0:
            return 0.0
        if rival == UNKNOWN:
            doubt = max(self.doubt_time, self.time_constant)
            return doubt + self.talking_time if speaking else doubt
        if speaking and rival != NEUTRAL:
            return max(self.talking_time, self.time_constant)
        return 0.0 if self._said == UNKNOWN else self.time_constant

    def _say(self, label: str) -> None:
        self._said = label
        self._against.clear()


def _log(score: float) -> float:
    return math.log(max(score, _NEVER))


def _log_odds(score: float) -> float:
    return _log(score) - _log(1.0 - score)


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
