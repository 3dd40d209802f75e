"""No command and nothing a controller makes of it leaves the limits, whatever is commanded when."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from expression_ros.mirroring.joint_motion import SAMPLES, JointMotion
from expression_ros.mirroring.robot_table import Joint, load_robot

HEAD = load_robot("ros2_control_head")


def head_motion() -> JointMotion:
    return JointMotion(HEAD.joints, HEAD.poses, HEAD.neutral)


def at(word: str):
    """Return a pose of the head, but for the little that a limit is kept away from."""
    return pytest.approx(HEAD.poses[word], abs=3e-4)


class Controller:
    """What a joint_trajectory_controller does: cubics between the points, from where it is."""

    def __init__(self, pose):
        self.times = np.array([0.0])
        self.positions = np.array([pose], dtype=float)
        self.velocities = np.zeros_like(self.positions)
        self.began = -math.inf

    def state(self, now: float) -> tuple[np.ndarray, np.ndarray]:
        positions, velocities = self.path(np.array([now - self.began]))
        return positions[0], velocities[0]

    def follow(self, points, now: float) -> None:
        position, velocity = self.state(now)
        self.began = now
        self.times = np.array([0.0] + [point.time for point in points])
        self.positions = np.array([tuple(position), *(point.positions for point in points)])
        self.velocities = np.array([tuple(velocity), *(point.velocities for point in points)])

    def path(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and velocities at seconds since the last command."""
        if len(self.times) == 1:
            rest = np.zeros((len(times), self.positions.shape[1]))
            return rest + self.positions, rest
        times = np.clip(times, 0.0, self.times[-1])
        k = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, len(self.times) - 2)
        h = (self.times[k + 1] - self.times[k])[:, np.newaxis]
        u = (times - self.times[k])[:, np.newaxis] / h
        p, q = self.positions[k], self.positions[k + 1]
        v, w = self.velocities[k] * h, self.velocities[k + 1] * h
        positions = p + v * u * (1 - u) ** 2 + w * u**2 * (u - 1) + (q - p) * u**2 * (3 - 2 * u)
        slopes = v * (1 - u) * (1 - 3 * u) + w * u * (3 * u - 2) + (q - p) * 6 * u * (1 - u)
        return positions, slopes / h

    def whole_path(self, until: float) -> tuple[np.ndarray, np.ndarray]:
        return self.path(np.linspace(0.0, max(0.0, until), 40))


def random_robot(draw: random.Random):
    """Return joints and poses, the poses often exactly on a limit."""
    joints: list[Joint] = []
    poses: dict[str, list[float]] = {str(number): [] for number in range(draw.randint(2, 5))}
    for number in range(draw.randint(1, 4)):
        low = draw.uniform(-2, 1)
        high = low + draw.choice([0.01, 0.5, 2.0])
        acceleration = draw.choice([None, draw.uniform(1, 50)])
        joints.append(Joint(f"j{number}", low, high, draw.uniform(0.2, 8), acceleration))
        for pose in poses.values():
            pose.append(draw.choice([low, high, draw.uniform(low, high)]))
    return joints, poses


def test_ten_thousand_random_sequences_keep_every_limit():
    draw = random.Random(20240607)
    worst = 0.0
    for _ in range(10_000):
        joints, poses = random_robot(draw)
        words = list(poses)
        low = np.array([joint.minimum for joint in joints])
        high = np.array([joint.maximum for joint in joints])
        fastest = np.array([joint.max_velocity for joint in joints])
        motion = JointMotion(joints, poses, words[0])
        controller = Controller(motion.state(0.0)[0])
        now = draw.choice([0.0, 1.7e9])
        haste = draw.choice([0.02, 0.2, 0.6, 1.5]) * motion.move_time
        for _ in range(draw.randint(1, 8)):
            intensity = draw.choice([1.0, 0.0, draw.random()])
            longer = draw.choice([0.0, draw.uniform(0, 4)]) * motion.move_time
            points = motion.command(draw.choice(words), now, intensity, longer)
            controller.follow(points, now)
            pause = draw.choice([0.0, draw.uniform(0, haste), haste])
            for positions, velocities in (
                (np.array([p.positions for p in points]), np.array([p.velocities for p in points])),
                controller.whole_path(pause),
            ):
                assert np.all((positions >= low) & (positions <= high))
                worst = max(worst, float(np.max(np.abs(velocities) / fastest)))
            now += pause
        positions, velocities = controller.whole_path(5 * motion.move_time)
        assert np.all((positions >= low) & (positions <= high))
        worst = max(worst, float(np.max(np.abs(velocities) / fastest)))
    assert worst <= 1.0
    assert worst > 0.9  # the limits are made use of


