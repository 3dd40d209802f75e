"""The clocks of a node: whether its own runs, and one that always does.

A simulated clock stands still while nobody publishes /clock.
"""

from __future__ import annotations

import time

# Where ClockType is defined differs between distributions; here it can be had in all of them.
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node

from expression_ros.nodes.common.diagnostics import OK, WARN

_PATIENCE_S = 2.0  # for the first time, and for the next


def steady_clock() -> Clock:
    """Return the clock for what waits or lets go: it runs whatever /clock does."""
    return Clock(clock_type=ClockType.STEADY_TIME)


class ClockWatch:
    """Looks at a node's clock again and again.

    Nothing of what the nodes decide depends on a simulated clock; but what they stamp does, and
    latencies that are taken by it.

    Args:
        node: whose clock it is.
    """

    def __init__(self, node: Node):
        self._node = node
        self._time = -1
        self._moved = time.monotonic()

    @property
    def runs(self) -> bool:
        """Whether the clock has a time and moves."""
        return self._time != 0 and time.monotonic() - self._moved < _PATIENCE_S

    def look(self) -> tuple[bytes, str]:
        """Look at the clock, at least once a second; return a level and a sentence for it."""
        now = self._node.get_clock().now().nanoseconds
        if now != self._time:
            self._time, self._moved = now, time.monotonic()
        silent = time.monotonic() - self._moved
        if silent < _PATIENCE_S or (now != 0 and self._node.count_publishers("/clock")):
            return OK, ""  # it runs, or it is paused
        return WARN, (
            "use_sim_time is set and no /clock comes: play the bag with --clock, start the "
            "simulation, or set use_sim_time to false"
        )

    @property
    def value(self) -> str:
        """What is shown of the clock among the values of a status."""
        if not self._node.get_parameter("use_sim_time").value:
            return "system"
        return "simulated" if self.runs else "simulated, stands still"
