"""What users import from expression_ros: it is all there, light, typed, and the examples run."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import expression_ros

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"## ([^\n]+)\n+```python\n(.*?)```", PAGE, re.DOTALL))
OURS = ("EMOTIONS", "UNKNOWN", "__version__")  # are no definitions with a docstring


@pytest.mark.parametrize("name", expression_ros.__all__)
def test_each_public_name_is_there_and_says_what_it_is(name):
    thing = getattr(expression_ros, name)
    assert name in dir(expression_ros)
    assert name in OURS or inspect.getdoc(thing)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'recognise'"):
        expression_ros.recognise  # noqa: B018


def test_types_are_declared_of_the_same_names():
    """Type checkers see what is imported for them alone: the same as is loaded on demand."""
    tree = ast.parse(Path(expression_ros.__file__).read_text(encoding="utf-8"))
    declared = {
        (alias.asname, node.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    loaded = {(name, f"expression_ros.{home}") for name, home in expression_ros._HOMES.items()}
    assert declared == loaded
    assert {name for name, _ in declared} | {"__version__"} == set(expression_ros.__all__)
    assert (REPOSITORY / "expression_ros" / "py.typed").is_file()


def test_importing_the_package_alone_loads_nothing():
    code = "import sys, expression_ros; print(*{'cv2', 'numpy', 'rclpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_of_the_page_runs(title, tmp_path, monkeypatch, capsys, astronaut):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.jpg", astronaut)
    film = cv2.VideoWriter("smile.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 10, (512, 512))
    for _ in range(12):
        film.write(astronaut)
    film.release()
    code = EXAMPLES[title].replace('open_source("0")', 'open_source("smile.mp4")')
    exec(compile(code, title, "exec"), {})
    said = capsys.readouterr().out
    assert ("QT/happy" if "robot" in title else "happiness") in said
