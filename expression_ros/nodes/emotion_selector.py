"""The selector: of several recognizers, passes on the one that is surest of a face."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Float32MultiArray, String

from expression_ros.mirroring.source_choice import SourceChoice, source_names
from expression_ros.nodes.common.clock_watch import steady_clock
from expression_ros.nodes.common.diagnostics import OK, WARN, publish_statuses, status
from expression_ros.nodes.common.parameters import NodeParameters, ParameterError
from expression_ros.nodes.common.published import scores_of
from expression_ros.nodes.common.publishing import publish
from expression_ros.nodes.common.running import run_node
from expression_ros.parameters.nodes import EMOTION_SELECTOR_PARAMETERS

LABEL_TOPIC = "face_emotion"
SCORES_TOPIC = f"{LABEL_TOPIC}/scores"

_TICK_S = 0.05  # how late a silence may be noticed
_REPORT_S = 1.0


class EmotionSelector(Node):
    """Subscribes NAME/face_emotion of every source and publishes the chosen one's messages.

    Args:
        kwargs: passed to ``rclpy.node.Node`` (context, namespace, parameter_overrides).

    Raises:
        ParameterError: a parameter was given a value that cannot be used; says which and why.
    """

    def __init__(self, **kwargs: Any):
        super().__init__("emotion_selector", **kwargs)
        try:
            self._set_up()
        except Exception:
            self.destroy_node()
            raise

    def _set_up(self) -> None:
        self._values = NodeParameters(self, EMOTION_SELECTOR_PARAMETERS)
        try:
            self._names = source_names(self._values["sources"])
        except ValueError as error:
            raise ParameterError(f"sources: {error}") from None
        self._values.lock_fixed(True)
        self._choice = SourceChoice(self._names)
        self._scores: dict[str, Float32MultiArray] = {}  # that came since the source's last label
        self._answered: str | None = None
        self._passed_on = 0
        self._bad_scores = 0
        self._label_out = self.create_publisher(String, LABEL_TOPIC, 10)
        self._scores_out = self.create_publisher(Float32MultiArray, SCORES_TOPIC, 10)
        self._report = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        for name in self._names:  # scores first: they are sent before the label they belong to
            self.create_subscription(
                Float32MultiArray,
                f"{name}/{SCORES_TOPIC}",
                partial(self._take_scores, name),
                QoSProfile(depth=10),
            )
            self.create_subscription(
                String,
                f"{name}/{LABEL_TOPIC}",
                partial(self._take_label, name),
                QoSProfile(depth=10),
            )
        # Real time: whether a camera is silent has nothing to do with a simulated clock.
        self._steady = steady_clock()
        self.create_timer(_TICK_S, self._update, clock=self._steady)
        self.create_timer(_REPORT_S, self._publish_report, clock=self._steady)
        self.get_logger().info(
            f"picks among {', '.join(self._names)} for {self.resolve_topic_name(LABEL_TOPIC)}"
        )

    def _now(self) -> float:
        return self._steady.now().nanoseconds * 1e-9

    def _take_scores(self, name: str, message: Float32MultiArray) -> None:
        try:
            scores = scores_of(message)
        except ValueError as error:
            if self._bad_scores == 0:
                topic = self.resolve_topic_name(f"{name}/{SCORES_TOPIC}")
                self.get_logger().warning(f"{topic}: {error}; such scores are not passed on")
            self._bad_scores += 1
            return
        self._scores[name] = message
        self._choice.scores_received(name, scores, self._now())

    def _take_label(self, name: str, message: String) -> None:
        self._choice.label_received(name, message.data, self._now())
        self._update()
        scores = self._scores.pop(name, None)
        if self._choice.chosen != name:
            return
        if scores is not None:
            publish(self, self._scores_out, scores)
        self._passed_on += publish(self, self._label_out, message)

    def _update(self) -> None:
        self._choice.switch_margin = self._values["switch_margin"]
        self._choice.source_timeout = self._values["source_timeout"]
        chosen = self._choice.choose(self._now())
        if chosen is not None and chosen != self._answered:
            self._answered = chosen
            self.get_logger().info(f"answering {chosen}")

    # Once a second

    def _publish_report(self) -> None:
        now = self._now()
        choice = self._choice
        chosen = choice.choose(now)
        values = {
            "chosen": chosen or "none",
            "labels passed on": self._passed_on,
            "switches": choice.switches,
            "scores that could not be read": self._bad_scores,
        }
        missing = []
        for name in self._names:
            topic = self.resolve_topic_name(f"{name}/{LABEL_TOPIC}")
            score = choice.score(name, now)
            values[f"{name}: label"] = choice.label(name, now)
            values[f"{name}: score"] = "" if score is None else f"{score:.2f}"
            if not self.count_publishers(topic):
                missing.append(topic)
        level, text = OK, f"answering {chosen}" if chosen else "no camera has a face"
        if missing:
            level = WARN
            text += (
                f"; no publisher on {', '.join(missing)}: start a recognizer there, or correct "
                "the parameter sources"
            )
        told = status(self, "source", level, text, values, hardware_id=", ".join(self._names))
        publish_statuses(self, self._report, [told])


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; return the exit code of run_node."""
    return run_node(EmotionSelector, args)


if __name__ == "__main__":
    sys.exit(main())
