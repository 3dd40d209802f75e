"""The launch files: every argument explained, the right nodes for it, and a real launch."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("launch.actions", reason="needs ROS 2's launch")
pytest.importorskip("launch_ros.actions", reason="needs ROS 2's launch_ros")
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, ExecuteProcess, SetEnvironmentVariable

from launch import LaunchContext

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = ("recognizer.launch.py", "demo.launch.py")
PATIENCE_S = 60.0
# What `ros2 launch` does, without needing its command.
SERVICE = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
path, *arguments = sys.argv[1:]
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    AnyLaunchDescriptionSource(path),
    launch_arguments=[text.split(":=", 1) for text in arguments])]))
sys.exit(service.run())
"""


@pytest.fixture(autouse=True)
def _share(monkeypatch):
    """Let the launch files find this source tree as the package's share folder."""
    monkeypatch.setattr(
        "ament_index_python.packages.get_package_share_directory", lambda name: str(REPOSITORY)
    )


def description(name):
    """Load a launch file and return its description."""
    path = REPOSITORY / "launch" / name
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def processes(name, **arguments):
    """Visit a launch file's actions, without executing a process, and return its command lines.

    Returns:
        For each executable, the words that its process would be started with.
    """
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    found = {}

    def visit(entities):
        for entity in entities or ():
            if isinstance(entity, ExecuteProcess):
                found[entity.node_executable] = command_line(entity, context)
            elif isinstance(entity, SetEnvironmentVariable):
                continue  # for the processes, not for this one
            else:
                visit(entity.visit(context))

    visit([description(name)])
    return found


def command_line(node, context):
    """Return the words after the executable, with the parameters of generated files spelled out."""
    node._perform_substitutions(context)
    words = []
    for substitutions in node.cmd[1:]:
        word = "".join(part.perform(context) for part in substitutions)
        if word.startswith("/tmp/launch_params"):
            word = re.sub(r"\s+", " ", Path(word).read_text(encoding="utf-8"))
        words.append(word)
    return words
