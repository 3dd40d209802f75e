"""The virtual robot face in motion: how it moves from one expression to the next, and idles.

Part of ``expression_ros.mirroring``: imports no ROS. This module is the way in; the parts are
``face_shape`` (what it can show) and ``face_drawing`` (what it looks like).
"""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np

from expression_ros.mirroring.face_drawing import draw_face
from expression_ros.mirroring.face_shape import (
    EXPRESSIONS,
    FaceShape,
    UnknownExpressionError,
    expression_shape,
    with_idle,
)
from expression_ros.mirroring.robot_table import ANSWERS, Robot, load_robot

# The angular frequency in 1/s of the critically damped spring that moves every parameter. What is
# left of a move after t seconds is (1 + w t) exp(-w t), which is 1.2 % after 0.4 s.
SPRING_RATE = 16.0
# Whatever moved has settled after this many seconds, and no number overflows.
_LONGEST_STEP = 3600.0

# People at rest blink about 17 times a minute (Bentivoglio et al., 1997), and shut their eyes
# faster than they open them.
BLINK_PERIOD = 4.0  # s; one blink falls somewhere into each
BLINK_CLOSING = 0.10  # s
BLINK_CLOSED = 0.04  # s
BLINK_OPENING = 0.18  # s
_BLINK_LENGTH = BLINK_CLOSING + BLINK_CLOSED + BLINK_OPENING

GLANCE_PERIOD = 1.7  # s between two small shifts of the gaze
GLANCE_TIME = 0.12  # s that such a shift takes
GLANCE_SIZE = 0.10  # the largest shift, in units of FaceShape.gaze_x


class FaceAnimator:
    """Moves the face from expression to expression without a jump in position or speed.

    Each parameter is a critically damped spring solved in closed form, so the path does not depend
    on how often it is sampled. Its impulse response is never negative, so a parameter is always a
    weighted mean of the targets it was given, and never leaves their range.

    Args:
        expression: what the face shows at first, one of ``EXPRESSIONS``.
        idle: add blinks and small glances.
        seed: of their random times and sizes; the same seed gives the same blinks.

    Raises:
        UnknownExpressionError: the face has no such expression.
    """

    def __init__(self, expression: str = "neutral", *, idle: bool = True, seed: int = 0) -> None:
        start = expression_shape(expression).to_array()
        self._target_name = expression
        self._target = start
        self._position = start
        self._velocity = np.zeros_like(start)
        self._idle = idle
        self._seed = seed
        self._age = 0.0
        self._last_now: float | None = None

    @property
    def target(self) -> str:
        """The expression the face shows or moves to."""
        return self._target_name

    def set_target(self, name: str, now: float) -> None:
        """Start to move to the expression ``name`` at the time ``now`` (seconds, finite).

        Raises:
            UnknownExpressionError: the face has no such expression; the target stays as it was.
            ValueError: ``now`` is not finite.
        """
        target = expression_shape(name).to_array()
        self._advance(now)
        self._target_name, self._target = name, target

    def shape_at(self, now: float) -> FaceShape:
        """Return the face at the time ``now`` (seconds, finite).

        A time before the last one, as in a looping simulation or recording, leaves the face where
        it is; it moves on from there.

        Raises:
            ValueError: ``now`` is not finite.
        """
        self._advance(now)
        shape = FaceShape.from_array(self._position)
        if not self._idle:
            return shape
        return with_idle(shape, _blink(self._seed, self._age), *_glance(self._seed, self._age))

    def _advance(self, now: float) -> None:
        """Move the spring on to ``now``; its own age only ever grows."""
        if not math.isfinite(now):
            raise ValueError(f"the time must be a finite number of seconds, not {now!r}")
        step = 0.0 if self._last_now is None else max(0.0, now - self._last_now)
        step = min(step, _LONGEST_STEP)
        self._last_now = now
        self._age += step
        offset = self._position - self._target
        slope = self._velocity + SPRING_RATE * offset
        decay = math.exp(-SPRING_RATE * step)
        self._position = self._target + (offset + slope * step) * decay
        self._velocity = (self._velocity - SPRING_RATE * slope * step) * decay


def _minimum_jerk(part: float) -> float:
    """Return the progress 0..1 of the smoothest move (Flash & Hogan, 1985) after ``part`` of it."""
    part = min(1.0, max(0.0, part))
    return part**3 * (10.0 - 15.0 * part + 6.0 * part**2)


def _random_of(seed: int, what: str, period: int) -> random.Random:
    """Return the generator of one period, so that any period can be drawn without those before."""
    return random.Random(f"{seed} {what} {period}")


def _blink(seed: int, age: float) -> float:
    """Return how far the lids are shut at ``age`` seconds: 0 not at all .. 1 closed."""
    period, since = divmod(age, BLINK_PERIOD)
    start = _random_of(seed, "blink", int(period)).uniform(0.3, BLINK_PERIOD - _BLINK_LENGTH - 0.2)
    closed = _minimum_jerk((since - start) / BLINK_CLOSING)
    opened = _minimum_jerk((since - start - BLINK_CLOSING - BLINK_CLOSED) / BLINK_OPENING)
    return closed - opened


def _glance(seed: int, age: float) -> tuple[float, float]:
    """Return the small shift of the gaze (x, y) at ``age`` seconds."""
    period, since = divmod(age, GLANCE_PERIOD)
    before = _fixation(seed, int(period) - 1)
    after = _fixation(seed, int(period))
    part = _minimum_jerk(since / GLANCE_TIME)
    x, y = (old + part * (new - old) for old, new in zip(before, after, strict=True))
    return x, y


def _fixation(seed: int, period: int) -> tuple[float, float]:
    """Return where the gaze rests in a period; straight ahead until the first glance."""
    if period < 1:
        return 0.0, 0.0
    numbers = _random_of(seed, "glance", period)
    x = numbers.uniform(-GLANCE_SIZE, GLANCE_SIZE)
    return x, numbers.uniform(-GLANCE_SIZE, GLANCE_SIZE) / 2.0


__all__ = [
    "EXPRESSIONS",
    "FaceAnimator",
    "FaceShape",
    "UnknownExpressionError",
    "draw_face",
    "drawable_word",
    "expression_shape",
]


def drawable_word(expression: str, robot: Robot | None) -> str:
    """Return the virtual face's word for a robot's, empty if there is none."""
    if robot is not None:
        for answer in ANSWERS:
            if robot.expression_for(answer) == expression:
                return _virtual_face().expression_for(answer)
    try:
        expression_shape(expression)
    except UnknownExpressionError:
        return ""
    return expression


@cache
def _virtual_face() -> Robot:
    return load_robot("virtual_face")
