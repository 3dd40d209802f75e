"""Our launch file inside somebody else's launch, with the real nodes, where launch is installed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from node_processes import END_S, REPOSITORY

_NODES = ("recognizer", "mirror", "web")
# What the command `ros2 launch` does, for machines that have only its libraries.
_BRINGUP = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

path, pids, *arguments = sys.argv[1:]
ours = IncludeLaunchDescription(
    PythonLaunchDescriptionSource(path), launch_arguments=[a.split(":=", 1) for a in arguments]
)
stranger = "import os, signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(2)); " \\
    "print(os.getpid(), file=open(sys.argv[1], 'a')); signal.pause()"
strangers = [ExecuteProcess(cmd=[sys.executable, "-c", stranger, pids]) for _ in range(2)]
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([ours, *strangers]))
sys.exit(service.run())
"""
_NODE = """#!{python}
import sys
from expression_ros.nodes.{name} import main

sys.exit(main())
"""


def launch_is_here() -> bool:
    """Return whether ROS 2's launch and launch_ros can be imported."""
    # This repository has a folder of the name launch, which Python would take for a package.
    parts = ("launch.actions", "launch_ros.actions")
    try:
        return all(importlib.util.find_spec(part) is not None for part in parts)
    except ModuleNotFoundError:
        return False


def _install(prefix: Path) -> dict[str, str]:
    """Make a prefix in which this source tree is the package; return the changes of environment."""
    index = prefix / "share" / "ament_index" / "resource_index" / "packages"
    folder = prefix / "lib" / "expression_ros"
    for path in (index, folder):
        path.mkdir(parents=True)
    (index / "expression_ros").touch()
    (prefix / "share" / "expression_ros").symlink_to(REPOSITORY)
    for name in _NODES:
        path = folder / name
        path.write_text(_NODE.format(python=sys.executable, name=name), encoding="utf-8")
        path.chmod(0o755)

    def before(variable: str, first: Path) -> str:
        return os.pathsep.join(filter(None, [str(first), os.environ.get(variable)]))

    return {"AMENT_PREFIX_PATH": before("AMENT_PREFIX_PATH", prefix),
            "PYTHONPATH": before("PYTHONPATH", REPOSITORY)}  # fmt: skip


class Launched:
    """A launch that includes recognizer.launch.py, and two strangers: one ends with 2 on SIGUSR1.

    All of it ends when the block is left.

    Args:
        folder: an empty one, for an installation and files.
        log: takes what all say.
        arguments: of recognizer.launch.py.
    """

    def __init__(self, folder: Path, log: TextIO, **arguments: Any):
        folder.mkdir()
        self._pids = folder / "strangers"
        words = [f"{name}:={value}" for name, value in arguments.items()]
        file = REPOSITORY / "launch" / "recognizer.launch.py"
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BRINGUP, str(file), str(self._pids), *words],
            cwd=folder, env={**os.environ, **_install(folder / "prefix")}, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Launched:
        return self

    def strangers(self) -> list[int]:
        """Return the process ids of those strangers that have started."""
        return [int(pid) for pid in self._pids.read_text().split()] if self._pids.exists() else []

    def runs(self) -> bool:
        return self.process.poll() is None

    def __exit__(self, *_: object) -> None:
        if self.runs():
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(2 * END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # whoever is left of it
