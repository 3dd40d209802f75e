"""A robot whose expressions are asked for by a service."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from expression_ros.mirroring.behaviour import Command
from expression_ros.mirroring.output_timing import NewestCall
from expression_ros.mirroring.robot_table import Output, Robot
from expression_ros.nodes.mirror.outputs_base import OutputError, RobotOutput

_LEAVE_S = 0.1  # for the middleware to bring a last call on its way
_LOOK_EVERY_S = 0.5  # between looks for a service that is missing


class ServiceOutput(RobotOutput):
    """The robot's own word in a text field of a service's request.

    Calls never block the mirror. An answer with a field ``success`` that is false, or an exception,
    counts as refused; no answer within the table's ``timeout`` counts as timed out. Time limits are
    measured by a clock that neither stands still nor goes back, simulated time or not.
    """

    def __init__(self, node: Node, output: Output, robot: Robot):
        super().__init__(node, output, robot)
        try:
            self._client: Any = node.create_client(self.interface, output.topic)
        except Exception as error:  # rclpy has no common class for what can be wrong with a name
            raise OutputError(f"cannot call {output.topic}: {error}") from None
        self._calls = NewestCall(output.timeout)
        self._future: Any = None  # the answer to the call under way
        self._answered = False  # the last call
        self._available = False
        self._looked = 0.0
        self._last_failure = ""

    @property
    def topic(self) -> str:
        """The full name of the service."""
        return self._node.resolve_service_name(self.output.topic)

    @property
    def problem(self) -> str:
        """What failed last, or that there is no such service, with the remedy; empty if nothing."""
        if self._last_failure:
            return self._last_failure
        if self._answered or self._is_available():
            return ""
        return (
            f"there is no service {self.topic}: start the robot's driver, or correct the service "
            f"in the table of {self._robot.name}"
        )

    @property
    def report(self) -> Mapping[str, Any]:
        """How the calls went, for the diagnostics."""
        calls = self._calls
        return {
            f"calls of {self.topic}": calls.sent,
            f"calls of {self.topic} that failed": (
                f"{calls.failures} ({calls.refused} refused, {calls.timed_out} timed out, "
                f"{calls.unavailable} without a service)"
            ),
        }

    def show(self, command: Command, now: float) -> None:
        """Call with the new expression as soon as the call before is answered."""
        self._calls.want(command.expression)
        self.update(now)

    def update(self, now: float) -> None:
        """Send the call that is due; see RobotOutput.update."""
        before = self._calls.timed_out
        word = self._calls.due(time.monotonic(), self._is_available())
        if self._calls.timed_out > before:
            self._last_failure = (
                f"{self.topic} did not answer within {self.output.timeout:g} s: look at the "
                "robot's driver, or raise timeout in its table"
            )
        if word is not None:
            self._call(word)

    def leave(self, command: Command, now: float) -> None:
        """Call without waiting for the call before, and give it a moment to get out."""
        self._calls.send_now(time.monotonic())
        self._call(command.expression)
        time.sleep(_LEAVE_S)

    def destroy(self) -> None:
        """Destroy the client; what is not answered is forgotten."""
        self._future = None
        self._node.destroy_client(self._client)

    def _call(self, word: str) -> None:
        if self._future is not None:
            self._client.remove_pending_request(self._future)
        self._answered = False
        request = self.interface.Request()
        setattr(request, self.output.field, word)
        try:
            self._future = self._client.call_async(request)
        except Exception as error:  # rclpy has no common class for what the middleware refuses
            self._future = None
            self._ended(False, error)
        else:
            self._future.add_done_callback(self._take_answer)

    def _take_answer(self, future: Any) -> None:
        if future is not self._future or future.cancelled():
            return  # given up, or the mirror ends
        self._future = None
        self._answered = True
        error = future.exception()
        answer = None if error else future.result()
        ok = error is None and getattr(answer, "success", True) is not False
        self._ended(ok, error or getattr(answer, "message", ""))

    def _ended(self, ok: bool, said: Any) -> None:
        self._calls.ended(ok)
        failure = f"{self.topic} refused the word: {said or 'it gives no reason'}"
        self._last_failure = "" if ok else " ".join(failure.split())

    def _is_available(self) -> bool:
        now = time.monotonic()
        if self._available or now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self._available = self._client.service_is_ready()
        return self._available
