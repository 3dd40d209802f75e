"""Which expression the robot shows, how strongly, and when it changes it.

Part of ``expression_ros.mirroring``: imports no ROS. Time is an argument everywhere, in seconds of
any clock; nothing here reads one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from expression_ros.mirroring.robot_table import Robot
from expression_ros.mirroring.styles import MIRROR, Style
from expression_ros.vocabulary import NEUTRAL, UNKNOWN, UnknownLabelError, canonical_label

WEAKEST = 0.3  # share of a full expression; a weaker one could hardly be told from neutral
INTENSITY_STEP = 0.2  # a smaller change of the intensity is not worth a movement
SCORES_VALID_S = 0.5  # scores belong to the label of the same frame, which comes right after them

_WORD_LENGTH = 40  # characters of an unknown word that are kept
_DISTINCT_WORDS = 100  # unknown words that are kept apart; a broken publisher may send thousands
_OTHER_WORDS = "(other words)"


@dataclass(frozen=True)
class Command:
    """What the robot is to show from now on.

    Attributes:
        expression: the robot's word.
        intensity: 0 .. 1, how far from neutral to the full expression.
        duration: s that the change should take at least (attack, or release towards neutral).
        is_new: whether the word changed; otherwise only the intensity did.
    """

    expression: str
    intensity: float = 1.0
    duration: float = 0.0
    is_new: bool = True


class MirrorBehaviour:
    """Answers emotion labels with the robot's expressions, calmly.

    An expression is shown for at least ``min_hold``; of the labels that arrive meanwhile the newest
    counts. When no label has named an emotion for ``neutral_after``, the robot turns neutral (after
    ``min_hold``, if that is longer). The label ``unknown`` means that a face is there but could not
    be read: the robot keeps its expression, but ``neutral_after`` goes on running, so a face that
    stays unreadable ends in neutral like a face that left.

    An expression that has ended is not shown again for ``cooldown``; if it is still wanted then, it
    is shown, and until then the robot is neutral. Neutral itself needs no cooling down.

    Where scores are given, an expression is shown with the intensity score / ``full_score``, at
    least 0.3 and at most 1, of the label when it is first shown; it follows the score in steps of
    0.2 or more, not more often than ``min_hold``. Without scores it is shown in full.

    A clock that goes back (a simulation starts again) restarts the timers: what is shown may change
    at once, and silence is counted from the new time.

    Args:
        robot: whose words answer the emotions.
        min_hold: s, 0 or more.
        neutral_after: s, above 0.
        cooldown: s, 0 or more.
        attack: s that the change to an expression should take at least.
        release: s that the change to neutral should take at least.
        full_score: 0 .. 1; 0 for expressions in full, whatever the score.
        style: which answer is given to which emotion.

    All of them but the robot and the style are attributes that may be changed at any time.

    Attributes:
        labels_received: all labels while enabled, of whatever content.
        unknown_labels: those that said ``unknown``.
        unknown_words: how often each word arrived that is in no vocabulary.
        bad_scores: scores that were not numbers from 0 to 1.
    """

    def __init__(
        self,
        robot: Robot,
        min_hold: float,
        neutral_after: float,
        *,
        cooldown: float = 0.0,
        attack: float = 0.0,
        release: float = 0.0,
        full_score: float = 0.0,
        style: Style = MIRROR,
    ):
        self.min_hold = min_hold
        self.neutral_after = neutral_after
        self.cooldown = cooldown
        self.attack = attack
        self.release = release
        self.full_score = full_score
        self.labels_received = 0
        self.unknown_labels = 0
        self.unknown_words: Counter[str] = Counter()
        self.bad_scores = 0
        self._robot = robot
        self._style = style
        self._enabled = True
        self._emotion: str | None = None  # answered; None while nobody is there
        self._wanted: str | None = None
        self._command = Command(robot.neutral)  # shown
        self._wanted_score: float | None = None
        self._scores: dict[str, float] = {}
        self._scores_at = -math.inf
        self._shown_since = -math.inf
        self._ended: dict[str, float] = {}  # when each expression was last left
        self._last_label = -math.inf
        self._now = -math.inf

    @property
    def expression(self) -> str:
        """The robot's word for what it shows."""
        return self._command.expression

    @property
    def intensity(self) -> float:
        """How strongly it is shown, 0 .. 1."""
        return self._command.intensity

    @property
    def command(self) -> Command:
        """What is shown, as a command that shows it again without delay."""
        return Command(self._command.expression, self._command.intensity)

    @property
    def emotion(self) -> str:
        """The emotion of the vocabulary that is answered; neutral if nobody is there."""
        return self._emotion or NEUTRAL

    @property
    def enabled(self) -> bool:
        """Whether the robot follows what is seen."""
        return self._enabled

    @property
    def style(self) -> Style:
        """How it moves; see Style."""
        return self._style

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
            fresh = now - self._scores_at <= SCORES_VALID_S
            self._wanted_score = self._scores.get(emotion) if fresh else None
            self._last_label = now
        return None

    def scores_received(self, scores: Mapping[str, float], now: float) -> None:
        """Take the scores of the labels of a frame, each 0 .. 1; those that are not are counted."""
        self._see(now)
        self._scores = {}
        self._scores_at = now
        for label, score in scores.items():
            try:
                emotion = canonical_label(label)
            except UnknownLabelError:
                emotion = ""
            if emotion and 0.0 <= score <= 1.0:  # false for NaN
                self._scores[emotion] = float(score)
            else:
                self.bad_scores += 1

    def tick(self, now: float) -> Command | None:
        """Return what the robot is to show if that changes at this time, otherwise None."""
        self._see(now)
        if now - self._last_label >= self.neutral_after:
            self._wanted = None
        word = self._word(self._wanted)
        cooling = now - self._ended.get(word, -math.inf) < self.cooldown
        if cooling and word != self.expression:
            word = self._robot.neutral
        intensity = self._intensity(word)
        is_new = word != self.expression
        if not is_new:
            self._emotion = self._wanted
            if abs(intensity - self.intensity) < INTENSITY_STEP - 1e-9:
                return None
        if now - self._shown_since < self.min_hold:
            return None
        if is_new:
            self._ended[self.expression] = now
        self._emotion = self._wanted
        self._shown_since = now
        duration = self.release if word == self._robot.neutral else self.attack
        self._command = Command(word, intensity, duration, is_new)
        return self._command

    def disable(self) -> None:
        """Turn neutral with the next tick, without waiting for min_hold, and ignore labels."""
        self._enabled = False
        self._wanted = None
        self._last_label = self._shown_since = -math.inf

    def enable(self) -> None:
        """Answer labels again."""
        self._enabled = True

    def set_robot(self, robot: Robot) -> None:
        """Show the same emotion in the words of another robot from now on, without a tick."""
        self._robot = robot
        self._ended.clear()
        self._command = Command(self._word(self._emotion), self.intensity)

    def set_style(self, style: Style) -> None:
        """Give other answers from the next tick on, without waiting for min_hold."""
        self._style = style
        self._shown_since = -math.inf

    def _word(self, emotion: str | None) -> str:
        if emotion is None:  # neutral whatever the style answers to a neutral face
            return self._robot.neutral
        return self._robot.expression_for(self._style.answers[emotion])

    def _intensity(self, word: str) -> float:
        if word == self._robot.neutral or self.full_score <= 0 or self._wanted_score is None:
            return 1.0
        return min(1.0, max(WEAKEST, self._wanted_score / self.full_score))

    def _see(self, now: float) -> None:
        if now < self._now:
            self._shown_since = self._scores_at = -math.inf
            self._ended.clear()
            self._last_label = now
        self._now = now

    def _count_unknown(self, label: str) -> str | None:
        word = str(label)[:_WORD_LENGTH]
        if word not in self.unknown_words and len(self.unknown_words) >= _DISTINCT_WORDS:
            self.unknown_words[_OTHER_WORDS] += 1
            return None
        self.unknown_words[word] += 1
        return word if self.unknown_words[word] == 1 else None
