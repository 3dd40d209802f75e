"""Publishing that goes on after the middleware could not take a message.

On a machine that is overloaded, or whose shared memory is full, the middleware gives a message
back ("cannot publish data") and rclpy raises. That must not end a node, nor cost a robot the one
message that says which face to make.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node

_ATTEMPTS = 3  # in each of them the middleware waits, Fast DDS for a tenth of a second
_LOG_PERIOD_S = 5.0


@dataclass
class _Failures:
    total: int = 0
    told: int = 0


_failures: WeakKeyDictionary[Node, _Failures] = WeakKeyDictionary()
_lock = threading.Lock()  # nodes publish from several threads


def publish(node: Node, publisher: Any, message: Any) -> bool:
    """Publish a message, if need be at the third attempt; count and log it if that fails too.

    Args:
        node: whose publisher it is.
        publisher: of rclpy, also one of a lifecycle node.
        message: of the publisher's type.

    Returns:
        Whether the middleware has taken it. A publisher of an inactive lifecycle node takes
        nothing and wants nothing: True.
    """
    for _ in range(_ATTEMPTS):
        try:
            publisher.publish(message)
            return True
        except RCLError as error:
            problem = str(error).split(", at ")[0]
            if not node.context.ok():
                return False  # all is about to end
    with _lock:
        _failures.setdefault(node, _Failures()).total += 1
    node.get_logger().warning(
        f"{publisher.topic_name}: a message is lost ({problem}); is the machine overloaded, or "
        "/dev/shm full?",
        throttle_duration_sec=_LOG_PERIOD_S,
    )
    return False


def lost_messages(node: Node) -> tuple[int, int]:
    """Return how many messages of a node were lost, and how many since this was last asked."""
    with _lock:
        failures = _failures.setdefault(node, _Failures())
        new, failures.told = failures.total - failures.told, failures.total
    return failures.total, new
