"""What the mirror tells about itself on /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from expression_ros.mirroring.behaviour import Command, MirrorBehaviour
from expression_ros.mirroring.robot_table import Robot
from expression_ros.nodes.common.clock_watch import ClockWatch
from expression_ros.nodes.common.diagnostics import (
    OK,
    WARN,
    level_above,
    publish_statuses,
    status,
    summary,
)
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.mirror.outputs_base import RobotOutput, other_types


class MirrorReport:
    """Judges, once a second, whether labels come and whether the robot gets its expressions.

    Durations are of real time: a simulated clock may stand still.

    Args:
        node: the mirror.
        limits: its parameters, with the thresholds.
        label_topic: full name of the topic of the labels.
    """

    def __init__(self, node: Node, limits: NodeParameters, label_topic: str):
        self._node = node
        self._limits = limits
        self._labels = label_topic
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._clock = ClockWatch(node)
        self._command: Command | None = None
        self._commanded_at = 0.0
        self._unknown_word = ""  # the last new one, as a sentence
        self._unknown_count = 0
        self._unknown_at = -float("inf")
        self._publisher_seen = time.monotonic()
        self._problem_since: dict[str, float] = {}  # by the topic or service of the output

    def commanded(self, command: Command) -> None:
        """Take note of what the robot was told."""
        self._command, self._commanded_at = command, time.monotonic()

    def unknown_word(self, sentence: str) -> None:
        """Take note of a label that is not an emotion, for the report to show."""
        self._unknown_word = sentence

    def publish(
        self,
        robot: Robot,
        behaviour: MirrorBehaviour,
        expression: RobotOutput,
        outputs: Sequence[RobotOutput],
        bad_scores: int,
    ) -> None:
        """Publish the report.

        Args:
            robot, behaviour: those of the moment.
            expression: the output that every robot has.
            outputs: the others, of the robot's table.
            bad_scores: how many messages of scores could not be read.
        """
        now = time.monotonic()
        publishers = sum(
            info.topic_type == "std_msgs/msg/String"
            for info in self._node.get_publishers_info_by_topic(self._labels)
        )
        if publishers:
            self._publisher_seen = now
        troubled = [(output.topic, text) for output in outputs if (text := output.problem)]
        self._problem_since = {topic: self._problem_since.get(topic, now) for topic, _ in troubled}
        fine = (
            f"{robot.name} shows {behaviour.expression}"
            if behaviour.enabled
            else f"switched off; {robot.name} is left alone"
        )
        level, text = summary(self._findings(behaviour, troubled, now), fine)
        values = {
            "robot": robot.name,
            "style": behaviour.style.name,
            "enabled": "yes" if behaviour.enabled else "no",
            "expression": behaviour.expression,
            "emotion": behaviour.emotion,
            "intensity": f"{behaviour.intensity:.2f}",
            "last command": self._last_command(now),
            "outputs ready": f"{len(outputs) - len(troubled)} of {len(outputs)}",
            "labels received": behaviour.labels_received,
            "labels that say unknown": behaviour.unknown_labels,
            "unknown words": sum(behaviour.unknown_words.values()),
            "scores that could not be read": behaviour.bad_scores + bad_scores,
            f"publishers on {self._labels}": publishers,
            "clock": self._clock.value,
        }
        for output in (expression, *outputs):
            values.update(output.report)
        told = status(self._node, "expressions", level, text, values, hardware_id=robot.name)
        publish_statuses(self._node, self._publisher, [told])

    def _findings(
        self, behaviour: MirrorBehaviour, troubled: Sequence[tuple[str, str]], now: float
    ) -> list[tuple[bytes, str]]:
        limits = self._limits
        unknown_count = sum(behaviour.unknown_words.values())
        if unknown_count > self._unknown_count:
            self._unknown_count, self._unknown_at = unknown_count, now
        recent = now - self._unknown_at < limits["unknown_word_warn"]
        others = other_types(
            self._node.get_publishers_info_by_topic(self._labels), "std_msgs/msg/String"
        )
        alone = now - self._publisher_seen if behaviour.enabled else 0.0
        findings = [
            self._clock.look(),
            (WARN if recent else OK, self._unknown_word),
            (
                level_above(alone, limits["publisher_gone_warn"], limits["publisher_gone_error"]),
                f"nobody has published {self._labels} for {alone:.0f} s: start the recognizer, or "
                "remap the topic",
            ),
            (
                WARN if others and behaviour.enabled else OK,
                f"{others} on {self._labels}, whose labels are of std_msgs/msg/String: remap one "
                f"of them, as in --ros-args -r {self._labels}:={self._labels}_2",
            ),
        ]
        # At a problem's first report its age is 0, which is to be above a threshold of 0.
        for topic, problem in troubled:
            age = now - self._problem_since[topic] + 1e-6
            level = level_above(age, limits["output_problem_warn"], limits["output_problem_error"])
            findings.append((level, problem))
        return findings

    def _last_command(self, now: float) -> str:
        if self._command is None:
            return "none"
        return (
            f"{self._command.expression} at {self._command.intensity:.2f}, "
            f"{now - self._commanded_at:.0f} s ago"
        )
