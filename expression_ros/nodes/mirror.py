"""The mirror node: answers the labels on face_emotion with a robot's own expressions."""

from __future__ import annotations

import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_msgs.msg import String
from std_srvs.srv import SetBool

from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.mirroring.robot_table import EXPRESSION_TOPIC, Output, Robot, load_robot
from expression_ros.nodes.diagnostics import OK, WARN, publish_statuses, status
from expression_ros.nodes.mirror_parameters import MIRROR_PARAMETERS
from expression_ros.nodes.parameters import NodeParameters
from expression_ros.nodes.robot_outputs import (
    LabelOutput,
    OutputError,
    RobotOutput,
    make_output,
    message_type,
)
from expression_ros.nodes.running import run_node
from expression_ros.vocabulary import EMOTIONS, UNKNOWN

LABEL_TOPIC = "face_emotion"

_TICK_S = 0.02  # how late a held expression or a changed parameter may take effect
_REPORT_S = 1.0
_WARN_REPORTS = 10  # how often diagnostics warn of an unknown word, so that a person can see it
_EXPRESSION = Output("label", EXPRESSION_TOPIC)


class Mirror(Node):
    """Subscribes emotion labels and drives the outputs of one robot's table.

    Args:
        kwargs: passed to ``rclpy.node.Node`` (context, namespace, parameter_overrides).

    Raises:
        RobotTableError: the robot does not exist or its table is wrong.
        ParameterError: another parameter was given a value that cannot be used.
        OutputError: the messages of one of the robot's outputs are not installed.
    """

    def __init__(self, **kwargs: Any):
        super().__init__("mirror", **kwargs)
        self._closed = False
        self._outputs: list[RobotOutput] = []
        try:
            self._set_up()
        except Exception:
            self.destroy_node()
            raise

    def _set_up(self) -> None:
        self._values = NodeParameters(self, MIRROR_PARAMETERS)
        name = self._values["robot"]
        self._tables: dict[str, Robot] = {name: load_robot(name)}
        self._robot = self._tables[name]
        self._behaviour = MirrorBehaviour(
            self._robot, self._values["min_hold"], self._values["neutral_after"]
        )
        self._unknown_word = ""  # the last new one, as a sentence
        self._unknown_count = 0
        self._warn_reports = 0
        self._report = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._expression = LabelOutput(self, _EXPRESSION, self._robot)
        self._outputs = self._make_outputs(self._robot)
        if not self._values["enabled"]:
            self._behaviour.disable()
        self._show(self._behaviour.expression)
        self.add_on_set_parameters_callback(self._check_robot)
        self.create_service(SetBool, "~/enable", self._enable)
        self.create_subscription(String, LABEL_TOPIC, self._take_label, QoSProfile(depth=10))
        # Timers of real time: a simulated clock may stand still or go back, and neither may keep
        # the node from hearing its parameters. What is timed is timed by the node's clock.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._own_timers = [
            self.create_timer(_TICK_S, self._update, clock=steady),
            self.create_timer(_REPORT_S, self._publish_report, clock=steady),
        ]
        self.get_logger().info(
            f"robot {self._robot.name} answers {self.resolve_topic_name(LABEL_TOPIC)}"
        )

    def close(self) -> None:
        """Leave the robot neutral and stop answering. May be called again."""
        if self._closed or not self.context.ok():
            return
        self._closed = True
        for timer in self._own_timers:
            timer.cancel()
        if self._behaviour.enabled:  # otherwise it is neutral, or somebody else's
            self._leave()

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    # Labels in, expressions out

    def _take_label(self, message: String) -> None:
        if self._closed:
            return
        self._update()
        new_word = self._behaviour.label_received(message.data, self._now())
        if new_word is not None:
            self._unknown_word = (
                f"unknown label {new_word!r} on {self.resolve_topic_name(LABEL_TOPIC)}; "
                f"known labels: {', '.join((*EMOTIONS, UNKNOWN))}"
            )
            self.get_logger().warning(self._unknown_word)
        self._update()

    def _update(self) -> None:
        if self._closed:
            return
        self._apply_parameters()
        now = self._now()
        expression = self._behaviour.tick(now)
        if expression is not None:
            self._show(expression)
        if self._behaviour.enabled:
            for output in self._outputs:
                output.update(now)

    def _show(self, expression: str) -> None:
        """Show an expression on every output, unless the robot is to be left alone."""
        if not self._behaviour.enabled:
            return
        for output in (self._expression, *self._outputs):
            output.show(expression, self._now())

    def _leave(self) -> None:
        """Leave the robot neutral."""
        for output in (self._expression, *self._outputs):
            output.leave(self._robot.neutral, self._now())

    # Parameters and the service

    def _check_robot(self, parameters: list[Parameter]) -> SetParametersResult:
        """Refuse a robot that cannot be loaded; keep the table of one that can until it is used."""
        for parameter in parameters:
            if parameter.name == "robot":
                name = str(parameter.value)
                try:
                    robot = load_robot(name)
                    for output in robot.outputs:
                        message_type(output.type)
                except ValueError as error:
                    return SetParametersResult(successful=False, reason=str(error))
                self._tables[name] = robot
        return SetParametersResult(successful=True)

    def _apply_parameters(self) -> None:
        """Follow the parameters: Humble has no callback for after they were set."""
        self._behaviour.min_hold = self._values["min_hold"]
        self._behaviour.neutral_after = self._values["neutral_after"]
        robot = self._tables[self._values["robot"]]
        if robot != self._robot:
            self._switch_robot(robot)
        if self._values["enabled"] != self._behaviour.enabled:
            self._switch(self._values["enabled"])

    def _switch_robot(self, robot: Robot) -> None:
        old_robot, old_outputs = self._robot, self._outputs
        self._robot = robot
        try:
            outputs = self._make_outputs(robot)
        except OutputError as error:
            self.get_logger().error(f"{error}; {old_robot.name} stays")
            self._tables[self._values["robot"]] = self._robot = old_robot
            return
        for output in old_outputs:
            if self._behaviour.enabled:
                output.leave(old_robot.neutral, self._now())
            output.destroy()
        self._outputs = outputs
        self._tables = {self._values["robot"]: robot}
        self._behaviour.set_robot(robot)
        self._show(self._behaviour.expression)
        self.get_logger().info(f"robot {robot.name} from now on")

    def _make_outputs(self, robot: Robot) -> list[RobotOutput]:
        outputs: list[RobotOutput] = []
        try:
            for output in robot.outputs:
                if output != _EXPRESSION:  # which the mirror publishes for every robot
                    outputs.append(make_output(self, output, robot))
        except OutputError:
            for made in outputs:
                made.destroy()
            raise
        return outputs

    def _switch(self, enabled: bool) -> None:
        if enabled:
            self._behaviour.enable()
            for output in (self._expression, *self._outputs):
                output.resume(self._behaviour.expression, self._now())
        else:
            self._behaviour.disable()
            if self._behaviour.tick(self._now()) is not None:
                self._leave()

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        result = self.set_parameters([Parameter("enabled", value=bool(request.data))])[0]
        self._update()
        response.success = result.successful
        state = (
            "answers labels" if self._behaviour.enabled else "is switched off, the robot neutral"
        )
        response.message = result.reason or f"the mirror {state}"
        return response

    # Once a second

    def _publish_report(self) -> None:
        if self._closed:
            return
        if self._behaviour.enabled:  # switched off, the robot's face may be somebody else's
            self._expression.show(self._behaviour.expression, self._now())
        behaviour = self._behaviour
        labels = self.resolve_topic_name(LABEL_TOPIC)
        values = {
            "robot": self._robot.name,
            "enabled": "yes" if behaviour.enabled else "no",
            "expression": behaviour.expression,
            "emotion": behaviour.emotion,
            "labels received": behaviour.labels_received,
            "labels that say unknown": behaviour.unknown_labels,
            "unknown words": sum(behaviour.unknown_words.values()),
            f"publishers on {labels}": self.count_publishers(labels),
        }
        for output in (self._expression, *self._outputs):
            values[f"subscribers on {output.topic}"] = output.listeners
        publish_statuses(
            self, self._report, [status(self, "expressions", *self._summary(), values)]
        )

    def _summary(self) -> tuple[bytes, str]:
        """Return the diagnostic level and a sentence a person can act on."""
        unknown_count = sum(self._behaviour.unknown_words.values())
        if unknown_count > self._unknown_count:
            self._unknown_count = unknown_count
            self._warn_reports = _WARN_REPORTS
        if self._warn_reports > 0:
            self._warn_reports -= 1
            return WARN, self._unknown_word
        for output in self._outputs:
            if output.listeners == 0:
                return WARN, (
                    f"nobody subscribes {output.topic}: start the robot's controller or driver, "
                    f"or correct the topic in the table of {self._robot.name}"
                )
        if not self._behaviour.enabled:
            return OK, f"switched off; {self._robot.name} is left alone"
        return OK, f"{self._robot.name} shows {self._behaviour.expression}"


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; return the exit code of run_node."""
    return run_node(Mirror, args)


if __name__ == "__main__":
    sys.exit(main())
