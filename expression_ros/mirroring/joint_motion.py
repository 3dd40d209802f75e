"""From pose to pose within the position, velocity and acceleration limits of the joints.

Part of ``expression_ros.mirroring``: imports no ROS, and numpy only. Time is always an argument.

Every change of the pose is a minimum-jerk step S(u) = 10 u^3 - 15 u^4 + 6 u^5 (Flash and Hogan,
1985) of one fixed duration T, and a change in the middle of another is added to it: the path is the
sequence of poses seen through a linear filter whose impulse response is S'. From this follows, for
any sequence of poses at any times:

* S' is never negative, so every position is a weighted mean of poses and stays within their range.
* Velocity is at most max S' = 15/8 times the widest swing R of a joint between two poses, over T.
* Acceleration is at most half the total variation of S', S'' that is 20/sqrt(3) * R / T^2.
* Position, velocity and acceleration never jump, whatever arrives in the middle of a move.

T is chosen once so that the slowest joint keeps its limits, hence nothing needs checking later.
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
        start: the pose in which the joints are at first.

    Attributes:
        move_time: s that a move from rest takes.
        approach_time: s that an approach takes.

    Raises:
        ValueError: a pose is outside the limits, or ``start`` is no pose.
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
        # The path: poses and the times at which the step towards each began, oldest first.
        self._targets = self._pose(start)[np.newaxis, :]
        self._times = np.array([-math.inf])
        self._known_from = -math.inf  # until then an approach is under way
        self._now = -math.inf

    def command(self, pose: str, now: float) -> list[TrajectoryPoint]:
        """Return the trajectory from where the joints are at ``now`` to a pose.

        During an approach the move begins when the approach has ended. After the clock went back,
        where the joints are is not known, and the trajectory is an approach.

        Raises:
            ValueError: ``pose`` is none of the poses.
        """
        target = self._pose(pose)
        if now < self._now:
            return self.approach(pose, now)
        self._now = now
        self._forget_finished(now)
        step = self.move_time / SAMPLES
        points = []
        start = max(now, self._known_from)
        if start - now >= step:  # finish the approach first
            points.append(self._point(start - now, self._targets[0], np.zeros_like(target)))
        self._times = np.append(self._times, start)
        self._targets = np.vstack([self._targets, target])
        positions, velocities = self._states(start + step * np.arange(1, SAMPLES + 1))
        positions[-1], velocities[-1] = target, 0.0  # the end, free of rounding
        for number, (position, velocity) in enumerate(zip(positions, velocities, strict=True), 1):
            points.append(self._point(start - now + step * number, position, velocity))
        return points

    def approach(self, pose: str, now: float) -> list[TrajectoryPoint]:
        """Return a slow move to a pose from rest anywhere within the limits: a single point.

        Raises:
            ValueError: ``pose`` is none of the poses.
        """
        target = self._pose(pose)
        self._now = now
        self._known_from = now + self.approach_time
        self._targets = target[np.newaxis, :]
        self._times = np.array([-math.inf])
        return [self._point(self.approach_time, target, np.zeros_like(target))]

    def finished(self, now: float) -> bool:
        """Return whether the joints rest at ``now``; yes too if the clock went back."""
        if now < self._now:
            return True
        return now >= self._known_from and bool(np.all(now - self._times >= self.move_time))

    def state(self, now: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return positions and velocities at ``now``; during an approach, those at its end."""
        positions, velocities = self._states(np.array([max(now, self._known_from)]))
        return tuple(positions[0].tolist()), tuple(velocities[0].tolist())

    def _pose(self, word: str) -> np.ndarray:
        try:
            return self._poses[word]
        except KeyError:
            raise ValueError(f"no pose {word!r}; poses: {', '.join(self._poses)}") from None

    def _forget_finished(self, now: float) -> None:
        """Keep the newest target that has been reached, and those after it."""
        reached = int(np.count_nonzero(now - self._times >= self.move_time))
        self._targets = self._targets[reached - 1 :]
        self._times = self._times[reached - 1 :]
        self._times[0] = -math.inf

    def _states(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and velocities, each of shape (len(times), joints)."""
        u = np.clip((times[:, np.newaxis] - self._times) / self.move_time, 0.0, 1.0)
        share = u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
        speed = 30.0 * u**2 * (1.0 - u) ** 2 / self.move_time
        # A target weighs what its own step has gained and the step after it has not yet taken.
        after = np.zeros((len(times), 1))
        weights = share - np.hstack([share[:, 1:], after])
        rates = speed - np.hstack([speed[:, 1:], after])
        positions = np.clip(weights @ self._targets, self._low, self._high)  # against rounding only
        return positions, rates @ self._targets

    @staticmethod
    def _point(time: float, positions: np.ndarray, velocities: np.ndarray) -> TrajectoryPoint:
        return TrajectoryPoint(time, tuple(positions.tolist()), tuple(velocities.tolist()))
