"""The recognizer as a process of its own, and what Linux tells about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")
_END_S = 10.0


class RecognizerProcess:
    """The recognizer, started as ``ros2 run`` would start it. Use it as a context manager.

    Attributes:
        started_ns: time.time_ns() just before the start.
    """

    def __init__(self) -> None:
        path = os.pathsep.join(str(folder) for folder in sys.path if folder)
        self.started_ns = time.time_ns()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "expression_ros.nodes.recognizer"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> RecognizerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the recognizer ended with exit code {self._process.returncode}")

    def cpu_s(self) -> float:
        """Return the processor time that all its threads have used so far, in s."""
        fields = self._proc("stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> dict[str, float]:
        """Return its resident memory in MB: ``rss``, and of that ``shared`` with the middleware."""
        status = self._status()
        return {"rss": status["VmRSS"] * 1.024e-3, "shared": status["RssShmem"] * 1.024e-3}

    def threads(self) -> int:
        """Return how many threads it has."""
        return self._status()["Threads"]

    def _status(self) -> dict[str, int]:
        """Return the numbers of /proc/PID/status; sizes are in kB of 1024 bytes."""
        pairs = (line.split(":", 1) for line in self._proc("status").splitlines())
        words = {name: value.split() for name, value in pairs}
        return {name: int(w[0]) for name, w in words.items() if w and w[0].isdigit()}

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text(encoding="utf-8")
