"""From pose to pose within the position, velocity and acceleration limits of the joints.

Part of ``expression_ros.mirroring``: imports no ROS, and numpy only. Time is always an argument.

What is commanded is a path x(t) that stays among the poses: it steps to a new pose, or moves there
in a straight line if the move is to take longer. The joints follow x(t) through one linear filter,
whose step response is the minimum-jerk curve S(u) = 10 u^3 - 15 u^4 + 6 u^5 (Flash and Hogan, 1985)
over a fixed time T, and whose impulse response is therefore S'. From this follows, for any sequence
of poses at any times:

* S' is never negative, so every position is a weighted mean of poses and stays within their range.
* Velocity is at most max S' = 15/8 times the widest swing R of a joint between two poses, over T.
* Acceleration is at most half the total variation of S', S'' that is 20/sqrt(3) * R / T^2.
* Position, velocity and acceleration never jump, whatever arrives in the middle of a move.

T is chosen once so that the slowest joint keeps its limits, so nothing needs checking later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from expression_ros.mirroring.robot_table import Joint

SAMPLES = 16  # points of one move
MINIMUM_MOVE_TIME = 0.2  # s; quicker than a face moves, and points closer than ~10 ms help nobody

_PEAK_VELOCITY = 15 / 8
_PEAK_ACCELERATION = 20 / math.sqrt(3)  # of any sequence; of a single step half of it
# Controllers interpolate between the points by cubics, which stray from the path by less than this.
_MARGIN = 1.02
# For the same reason poses keep this share of a joint's range off its limits. What cubics overshoot
# when a command comes just before another move ends in a limit is less than half of it.
_INSIDE = 2e-4
# The approach is a single point, whose interpolation is the controller's choice: linear, cubic
# (peak velocity 3/2, peak acceleration 6) or quintic (15/8, 10/sqrt(3)). These bound all three.
_APPROACH_VELOCITY = 15 / 8
_APPROACH_ACCELERATION = 6.0


@dataclass(frozen=True)
class TrajectoryPoint:
    """Where all joints are to be at one time.

    Attributes:
        time: s from the start of the trajectory, above 0.
        positions: rad (m for a prismatic joint), in the order of the joints.
        velocities: per second, in the same order.
    """

    time: float
    positions: tuple[float, ...]
    velocities: tuple[float, ...]


class JointMotion:
    """The movement of a set of joints between poses, computed from the commands given to them.

    The joints are taken to be in ``start``; where that is not sure, ``approach`` a pose first. A
    pose on a limit is commanded 0.02 % of the joint's range inside it.

    Args:
        joints: the limits.
        poses: every pose that will be commanded, positions in the order of ``joints``.
        start: the pose in which the joints are at first, and from which intensity is measured.

    Attributes:
        move_time: s that a move from rest takes at least.
        approach_time: s that an approach takes.

    Raises:
        ValueError: a pose is outside the limits, or ``start`` is not a pose.
    """

    def __init__(self, joints: Sequence[Joint], poses: Mapping[str, Sequence[float]], start: str):
        table = np.array(list(poses.values()), dtype=float)
        low = np.array([joint.minimum for joint in joints])
        high = np.array([joint.maximum for joint in joints])
        if not (np.all(table >= low) and np.all(table <= high)):
            raise ValueError(
                "a pose is outside the limits of the joints: correct the robot's table"
            )
        inside = _INSIDE * (high - low)
        table = np.clip(table, low + inside, high - inside)
        self._poses = dict(zip(poses, table, strict=True))
        swing = table.max(axis=0) - table.min(axis=0)
        shortest = [MINIMUM_MOVE_TIME]
        approach = [MINIMUM_MOVE_TIME]
        for joint, reach in zip(joints, swing.tolist(), strict=True):
            whole = joint.maximum - joint.minimum
            shortest.append(_PEAK_VELOCITY * reach / joint.max_velocity)
            approach.append(_APPROACH_VELOCITY * whole / joint.max_velocity)
            if joint.max_acceleration is not None:
                shortest.append(math.sqrt(_PEAK_ACCELERATION * reach / joint.max_acceleration))
                approach.append(math.sqrt(_APPROACH_ACCELERATION * whole / joint.max_acceleration))
        self.move_time = _MARGIN * max(shortest)
        self.approach_time = _MARGIN * max(approach)
        self._low, self._high = low, high
        self._rest = self._target(start, 1.0)
        # The path x(t): where it was before all segments, then what each adds, oldest first.
        self._base = self._rest
        self._begins = np.empty(0)  # of each segment, s
        self._ends = np.empty(0)  # the same as the beginning for a step
        self._adds = np.empty((0, len(joints)))
        self._known_from = -math.inf  # until then an approach is under way
        self._now = -math.inf

    def command(
        self, pose: str, now: float, intensity: float = 1.0, duration: float = 0.0
    ) -> list[TrajectoryPoint]:
        """Return the trajectory from where the joints are at ``now`` to a pose.

        During an approach the move begins when the approach has ended. After the clock went back,
        where the joints are is not known, and the trajectory is an approach.

        Args:
            pose: one of the poses.
            now: s.
            intensity: 0 .. 1, how far from the pose ``start`` to this one.
            duration: s that the move should take; it takes ``move_time`` at least.

        Raises:
            ValueError: ``pose`` is none of the poses, or the intensity is not from 0 to 1.
        """
        target = self._target(pose, intensity)
        if now < self._now:
            return self.approach(pose, now, intensity)
        self._now = now
        start = max(now, self._known_from)
        ramp = max(0.0, duration - self.move_time)
        self._forget_finished(now)
        here = self._cut(start)
        points = []
        times = self._sample_times(ramp)
        if start - now >= times[0]:  # finish the approach first
            points.append(self._point(start - now, self._base, np.zeros_like(target)))
        self._begins = np.append(self._begins, start)
        self._ends = np.append(self._ends, start + ramp)
        self._adds = np.vstack([self._adds, target - here])
        positions, velocities = self._states(start + times)
        positions[-1], velocities[-1] = target, 0.0  # the end, free of rounding
        for time, position, velocity in zip(times.tolist(), positions, velocities, strict=True):
            points.append(self._point(start - now + time, position, velocity))
        return points

    def approach(self, pose: str, now: float, intensity: float = 1.0) -> list[TrajectoryPoint]:
        """Return a slow move to a pose from rest anywhere within the limits: a single point.

        Raises:
            ValueError: ``pose`` is none of the poses, or the intensity is not from 0 to 1.
        """
        self._base = target = self._target(pose, intensity)
        self._now = now
        self._known_from = now + self.approach_time
        self._keep(np.zeros(len(self._begins), dtype=bool))
        return [self._point(self.approach_time, target, np.zeros_like(target))]

    def finished(self, now: float) -> bool:
        """Return whether the joints rest at ``now``; yes too if the clock went back."""
        if now < self._now:
            return True
        return now >= self._known_from and bool(np.all(now - self._ends >= self.move_time))

    def state(self, now: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return positions and velocities at ``now``; during an approach, those at its end."""
        positions, velocities = self._states(np.array([max(now, self._known_from)]))
        return tuple(positions[0].tolist()), tuple(velocities[0].tolist())

    def _target(self, word: str, intensity: float) -> np.ndarray:
        if not 0.0 <= intensity <= 1.0:
            raise ValueError(f"intensity is {intensity!r}: give 0 to 1")
        try:
            pose: np.ndarray = self._poses[word]
        except KeyError:
            raise ValueError(f"no pose {word!r}; poses: {', '.join(self._poses)}") from None
        if intensity == 1.0:
            return pose
        return np.asarray(self._rest + intensity * (pose - self._rest))

    def _sample_times(self, ramp: float) -> np.ndarray:
        """Return the times of the points of a move, s since its beginning, the last its end.

        In the middle of a long move the joints go in a straight line, which needs no points.
        """
        step = self.move_time / SAMPLES
        if ramp <= self.move_time:
            count = math.ceil((ramp + self.move_time) / step - 1e-9)
            return (ramp + self.move_time) / count * np.arange(1, count + 1)
        bend = step * np.arange(1, SAMPLES + 1)
        return np.concatenate([bend, [ramp], ramp + bend] if ramp - bend[-1] > step / 2
                              else [bend, ramp + bend])  # fmt: skip

    def _forget_finished(self, now: float) -> None:
        """Add to the base what the joints have done completely."""
        done = now - self._ends >= self.move_time
        if np.any(done):
            self._base = self._base + self._adds[done].sum(axis=0)
            self._keep(~done)

    def _cut(self, now: float) -> np.ndarray:
        """End the path x(t) at a time and return where it is then."""
        length = self._ends - self._begins
        share = np.ones_like(length)
        np.divide(now - self._begins, length, out=share, where=length > 0)
        share[self._begins >= now] = 0.0
        self._adds = self._adds * np.clip(share, 0.0, 1.0)[:, np.newaxis]
        self._ends = np.minimum(self._ends, now)
        self._keep(share > 0.0)
        target: np.ndarray = self._base + self._adds.sum(axis=0)
        return target

    def _keep(self, segments: np.ndarray) -> None:
        self._begins = self._begins[segments]
        self._ends = self._ends[segments]
        self._adds = self._adds[segments]

    def _states(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and velocities, each of shape (len(times), joints)."""
        whole = self.move_time
        since = (times[:, np.newaxis] - self._begins) / whole
        share, speed = _step(since)[0], _step_speed(since) / whole
        length = (self._ends - self._begins) / whole
        ramps = length > 1e-6  # shorter ones are steps, free of the cancellation below
        if np.any(ramps):
            a, b, long = since[:, ramps], since[:, ramps] - length[ramps], length[ramps]
            (rise, area), (fall, fallen) = _step(a), _step(b)
            share[:, ramps] = (area - fallen) / long
            speed[:, ramps] = (rise - fall) / (long * whole)
        positions = self._base + share @ self._adds
        return np.clip(positions, self._low, self._high), speed @ self._adds  # against rounding

    @staticmethod
    def _point(time: float, positions: np.ndarray, velocities: np.ndarray) -> TrajectoryPoint:
        return TrajectoryPoint(time, tuple(positions.tolist()), tuple(velocities.tolist()))


def _step(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the step response S at times in units of T, and its integral from 0."""
    u = np.clip(time, 0.0, 1.0)
    value = u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
    return value, u**4 * (2.5 - 3.0 * u + u**2) + np.maximum(time - 1.0, 0.0)


def _step_speed(time: np.ndarray) -> np.ndarray:
    """Return S' at times in units of T."""
    u = np.clip(time, 0.0, 1.0)
    speed: np.ndarray = 30.0 * u**2 * (1.0 - u) ** 2
    return speed