def test_command_just_before_the_end_in_a_limit_does_not_cross_it():
    joint = Joint("j", -1.0, 1.0, 3.0)
    for early in np.linspace(0.0, 0.3, 200):
        motion = JointMotion([joint], {"low": [-1.0], "high": [1.0]}, "low")
        controller = Controller(motion.state(0.0)[0])
        controller.follow(motion.command("high", 0.0), 0.0)
        now = (1 - early) * motion.move_time
        controller.follow(motion.command("low", now), now)
        positions, velocities = controller.path(np.linspace(0.0, motion.move_time, 1000))
        assert np.max(positions) <= 1.0
        assert np.max(np.abs(velocities)) <= 3.0


def test_commanded_path_keeps_the_acceleration_limit():
    draw = random.Random(5)
    for _ in range(100):
        joints, poses = random_robot(draw)
        motion = JointMotion(joints, poses, "0")
        now, step = 0.0, motion.move_time / 60
        velocities = []
        for _ in range(4):
            longer = draw.choice([0.0, draw.uniform(0, 4)]) * motion.move_time
            motion.command(draw.choice(list(poses)), now, draw.random(), longer)
            end = now + draw.uniform(0.05, 1.2) * motion.move_time
            while now < end:
                velocities.append(motion.state(now)[1])
                now += step
        accelerations = np.abs(np.diff(velocities, axis=0)) / step
        for joint, peak in zip(joints, accelerations.max(axis=0), strict=True):
            assert joint.max_acceleration is None or peak <= joint.max_acceleration


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.77, 0.99])
def test_command_in_the_middle_of_a_move_starts_where_the_head_is(share):
    motion = head_motion()
    controller = Controller(HEAD.poses["neutral"])
    controller.follow(motion.command("surprised", 5.0), 5.0)
    now = 5.0 + share * motion.move_time
    before = motion.state(now)
    points = motion.command("sad", now)
    assert np.allclose(motion.state(now), before, atol=1e-12)
    position, velocity = controller.state(now)  # the controller is where the model believes it is
    assert np.allclose(position, before[0], atol=1e-3)
    assert np.allclose(velocity, before[1], atol=0.03)
    reachable = points[0].time * np.array([joint.max_velocity for joint in HEAD.joints])
    assert np.all(np.abs(np.array(points[0].positions) - position) <= reachable)


@pytest.mark.parametrize("pair", list(itertools.permutations(HEAD.poses, 2)))
def test_move_ends_exactly_in_the_pose_and_at_rest(pair):
    motion = JointMotion(HEAD.joints, HEAD.poses, pair[0])
    points = motion.command(pair[1], 0.0)
    assert len(points) == SAMPLES
    assert points[-1].positions == at(pair[1])
    assert set(points[-1].velocities) == {0.0}
    assert points[-1].time == pytest.approx(motion.move_time)
    assert all(a.time < b.time for a, b in itertools.pairwise(points))


def test_head_answers_within_half_a_second():
    assert head_motion().move_time <= 0.5


def test_finished_only_at_rest():
    motion = head_motion()
    assert motion.finished(0.0)
    motion.command("smile", 1.0)
    assert not motion.finished(1.0 + 0.9 * motion.move_time)
    assert motion.finished(1.001 + motion.move_time)


def test_approach_is_slow_enough_from_any_corner_of_the_limits():
    (point,) = head_motion().approach("smile", 0.0)
    assert point.positions == at("smile")
    for corner in itertools.product(*[(j.minimum, j.maximum) for j in HEAD.joints]):
        controller = Controller(corner)
        controller.follow([point], 0.0)
        positions, velocities = controller.whole_path(point.time)
        for number, joint in enumerate(HEAD.joints):
            assert np.all(np.abs(velocities[:, number]) <= joint.max_velocity)
            assert np.all(positions[:, number] <= joint.maximum + 1e-9)
            assert np.all(positions[:, number] >= joint.minimum - 1e-9)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99, 0.9999])
def test_command_during_an_approach_waits_for_its_end(share):
    motion = head_motion()
    controller = Controller([joint.minimum for joint in HEAD.joints])
    controller.follow(motion.approach("neutral", 0.0), 0.0)
    now = share * motion.approach_time
    for pose in ("sad", "smile"):  # the newest counts
        controller.follow(motion.command(pose, now), now)
        _, velocities = controller.whole_path(3.0)
        assert np.all(np.abs(velocities) <= [joint.max_velocity for joint in HEAD.joints])
    assert controller.state(now + 3.0)[0].tolist() == at("smile")
    assert motion.finished(motion.approach_time + motion.move_time + 0.1)


