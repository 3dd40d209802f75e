"""The nodes as real processes for soak.py and faults.py, and what the kernel says about them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

# A domain of its own, never beyond this machine; before anything imports rclpy.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.setdefault("ROS_DOMAIN_ID", str(200 + os.getpid() % 15))

import rclpy  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from std_msgs.msg import String  # noqa: E402

END_S = 15.0  # how long a node may take to end by itself


class Held(NamedTuple):
    """What a process holds: resident memory in MB, threads, file handles."""

    memory: float
    threads: int
    handles: int


def held_by(pid: int) -> Held:
    """Return what a process holds; raises OSError when it is gone."""
    folder = Path("/proc") / str(pid)
    lines = (folder / "status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return Held(
        int(fields["VmRSS"].split()[0]) / 1024,
        int(fields["Threads"]),
        len(list((folder / "fd").iterdir())),
    )


class Processes:
    """Nodes of expression_ros, each in its own process; all end when the block is left.

    Args:
        log: file that takes everything they say.
    """

    def __init__(self, log: Path):
        self.log = log
        self._log = log.open("w", encoding="utf-8")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        return self

    def start(
        self, node: str, environment: Mapping[str, str] | None = None, **parameters: Any
    ) -> subprocess.Popen[bytes]:
        """Start a node with parameters and, if given, changes of its environment."""
        command = [sys.executable, "-m", f"expression_ros.nodes.{node}", "--ros-args"]
        for name, value in parameters.items():
            text = f"'{value}'" if isinstance(value, str) else str(value).lower()
            command += ["-p", f"{name}:={text}"]
        return self.run(node, command, environment)

    def run(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start any command under a name."""
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.running[name] = process
        return process

    def kill(self, name: str) -> None:
        """End a process as a crash would, without a word."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """Ask a process to end and return its exit code."""
        process = self.running.pop(name)
        process.terminate()
        try:
            return process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def dead(self) -> list[str]:
        """Return the names of those that have ended unasked."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.terminate()
        for name in list(self.running):
            self.stop(name)
        self._log.close()


class Watcher(Node):
    """Sees what the nodes publish, with the time of its arrival, in a thread of its own."""

    def __init__(self) -> None:
        rclpy.init()
        super().__init__("watcher")
        self.labels: list[tuple[float, str]] = []  # monotonic seconds, label
        self.expressions: list[tuple[float, str]] = []
        self.statuses: dict[str, Any] = {}  # newest status by name
        self.values: dict[str, dict[str, str]] = {}  # its values
        self.received_at: dict[str, float] = {}
        self._service_clients: dict[str, Any] = {}
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(String, "face_emotion", self._label, 10)
        self.create_subscription(String, "robot_expression", self._expression, latched)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._diagnostics, 50)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        rclpy.try_shutdown()
        self._thread.join(END_S)

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _label(self, message: String) -> None:
        self.labels.append((time.monotonic(), message.data))

    def _expression(self, message: String) -> None:
        self.expressions.append((time.monotonic(), message.data))

    def _diagnostics(self, message: DiagnosticArray) -> None:
        for one in message.status:
            self.statuses[one.name] = one
            self.values[one.name] = {pair.key: pair.value for pair in one.values}
            self.received_at[one.name] = time.monotonic()

    def expression(self) -> str:
        """Return the expression that the robot shows."""
        return self.expressions[-1][1] if self.expressions else ""

    def rate(self, seconds: float) -> float:
        """Return labels per second over the last ``seconds``."""
        begin = time.monotonic() - seconds
        return sum(at >= begin for at, _ in self.labels) / seconds

    def call(self, service_type: Any, name: str, request: Any, patience_s: float = 20.0) -> Any:
        """Call a service and return its response; raises TimeoutError without one."""
        client = self._service_clients.setdefault(name, self.create_client(service_type, name))
        client.wait_for_service(patience_s)
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(patience_s):
            raise TimeoutError(f"{name} did not answer")
        return future.result()


def until(condition: Callable[[], Any], what: str, patience_s: float = 30.0) -> float:
    """Wait for a condition; return how many seconds it took.

    Raises:
        TimeoutError: it did not come true; names ``what``.
    """
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience_s:
            raise TimeoutError(f"waited {patience_s:.0f} s in vain for {what}")
        time.sleep(0.01)
    return time.monotonic() - begin
