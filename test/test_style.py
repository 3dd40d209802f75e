"""The code is as ruff and mypy want it, and imports point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "expression_ros"

# folder: what it may import of the package and of ROS
ALLOWED = {
    "recognition": {"recognition", "picture_files", "vocabulary", "resources"},
    "training": {"training", "recognition", "vocabulary", "resources"},
    "mirroring": {"mirroring", "vocabulary", "resources"},
    "personal": {
        "personal", "recognition", "viewing", "frame_sources", "vocabulary", "resources", "nodes",
        "picture_files",
    },
    "recordings": {
        "recordings", "recognition", "personal", "training", "nodes", "frame_sources",
        "folder_kinds", "image_depth", "picture_files", "whole_files", "vocabulary", "resources",
    },
    "viewing": {
        "viewing", "recognition", "mirroring", "personal", "web", "node_defaults", "frame_sources",
        "folder_kinds", "picture_files", "vocabulary", "resources",
    },
    "web": {
        "web", "recognition", "mirroring", "personal", "nodes", "node_defaults", "frame_sources",
        "folder_kinds", "picture_files", "vocabulary", "resources",
    },
}  # fmt: skip
# What folders outside of nodes may use of it: none imports ROS, but for the last two, which
# are imported when somebody asks for a topic or for the page of running nodes.
OF_NODES = {
    "image_conversion", "image_messages", "parameter_table",
    "recognizer_parameters", "mirror_parameters", "web_parameters", "frame_subscription", "web",
}  # fmt: skip
ROS = ("rclpy", "sensor_msgs", "std_msgs", "launch", "cv_bridge", "diagnostic_msgs", "vision_msgs")


@pytest.mark.parametrize("arguments", [["ruff", "check", "."], ["mypy", "expression_ros"]])
def test_linters_are_content(arguments):
    pytest.importorskip(arguments[0], reason=f"needs {arguments[0]}: pip install '.[test]'")
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def imports_of(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_one_way(folder):
    files = sorted((PACKAGE / folder).glob("*.py"))
    assert files
    for file in files:
        for name in imports_of(file):
            assert not name.startswith(ROS), f"{file.name} imports {name}"
            if name.startswith("expression_ros."):
                parts = name.split(".")
                assert parts[1] in ALLOWED[folder], f"{file.name} imports {name}"
                if parts[1] == "nodes":
                    assert parts[2] in OF_NODES, f"{file.name} imports {name}"


def test_nothing_is_unpickled_or_evaluated():
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not {"pickle", "joblib", "shelve", "marshal"} & set(imports_of(file)), file
        calls = [n.func.id for n in ast.walk(tree)
                 if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]  # fmt: skip
        assert not {"eval", "exec"} & set(calls), file