def test_clock_that_goes_back_leads_to_an_approach():
    motion = head_motion()
    motion.command("smile", 100.0)
    assert motion.finished(1.0)
    (point,) = motion.command("sad", 1.0)
    assert point.time == motion.approach_time
    assert motion.command("smile", 10.0)[-1].positions == at("smile")


def test_thousands_of_commands_at_once_end_in_the_last_pose():
    motion = head_motion()
    words = list(HEAD.poses)
    for number in range(3000):
        points = motion.command(words[number % len(words)], number * 1e-3)
    assert points[-1].positions == at(words[2999 % len(words)])
    assert motion.state(9.0)[0] == pytest.approx(points[-1].positions)


def test_joint_that_never_moves_does_not_slow_the_others():
    joints = [Joint("still", 0.0, 1.0, 1e-6), Joint("moving", 0.0, 1.0, 10.0)]
    motion = JointMotion(joints, {"a": (0.5, 0.0), "b": (0.5, 1.0)}, "a")
    assert motion.move_time < 0.25


@pytest.mark.parametrize("duration", [0.0, 0.3, 0.5, 0.8, 0.85, 2.0, 10.0])
def test_move_takes_as_long_as_asked_but_never_less_than_it_needs(duration):
    motion = head_motion()
    points = motion.command("surprised", 1.0, duration=duration)
    assert points[-1].time == pytest.approx(max(motion.move_time, duration))
    assert points[-1].positions == at("surprised")
    assert all(a.time < b.time for a, b in itertools.pairwise(points))
    assert len(points) <= 2 * SAMPLES + 1
    assert not motion.finished(1.0 + 0.99 * points[-1].time)
    assert motion.finished(1.001 + points[-1].time)


def test_long_move_is_steady_and_slower():
    motion = head_motion()
    controller = Controller(HEAD.poses["neutral"])
    controller.follow(motion.command("surprised", 0.0, duration=4.0), 0.0)
    positions, velocities = controller.whole_path(4.0)
    jaw = [joint.name for joint in HEAD.joints].index("jaw")
    assert np.all(np.diff(positions[:, jaw]) >= -1e-9)
    assert np.max(velocities[:, jaw]) == pytest.approx(0.45 / (4.0 - motion.move_time), rel=0.02)
    for now in np.linspace(0.0, 4.0, 9):  # the controller is where the model believes it is
        assert np.allclose(controller.state(now)[0], motion.state(now)[0], atol=1e-3)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_command_in_the_middle_of_a_long_move_starts_where_the_head_is(share):
    motion = head_motion()
    motion.command("surprised", 5.0, duration=2.0)
    now = 5.0 + 2.0 * share
    before = motion.state(now)
    points = motion.command("sad", now, intensity=0.6, duration=1.0)
    assert np.allclose(motion.state(now), before, atol=1e-9)
    just_after = motion.state(now + 1e-6)
    assert np.allclose(just_after, before, atol=1e-3)  # neither position nor velocity jumps
    assert points[-1].time == pytest.approx(1.0)
    assert motion.state(now + 3.0)[0] == pytest.approx(points[-1].positions)


@pytest.mark.parametrize("intensity", [0.0, 0.3, 1.0])
def test_intensity_is_the_share_of_the_way_from_neutral(intensity):
    points = head_motion().command("smile", 0.0, intensity)
    for position, rest, full in zip(
        points[-1].positions, HEAD.poses["neutral"], HEAD.poses["smile"], strict=True
    ):
        assert position == pytest.approx(rest + intensity * (full - rest), abs=3e-4)


@pytest.mark.parametrize("intensity", [-0.1, 1.1, math.nan])
def test_wrong_intensity_is_refused(intensity):
    with pytest.raises(ValueError, match=r"intensity is .*: give 0 to 1"):
        head_motion().command("smile", 0.0, intensity)


def test_wrong_poses_are_refused():
    with pytest.raises(ValueError, match="outside the limits"):
        JointMotion([Joint("j", 0.0, 1.0, 1.0)], {"a": (1.5,)}, "a")
    with pytest.raises(ValueError, match=r"no pose 'grin'; poses: neutral, angry"):
        head_motion().command("grin", 0.0)
