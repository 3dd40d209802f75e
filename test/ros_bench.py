"""A bench for nodes under test: own context, executor in a thread, waiting for events."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from expression_ros.nodes.common.running import use_large_image_transport

# Upper bound of a wait, for a busy machine; nothing waits this long when all is well.
PATIENCE_S = 60.0
_ASK_AGAIN_S = 2.0
_DISCOVERY_S = 3.0


def node_module(name: str) -> ModuleType:
    """Return the module that holds a node of this package, of one file or of several."""
    module = importlib.import_module(f"expression_ros.nodes.{name}")
    return (
        importlib.import_module(f"{module.__name__}.node")
        if hasattr(module, "__path__")
        else module
    )


class Collector:
    """Keeps what arrives on one topic and lets a test wait for it."""

    def __init__(self, node: Node, message_type: type, topic: str, qos: Any = 50):
        self.messages: list[Any] = []
        self._changed = threading.Condition()
        self.subscription = node.create_subscription(message_type, topic, self._take, qos)

    def _take(self, message: Any) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[Any]], Any], what: str = "a message") -> Any:
        """Wait until ``condition(messages)`` is truthy and return that value, else fail."""
        with self._changed:
            value = self._changed.wait_for(lambda: condition(self.messages), PATIENCE_S)
        assert value, f"waited {PATIENCE_S:.0f} s in vain for {what}; got {self.messages[-3:]}"
        return value

    def clear(self) -> None:
        with self._changed:
            self.messages.clear()


class RosBench:
    """A ROS context with an executor in a thread; nodes are added, tests observe."""

    def __init__(self) -> None:
        use_large_image_transport()
        self.context = Context()

    def __enter__(self) -> RosBench:
        rclpy.init(context=self.context)
        # One thread, as in the nodes' own processes: entities end where they are waited for.
        self.executor = SingleThreadedExecutor(context=self.context)
        self.node = Node("test_bench", context=self.context)
        self._nodes: list[Node] = []
        self._clients: dict[str, Any] = {}
        self.add(self.node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            while not self._stopping.is_set():
                self.executor.spin_once()

    def __exit__(self, *_: object) -> None:
        self.in_executor(self._close_nodes)
        # Spinning ends first: shutdown() destroys the guard condition that it may be about to use.
        self.executor.create_task(self._stopping.set)
        self._thread.join(PATIENCE_S)
        self.executor.shutdown()
        for node in reversed(self._nodes):
            node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def _close_nodes(self) -> None:
        for node in reversed(self._nodes):
            if hasattr(node, "close"):
                node.close()

    def in_executor(self, work: Callable[[], Any]) -> None:
        """Run ``work`` in the executor's thread and wait until it is done."""
        done = threading.Event()
        self.executor.create_task(work).add_done_callback(lambda _: done.set())
        assert done.wait(PATIENCE_S), "the executor is stuck"

    def add(self, node: Node) -> Any:
        """Spin a node (made with ``context=bench.context``) until the end of the test."""
        self._nodes.append(node)
        self.executor.add_node(node)
        return node

    def collect(self, message_type: type, topic: str, qos: Any = 50) -> Collector:
        return Collector(self.node, message_type, topic, qos)

    def publisher(self, message_type: type, topic: str, qos: Any = 10, *, matched: int = 1) -> Any:
        """Return a publisher that ``matched`` subscriptions have discovered."""
        publisher: Any = self.node.create_publisher(message_type, topic, qos)
        wait_until(
            lambda: publisher.get_subscription_count() >= matched, f"a subscriber of {topic}"
        )
        return publisher

    def client(self, service_type: type, name: str) -> Any:
        """Return the client of a service; made once, it is the same from then on."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(service_type, name)
            # In about one of fifty contexts rmw_fastrtps (Kilted) says for ever that the services
            # of a lifecycle node in the same participant are not there, although they answer at
            # once. So this only gives discovery its time, once; the answer is what counts.
            self._clients[name].wait_for_service(_DISCOVERY_S)
        return self._clients[name]

    def call(self, service_type: type, name: str, request: Any) -> Any:
        """Call a service and return its response."""
        done = threading.Event()
        future = self.client(service_type, name).call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(PATIENCE_S), f"service {name} did not answer"
        return future.result()

    def ask(self, service_type: Any, name: str) -> Any:
        """Call a service that changes nothing, again and again until a call is answered.

        What is asked before the service's process runs, or knows where to answer, is lost.
        """
        client = self.client(service_type, name)
        futures: list[Any] = []

        def answered() -> Any:
            if not futures or time.monotonic() - asked[-1] > _ASK_AGAIN_S:
                asked.append(time.monotonic())
                futures.append(client.call_async(service_type.Request()))
            return next((future for future in futures if future.done()), None)

        asked: list[float] = []
        return wait_until(answered, f"an answer of {name}").result()

    def set_parameter(self, node_name: str, name: str, value: Any) -> Any:
        """Set a parameter of another node as ``ros2 param set`` does; return the result."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        request = SetParameters.Request()
        request.parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.call(SetParameters, f"{node_name}/set_parameters", request).results[0]


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Poll ``condition`` until it is truthy and return its value, else fail naming ``what``."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain for {what}")
