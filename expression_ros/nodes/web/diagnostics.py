"""What of /diagnostics the page tells: the newest word of each part of this package."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from expression_ros.web.state import ERROR, OK, WARNING, Diagnostic

_OURS = ("recognizer", "mirror", "emotion_selector", "camera")
_STALE_S = 5.0  # each reports once a second
_FORGOTTEN_S = 60.0
_MOST = 40  # statuses kept: a robot with many cameras has fewer
_LEVELS = {DiagnosticStatus.OK: OK, DiagnosticStatus.WARN: WARNING}


class ReportBook:
    """Keeps the statuses of the package's nodes; those of the rest of the robot are passed over.

    Args:
        mirror: name of the mirror node.
    """

    def __init__(self, mirror: str):
        self._mirror = mirror.strip("/").split("/")[-1]
        self._kept: dict[str, tuple[float, Any]] = {}

    def take(self, message: DiagnosticArray) -> None:
        """Take what arrives on /diagnostics."""
        for status in message.status:
            known = status.name in self._kept or len(self._kept) < _MOST
            if known and _node_of(status) in (*_OURS, self._mirror):
                self._kept[status.name] = (time.monotonic(), status)

    def diagnostics(self, now: float) -> list[Diagnostic]:
        """Return one sentence for each part; ``now`` in seconds of time.monotonic()."""
        self._kept = {k: v for k, v in self._kept.items() if now - v[0] < _FORGOTTEN_S}
        return [_diagnostic(status, now - at) for at, status in self._kept.values()]

    def recognizer_reports(self, now: float) -> bool:
        """Return whether a recognizer has reported lately."""
        return any(
            _node_of(status) == "recognizer" and now - at < _STALE_S
            for at, status in self._kept.values()
        )

    def mirror_values(self, now: float) -> dict[str, str]:
        """Return the key values of the mirror's report, empty without a recent one."""
        for at, status in self._kept.values():
            if _node_of(status) == self._mirror and now - at < _STALE_S:
                return {entry.key: entry.value for entry in status.values}
        return {}


def _node_of(status: Any) -> str:
    """Return the name of the node, without its namespace."""
    return str(status.name).split(":")[0].split("/")[-1]


def _diagnostic(status: Any, age: float) -> Diagnostic:
    if age > _STALE_S:
        return Diagnostic(status.name, ERROR, f"silent for {age:.0f} s; has it been stopped?")
    return Diagnostic(status.name, _LEVELS.get(status.level, ERROR), status.message)
