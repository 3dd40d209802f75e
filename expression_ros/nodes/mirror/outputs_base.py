"""What all outputs of a robot have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node

from expression_ros.mirroring.behaviour import Command
from expression_ros.mirroring.robot_table import Output, Robot
from expression_ros.nodes.common.interfaces import NotInstalledError, interface_class
from expression_ros.nodes.common.publishing import publish
from expression_ros.nodes.common.topics import full_name

_ACK_TIMEOUT_S = 0.2  # how long a last message may take to reach its subscribers


class OutputError(ValueError):
    """An output cannot be used here: its type is not installed, or its topic is refused."""


class RobotOutput(ABC):
    """One output of a robot. Times are seconds of a clock that neither stands still nor goes back.

    Args:
        node: which publishes or calls.
        output: type and topic.
        robot: its table.

    Raises:
        OutputError: the ROS type is not installed, or ROS refuses the topic.
    """

    def __init__(self, node: Node, output: Output, robot: Robot):
        self.output = output
        self.interface = interface_of(output)
        self._node = node
        self._robot = robot

    @property
    def topic(self) -> str:
        """The full name of the topic or service."""
        return self._node.resolve_topic_name(self.output.topic)

    @property
    def problem(self) -> str:
        """What keeps the output from working, as a sentence with the remedy; empty if nothing."""
        return ""

    @property
    def report(self) -> Mapping[str, Any]:
        """Values for the diagnostics."""
        return {}

    @abstractmethod
    def show(self, command: Command, now: float) -> None:
        """Tell the robot its new expression."""

    def adjust(self, command: Command, now: float) -> None:  # noqa: B027 - words have no strength
        """Follow a new intensity of the same expression, where the output can show it."""

    def update(self, now: float) -> None:  # noqa: B027 - most outputs have nothing to do in between
        """Do what is due; called all the time while the mirror is enabled."""

    def resume(self, command: Command, now: float) -> None:
        """Take over again, after others may have driven the robot."""
        self.show(command, now)

    @abstractmethod
    def leave(self, command: Command, now: float) -> None:
        """Show a last expression without delay, and wait a little until it has arrived."""

    @abstractmethod
    def destroy(self) -> None:
        """Give up the publisher or client."""


class TopicOutput(RobotOutput):
    """An output that is a publisher."""

    qos: Any = 10

    def __init__(self, node: Node, output: Output, robot: Robot):
        super().__init__(node, output, robot)
        self._unsent: Any = None
        try:
            self._publisher = node.create_publisher(self.interface, output.topic, self.qos)
        except Exception as error:  # rclpy has no common class for what can be wrong with a topic
            raise OutputError(f"cannot publish on {output.topic}: {error}") from None

    @property
    def topic(self) -> str:
        """The full name of the topic."""
        return self._publisher.topic_name

    @property
    def listeners(self) -> int:
        """How many subscriptions there are."""
        return self._publisher.get_subscription_count()

    @property
    def problem(self) -> str:
        """That nobody subscribes, as a sentence with the remedy; empty if somebody does."""
        if self.listeners:
            return ""
        infos = self._node.get_subscriptions_info_by_topic(self.topic)
        others = other_types(infos, self.output.interface)
        if others:
            return (
                f"{others} on {self.topic}, where the table of {self._robot.name} sends "
                f"{self.output.interface}: correct the output's type or topic in the table"
            )
        return (
            f"nobody subscribes {self.topic}: start the robot's controller or driver, or correct "
            f"the topic in the table of {self._robot.name}"
        )

    @property
    def report(self) -> Mapping[str, Any]:
        """How many subscribe, for the diagnostics."""
        return {f"subscribers on {self.topic}": self.listeners}

    def leave(self, command: Command, now: float) -> None:
        """See RobotOutput.leave."""
        self.show(command, now)
        self.flush()

    def flush(self) -> None:
        """Wait a little until the reliable subscribers have what was published."""
        self._publisher.wait_for_all_acked(Duration(seconds=_ACK_TIMEOUT_S))

    def publish(self, message: Any) -> None:
        """Publish a message; one that the middleware does not take is kept, to be tried again."""
        self._unsent = None if publish(self._node, self._publisher, message) else message

    def update(self, now: float) -> None:
        """Try again to send what the middleware did not take."""
        if self._unsent is not None:
            self.publish(self._unsent)

    def destroy(self) -> None:
        """Destroy the publisher."""
        self._node.destroy_publisher(self._publisher)


def other_types(infos: Iterable[Any], wanted: str) -> str:
    """Return which nodes use a topic with another type than ``wanted``; empty if none does."""
    others = {f"{full_name(one)} uses {one.topic_type}" for one in infos}
    return " and ".join(sorted(one for one in others if not one.endswith(f" {wanted}")))


def interface_of(output: Output) -> Any:
    """Return the class of an output's ROS type; raises OutputError if it cannot be used."""
    try:
        interface = interface_class(output.interface)
    except NotInstalledError as error:
        raise OutputError(f"output {output.type} on {output.topic}: {error}") from None
    if output.type == "service":
        fields = interface.Request.get_fields_and_field_types()
        if fields.get(output.field) != "string":
            texts = [name for name, kind in fields.items() if kind == "string"]
            raise OutputError(
                f"the request of {output.interface} has no text field {output.field!r}: "
                f"its text fields are {', '.join(texts) or 'none'}"
            )
    return interface
