"""The package ``fer`` on the same frames, in an environment of its own, if it can be installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

_INSTALL_S = 300
_MEASURE_S = 180

# Run by fer's own Python, which has nothing of ours. Its default is the Haar cascade.
_SCRIPT = """
import json, sys, time
import numpy as np
try:
    from fer import FER
except ImportError:
    from fer.fer import FER
frames = np.load(sys.argv[1])
detector = FER(mtcnn=False)
detector.detect_emotions(frames[0])
seconds, found = [], 0
for frame in frames:
    begin = time.perf_counter()
    found += len(detector.detect_emotions(frame)) > 0
    seconds.append(time.perf_counter() - begin)
print(json.dumps({"fps": len(seconds) / sum(seconds), "with_a_face": found / len(seconds)}))
"""


def measure_fer(frames: list[np.ndarray]) -> dict[str, Any]:
    """Return fer's frames per second with its Haar cascade, or why it was not measured.

    Args:
        frames: (H, W, 3) uint8 BGR.
    """
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        saved = Path(folder) / "frames.npy"
        np.save(saved, np.stack(frames))
        try:
            _run("making its environment",
                 [sys.executable, "-m", "venv", str(python.parent.parent)], _INSTALL_S)  # fmt: skip
            _run("pip install fer", [str(python), "-m", "pip", "install", "-q", "fer"], _INSTALL_S)
            version = _run("pip show fer", [str(python), "-m", "pip", "show", "fer"], _INSTALL_S)
            line = _run("its first frames", [str(python), "-c", _SCRIPT, str(saved)], _MEASURE_S)
        except _NotMeasured as problem:
            return {"not_measured": str(problem)}
    number = next(w.split()[1] for w in version.splitlines() if w.startswith("Version:"))
    return {"version": number, "frames": len(frames)} | json.loads(line.splitlines()[-1])


class _NotMeasured(Exception):
    """One line: which step failed and how."""


def _run(what: str, command: list[str], limit_s: float) -> str:
    """Run a command and all it starts for at most ``limit_s``; return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise _NotMeasured(f"{what} took more than {limit_s:.0f} s") from None
    if process.returncode:
        lines = [line for line in errors.splitlines() if line.strip()] or ["no message"]
        raise _NotMeasured(f"{what} failed: {_last_error(lines)[:200]}")
    return output.strip()


def _last_error(lines: list[str]) -> str:
    """Return the last line that speaks of an error, else the last."""
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1]).strip()
