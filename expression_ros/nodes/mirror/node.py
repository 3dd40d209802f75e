"""The mirror node: answers the labels on face_emotion with a robot's own expressions."""

from __future__ import annotations

import time
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_msgs.msg import Float32MultiArray, String
from std_srvs.srv import SetBool

from expression_ros.mirroring.behaviour import Command, MirrorBehaviour
from expression_ros.mirroring.robot_table import EXPRESSION_TOPIC, Output, Robot, load_robot
from expression_ros.mirroring.styles import Style, load_style
from expression_ros.nodes.common.clock_watch import steady_clock
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.common.published import scores_of
from expression_ros.nodes.common.running import run_node
from expression_ros.nodes.mirror.outputs import (
    LabelOutput,
    OutputError,
    RobotOutput,
    interface_of,
    make_output,
)
from expression_ros.nodes.mirror.report import MirrorReport
from expression_ros.parameters.nodes import MIRROR_PARAMETERS
from expression_ros.vocabulary import EMOTIONS, UNKNOWN

LABEL_TOPIC = "face_emotion"
SCORES_TOPIC = f"{LABEL_TOPIC}/scores"

_TICK_S = 0.02  # how late a held expression or a changed parameter may take effect
_REPORT_S = 1.0
_EXPRESSION = Output("label", EXPRESSION_TOPIC)
_TIMES = ("min_hold", "neutral_after", "cooldown", "attack", "release", "full_score")


class Mirror(Node):
    """Subscribes emotion labels and drives the outputs of one robot's table.

    Args:
        kwargs: passed to ``rclpy.node.Node`` (context, namespace, parameter_overrides).

    Raises:
        RobotTableError: the robot does not exist or its table is wrong.
        StyleError: the style does not exist or its table is wrong.
        ParameterError: another parameter was given a value that cannot be used.
        OutputError: the type of one of the robot's outputs is not installed.
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
        style = self._values["style"]
        self._styles: dict[str, Style] = {style: load_style(style)}
        self._behaviour = MirrorBehaviour(
            self._robot,
            **{name: self._values[name] for name in _TIMES},
            style=self._styles[style],
        )
        self._bad_scores = 0  # messages of scores that could not be read
        self._report = MirrorReport(self, self._values, self.resolve_topic_name(LABEL_TOPIC))
        self._expression = LabelOutput(self, _EXPRESSION, self._robot)
        self._outputs = self._make_outputs(self._robot)
        if not self._values["enabled"]:
            self._behaviour.disable()
        self._show(self._behaviour.command, self._now())
        self.add_on_set_parameters_callback(self._check_tables)
        self.create_service(SetBool, "~/enable", self._enable)
        # In this order: an executor takes ready messages in the order of the subscriptions.
        self.create_subscription(
            Float32MultiArray, SCORES_TOPIC, self._take_scores, QoSProfile(depth=10)
        )
        self.create_subscription(String, LABEL_TOPIC, self._take_label, QoSProfile(depth=10))
        # Timers of real time, as in _now: a simulated clock may stand still or go back.
        steady = steady_clock()
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
        """Return the time by which labels are held and let go, and joints and lights moved, in s.

        A simulated clock may stand still, and would leave the robot smiling at nobody.
        """
        return time.monotonic()

    # Labels in, expressions out

    def _take_label(self, message: String) -> None:
        if self._closed:
            return
        self._update()
        new_word = self._behaviour.label_received(message.data, self._now())
        if new_word is not None:
            problem = (
                f"unknown label {new_word!r} on {self.resolve_topic_name(LABEL_TOPIC)}; "
                f"known labels: {', '.join((*EMOTIONS, UNKNOWN))}"
            )
            self._report.unknown_word(problem)
            self.get_logger().warning(problem)
        self._update()

    def _take_scores(self, message: Float32MultiArray) -> None:
        if self._closed:
            return
        try:
            self._behaviour.scores_received(scores_of(message), self._now())
        except ValueError as error:
            if self._bad_scores == 0:
                topic = self.resolve_topic_name(SCORES_TOPIC)
                self.get_logger().warning(f"{topic}: {error}; expressions are shown in full")
            self._bad_scores += 1

    def _update(self) -> None:
        if self._closed:
            return
        self._apply_parameters()
        now = self._now()
        command = self._behaviour.tick(now)
        if command is not None:
            self._show(command, now)
        if self._behaviour.enabled:
            for output in self._outputs:
                output.update(now)

    def _show(self, command: Command, now: float) -> None:
        """Show an expression on every output, unless the robot is to be left alone.

        The time is that of the tick: to an output whose fade began a little later than the tick's
        next look at it, the clock would have gone back, which ends a fade at once.
        """
        if not self._behaviour.enabled:
            return
        self._report.commanded(command)
        for output in (self._expression, *self._outputs):
            (output.show if command.is_new else output.adjust)(command, now)

    def _leave(self) -> None:
        """Leave the robot neutral."""
        command = Command(self._robot.neutral)
        self._report.commanded(command)
        for output in (self._expression, *self._outputs):
            output.leave(command, self._now())

    # Parameters and the service

    def _check_tables(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        """Refuse a robot or a style that cannot be loaded; keep one that can until it is used."""
        for parameter in parameters:
            name = str(parameter.value)
            try:
                if parameter.name == "robot":
                    robot = load_robot(name)
                    for output in robot.outputs:
                        interface_of(output)
                    self._tables[name] = robot
                elif parameter.name == "style":
                    self._styles[name] = load_style(name)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self) -> None:
        """Follow the parameters: Humble has no callback for after they were set."""
        for name in _TIMES:
            setattr(self._behaviour, name, self._values[name])
        style = self._styles[self._values["style"]]
        if style != self._behaviour.style:
            self._styles = {self._values["style"]: style}
            self._behaviour.set_style(style)
            self.get_logger().info(f"style {style.name} from now on")
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
                output.leave(Command(old_robot.neutral), self._now())
            output.destroy()
        self._outputs = outputs
        self._tables = {self._values["robot"]: robot}
        self._behaviour.set_robot(robot)
        self._show(self._behaviour.command, self._now())
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
                output.resume(self._behaviour.command, self._now())
        else:
            self._behaviour.disable()
            self._behaviour.tick(self._now())
            self._leave()  # also if it is neutral already: a fade to it may not have ended

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
            self._expression.show(self._behaviour.command, self._now())
        self._report.publish(
            self._robot, self._behaviour, self._expression, self._outputs, self._bad_scores
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; return the exit code of run_node."""
    return run_node(Mirror, args)
