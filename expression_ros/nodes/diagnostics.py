"""Small pieces for /diagnostics: statuses, rates, percentiles. Names as in diagnostic_updater."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR


def status(node: Node, task: str, level: bytes, message: str, values: Mapping[str, Any]) -> Any:
    """Return one DiagnosticStatus named ``<node>: <task>``."""
    name = node.get_fully_qualified_name().lstrip("/")
    return DiagnosticStatus(
        level=level,
        name=f"{name}: {task}",
        message=message,
        hardware_id="",
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def publish_statuses(node: Node, publisher: Any, statuses: list[Any]) -> None:
    """Publish the statuses with the node's time."""
    array = DiagnosticArray(status=statuses)
    array.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(array)


class Window:
    """The last values of a quantity, for its median and its tail."""

    def __init__(self, size: int = 100):
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        self._values.append(value)

    def percentile(self, share: float) -> float:
        """Return the percentile (0..100), 0 where there are no values yet."""
        return float(np.percentile(list(self._values), share)) if self._values else 0.0


class Rate:
    """Events per second between two looks at a growing counter."""

    def __init__(self) -> None:
        self._count = 0
        self._time: float | None = None

    def update(self, count: int, now: float) -> float:
        """Return the rate since the last look; ``now`` in seconds."""
        passed = 0.0 if self._time is None else now - self._time
        rate = (count - self._count) / passed if passed > 0 else 0.0
        self._count, self._time = count, now
        return rate
