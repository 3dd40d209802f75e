"""Which expression the robot shows and when it changes it.

Part of ``expression_ros.mirroring``: imports no ROS. Time is an argument everywhere, in seconds of
any clock; nothing here reads one.
"""

from __future__ import annotations

import math
from collections import Counter

from expression_ros.mirroring.robot_table import Robot
from expression_ros.vocabulary import NEUTRAL, UNKNOWN, UnknownLabelError, canonical_label

_WORD_LENGTH = 40  # characters of an unknown word that are kept
_DISTINCT_WORDS = 100  # unknown words that are kept apart; a broken publisher may send thousands
_OTHER_WORDS = "(other words)"


class MirrorBehaviour:
    """Answers emotion labels with the robot's expressions, calmly.

    An expression is shown for at least ``min_hold``; of the labels that arrive meanwhile the newest
    counts. When no label has named an emotion for ``neutral_after``, the robot turns neutral (after
    ``min_hold``, if that is longer). The label ``unknown`` means that a face is there but could not
    be read: the robot keeps its expression, but ``neutral_after`` goes on running, so a face that
    stays unreadable ends in neutral like a face that left.

    A clock that goes back (a simulation starts again) restarts the timers: what is shown may change
    at once, and silence is counted from the new time.

    Args:
        robot: whose words answer the emotions.
        min_hold: s, 0 or more. May be changed at any time.
        neutral_after: s, above 0. May be changed at any time.

    Attributes:
        labels_received: all labels while enabled, of whatever content.
        unknown_labels: those that said ``unknown``.
        unknown_words: how often each word arrived that is in no vocabulary.
    """

    def __init__(self, robot: Robot, min_hold: float, neutral_after: float):
        self.min_hold = min_hold
        self.neutral_after = neutral_after
        self.labels_received = 0
        self.unknown_labels = 0
        self.unknown_words: Counter[str] = Counter()
        self._robot = robot
        self._enabled = True
        self._emotion = NEUTRAL  # shown
        self._wanted = NEUTRAL
        self._expression = robot.neutral
        self._shown_since = -math.inf
        self._last_label = -math.inf
        self._now = -math.inf

    @property
    def expression(self) -> str:
        """The robot's word for what it shows."""
        return self._expression

    @property
    def emotion(self) -> str:
        """The emotion of the vocabulary that is answered."""
        return self._emotion

    @property
    def enabled(self) -> bool:
        return self._enabled

    def label_received(self, label: str, now: float) -> str | None:
        """Take a label of the vocabulary or an alias of one.

        Returns:
            A word that is in no vocabulary, the first time it arrives (cut to 40 characters), so
            that the caller can report it once; otherwise None.
        """
        self._see(now)
        if not self._enabled:
            return None
        self.labels_received += 1
        try:
            emotion = canonical_label(label)
        except UnknownLabelError:
            return self._count_unknown(label)
        if emotion == UNKNOWN:
            self.unknown_labels += 1
        else:
            self._wanted = emotion
            self._last_label = now
        return None

    def tick(self, now: float) -> str | None:
        """Return the robot's new expression word if it changes at this time, otherwise None."""
        self._see(now)
        if now - self._last_label >= self.neutral_after:
            self._wanted = NEUTRAL
        word = self._robot.expression_for(self._wanted)
        if word == self._expression:
            self._emotion = self._wanted
            return None
        if now - self._shown_since < self.min_hold:
            return None
        self._emotion, self._expression = self._wanted, word
        self._shown_since = now
        return word

    def disable(self) -> None:
        """Turn neutral with the next tick, without waiting for min_hold, and ignore labels."""
        self._enabled = False
        self._wanted = NEUTRAL
        self._last_label = self._shown_since = -math.inf

    def enable(self) -> None:
        """Answer labels again."""
        self._enabled = True

    def set_robot(self, robot: Robot) -> None:
        """Show the same emotion in the words of another robot from now on, without a tick."""
        self._robot = robot
        self._expression = robot.expression_for(self._emotion)

    def _see(self, now: float) -> None:
        if now < self._now:
            self._shown_since = -math.inf
            self._last_label = now
        self._now = now

    def _count_unknown(self, label: str) -> str | None:
        word = str(label)[:_WORD_LENGTH]
        if word not in self.unknown_words and len(self.unknown_words) >= _DISTINCT_WORDS:
            self.unknown_words[_OTHER_WORDS] += 1
            return None
        self.unknown_words[word] += 1
        return word if self.unknown_words[word] == 1 else None
