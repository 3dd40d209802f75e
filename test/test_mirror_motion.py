"""Labels in, trajectories out: whatever arrives, no joint is told to leave its limits."""

from __future__ import annotations

import itertools
import random

import numpy as np

from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.mirroring.joint_motion import JointMotion
from expression_ros.mirroring.robot_table import ANSWERS, Joint, Output, Robot, load_robot
from expression_ros.mirroring.styles import Style, available_styles, load_style
from expression_ros.vocabulary import EMOTIONS

LABELS = (*EMOTIONS, "unknown", "nonsense", "")


def random_robot(draw: random.Random) -> Robot:
    """Return a robot of two controllers, its poses often exactly on a limit."""
    joints = []
    for number in range(draw.randint(2, 6)):
        low = draw.uniform(-2, 1)
        high = low + draw.choice([0.02, 0.5, 2.0])
        acceleration = draw.choice([None, draw.uniform(1, 50)])
        joints.append(Joint(f"j{number}", low, high, draw.uniform(0.2, 8), acceleration))
    words = {answer: draw.choice([answer, "same"]) for answer in ANSWERS}
    poses = {
        word: tuple(
            draw.choice([j.minimum, j.maximum, draw.uniform(j.minimum, j.maximum)]) for j in joints
        )
        for word in words.values()
    }
    names = [joint.name for joint in joints]
    split = draw.randint(1, len(names) - 1)
    outputs = tuple(
        Output("joint_trajectory", f"c{k}", joints=tuple(part))
        for k, part in enumerate([names[:split], names[split:]])
    )
    return Robot("random", "", words, outputs, tuple(joints), poses)


def random_style(draw: random.Random) -> Style:
    if draw.random() < 0.5:
        return load_style(draw.choice(available_styles()))
    return Style("random", "", {emotion: draw.choice(ANSWERS) for emotion in EMOTIONS})


def random_behaviour(draw: random.Random, robot: Robot) -> MirrorBehaviour:
    return MirrorBehaviour(
        robot,
        draw.choice([0.0, 0.05, 0.4]),
        draw.uniform(0.1, 2.0),
        cooldown=draw.choice([0.0, 0.5, 5.0]),
        attack=draw.choice([0.0, 0.3, 2.0]),
        release=draw.choice([0.0, 0.8, 3.0]),
        full_score=draw.choice([0.0, 0.5, 1.0]),
        style=random_style(draw),
    )


def one_frame(draw: random.Random, behaviour: MirrorBehaviour, now: float):
    """Let one thing happen to the mirror, as any publisher or person could make it happen."""
    what = draw.random()
    if what < 0.5:
        label = draw.choice(LABELS)
        scores = {draw.choice(LABELS): draw.choice([draw.uniform(-1, 2), float("nan")])}
        if label in EMOTIONS:
            scores[label] = draw.random()
        behaviour.scores_received(scores, now)
        behaviour.label_received(label, now)
    elif what < 0.52:
        behaviour.disable()
    elif what < 0.6:
        behaviour.enable()
    elif what < 0.62:
        behaviour.set_style(random_style(draw))
    return behaviour.tick(now)


def test_no_sequence_of_labels_makes_a_command_leave_the_limits():
    draw = random.Random(20261121)
    commands = 0
    fastest = 0.0
    for number in range(500):
        robot = load_robot("ros2_control_head") if number % 5 == 0 else random_robot(draw)
        behaviour = random_behaviour(draw, robot)
        motions = {
            output: JointMotion(robot.joints_of(output), robot.poses_of(output), robot.neutral)
            for output in robot.outputs
        }
        now = draw.choice([0.0, 1.7e9])
        for _ in range(draw.randint(5, 60)):
            now += draw.choice([0.0, 0.02, 0.1, 0.7])
            if draw.random() < 0.01:
                now -= 50.0  # a simulation starts again
            command = one_frame(draw, behaviour, now)
            if command is None:
                continue
            for output, motion in motions.items():
                joints = robot.joints_of(output)
                points = motion.command(
                    command.expression, now, command.intensity, command.duration
                )
                commands += 1
                times = [0.0, *(point.time for point in points)]
                assert all(a < b for a, b in itertools.pairwise(times))
                low = np.array([joint.minimum for joint in joints])
                high = np.array([joint.maximum for joint in joints])
                limit = np.array([joint.max_velocity for joint in joints])
                positions = np.array([point.positions for point in points])
                velocities = np.array([point.velocities for point in points])
                assert np.all((positions >= low) & (positions <= high))
                assert np.all(np.abs(velocities) <= limit)
                assert not np.any(velocities[-1])
                steps = np.abs(np.diff(positions, axis=0)) / np.diff(times[1:])[:, np.newaxis]
                assert np.all(steps <= limit)  # nor between the points
                fastest = max(fastest, float(np.max(np.abs(velocities) / limit)))
    assert commands > 5000
    assert fastest > 0.9  # the limits are made use of


def test_every_sequence_ends_neutral_when_nobody_is_there():
    draw = random.Random(8)
    for _ in range(300):
        robot = random_robot(draw)
        behaviour = random_behaviour(draw, robot)
        now = 0.0
        for _ in range(40):
            now += draw.choice([0.02, 0.3])
            one_frame(draw, behaviour, now)
        for _ in range(100):
            now += 0.1
            behaviour.tick(now)
        assert behaviour.expression == robot.neutral  # whatever the style says
