"""Small pieces for /diagnostics: statuses, levels, rates. Names as in diagnostic_updater."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from expression_ros.nodes.common.publishing import lost_messages, publish

OK: bytes = DiagnosticStatus.OK
WARN: bytes = DiagnosticStatus.WARN
ERROR: bytes = DiagnosticStatus.ERROR


def status(
    node: Node,
    task: str,
    level: bytes,
    message: str,
    values: Mapping[str, Any],
    hardware_id: str = "",
) -> Any:
    """Return one DiagnosticStatus named ``<node>: <task>``.

    Args:
        node: which reports.
        task: the part of its work.
        level, message: the judgement.
        values: shown as text.
        hardware_id: what the report is about: a camera's topic or device, a robot; empty for the
            node itself.
    """
    name = node.get_fully_qualified_name().lstrip("/")
    return DiagnosticStatus(
        level=level,
        name=f"{name}: {task}",
        message=message,
        hardware_id=hardware_id or name,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def publish_statuses(node: Node, publisher: Any, statuses: list[Any]) -> None:
    """Publish the statuses with the node's time; the first tells of messages that were lost."""
    total, new = lost_messages(node)
    first = statuses[0]
    first.values.append(KeyValue(key="messages lost", value=str(total)))
    if new:
        first.level = max(first.level, WARN)
        first.message += (
            f"; the middleware did not take {new} messages: is the machine overloaded, or /dev/shm "
            "full?"
        )
    array = DiagnosticArray(status=statuses)
    array.header.stamp = node.get_clock().now().to_msg()
    publish(node, publisher, array)


def level_above(value: float, warn: float, error: float) -> bytes:
    """Return the level of a value that is to be small: WARN and ERROR above their thresholds."""
    return ERROR if value > error else WARN if value > warn else OK


def level_below(value: float, warn: float, error: float) -> bytes:
    """Return the level of a value that is to be large: WARN and ERROR below their thresholds."""
    return ERROR if value < error else WARN if value < warn else OK


def summary(findings: Iterable[tuple[bytes, str]], fine: str) -> tuple[bytes, str]:
    """Return the worst level of all findings, and what is wrong in one line, the worst first.

    Args:
        findings: level and sentence of each; those that are OK are not told.
        fine: the sentence where nothing is wrong.
    """
    wrong = sorted((one for one in findings if one[0] != OK), key=lambda one: one[0], reverse=True)
    return (wrong[0][0], "; ".join(text for _, text in wrong)) if wrong else (OK, fine)


class Window:
    """The last values of a quantity, for its median and its tail."""

    def __init__(self, size: int = 100):
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        """Take one more value; the oldest goes when there are too many."""
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


class RecentShare:
    """Which share of the events of the last looks was of one kind, by two growing counters.

    Args:
        looks: how many looks are recent.
        fewest: with fewer events than this the share is 0: too few to say.
    """

    def __init__(self, looks: int = 5, fewest: int = 1):
        self._counts: deque[tuple[int, int]] = deque([(0, 0)], maxlen=looks + 1)
        self._fewest = fewest

    def update(self, part: int, whole: int) -> float:
        """Return the share, 0 to 1, after one more look at the counters."""
        self._counts.append((part, whole))
        first_part, first_whole = self._counts[0]
        events = whole - first_whole
        return (part - first_part) / events if events >= max(1, self._fewest) else 0.0
