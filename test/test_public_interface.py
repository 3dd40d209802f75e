"""What users import from expression_ros: it is all there, light, typed, and the examples run."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tools"))

from import_graph import Package, imports_in  # noqa: E402

import expression_ros  # noqa: E402

TEXTS = Package(REPOSITORY).texts
COMMANDS = [module for module in TEXTS if module.startswith("commands.")]
PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"## ([^\n]+)\n+```python\n(.*?)```", PAGE, re.DOTALL))
SAID = {  # by the examples, on films and photos of somebody who smiles
    "A photo": r"^happiness (0\.\d+|1\.0) Box\(.*\)\n$",
    "A video": r"  1\.10 s  face 1: happiness\n$",
    "A webcam": r"^(happiness (0\.\d+|1\.0)\n){12}$",
    "A robot's answer": r"^0 QT/happy\n2 QT/surprise\n5 QT/neutral\n$",
}
CONSTANTS = ("EMOTIONS", "UNKNOWN", "__version__")  # no definitions with a docstring
MOST_NAMES = 25
MOST_LINES = 10


@pytest.mark.parametrize("name", expression_ros.__all__)
def test_each_public_name_is_there_and_says_what_it_is(name):
    thing = getattr(expression_ros, name)
    assert name in dir(expression_ros)
    assert name in CONSTANTS or inspect.getdoc(thing)
    assert name in CONSTANTS or thing.__module__ == f"expression_ros.{home_of(name)}"


def home_of(name):
    return expression_ros._HOME_OF[name]


def test_the_page_has_a_table_of_all_public_names():
    table = re.findall(r"^\| `(\w+)` \| [^|]{10,} \|$", PAGE, re.MULTILINE)
    assert sorted(table) == sorted(expression_ros.__all__)
    assert len(table) <= MOST_NAMES, "an interface of so many names is hard to find one's way in"


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'recognise'"):
        expression_ros.recognise  # noqa: B018


def test_type_checkers_are_told_of_the_same_names():
    """What is imported for type checkers alone is the same as what is loaded on demand."""
    tree = ast.parse(TEXTS["__init__"])
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {
        alias.name: node.module.removeprefix("expression_ros.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == expression_ros._HOME_OF
    assert {*declared, "__version__"} == set(expression_ros.__all__)


def loaded_by(code):
    code += "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_else():
    light = loaded_by("import expression_ros")
    assert not {"cv2", "numpy", "yaml", "rclpy"} & light


def test_no_public_name_needs_ros():
    everything = loaded_by("from expression_ros import *")
    assert {"cv2", "numpy", "yaml"} <= everything
    assert not [name for name in everything if name == "rclpy" or name.endswith("_msgs")]


@pytest.mark.parametrize("module", COMMANDS)
def test_our_commands_use_what_is_public(module):
    """What users have, our own commands use: it is never the poorer way."""
    homes = {f"expression_ros.{home_of(name)}.{name}" for name in expression_ros._HOME_OF}
    around = homes & set(imports_in(TEXTS[module]))
    assert not around, f"{module} imports {around}: import from expression_ros itself"


def test_some_commands_do():
    names = {name for module in COMMANDS for name in imports_in(TEXTS[module])}
    assert {"expression_ros.make_recognizer", "expression_ros.open_source"} <= names


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_of_the_page_runs(title, tmp_path, monkeypatch, capsys, astronaut):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.jpg", astronaut)
    film = cv2.VideoWriter("smile.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 10, (512, 512))
    for _ in range(12):
        film.write(astronaut)
    film.release()
    code = EXAMPLES[title]
    if title == "A webcam":  # a video in the place of the camera
        assert code.count('open_source("0")') == 1
        code = code.replace('open_source("0")', 'open_source("smile.mp4")')
    exec(compile(code, title, "exec"), {})
    assert re.search(SAID[title], capsys.readouterr().out)
    assert (tmp_path / "photo_read.jpg").is_file() == (title == "A photo")


def test_the_examples_are_short_and_all_of_them_are_run():
    assert list(EXAMPLES) == list(SAID)
    assert PAGE.count("```python") == len(EXAMPLES)
    for title, code in EXAMPLES.items():
        lines = [line for line in code.splitlines() if line.strip()]
        assert len(lines) <= MOST_LINES, f"{title}: {len(lines)} lines"
        assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "call",
    ["read_photo('no.jpg')", "read_colour_photo('no.jpg')", "load_classifier('no')",
     "load_classifier('fisherfaces', 'no')", "load_robot('no')", "open_source('no.mp4')"],
)  # fmt: skip
def test_what_is_not_there_is_one_line(call):
    with pytest.raises(ValueError, match=r"^[^\n]{20,}$"):
        eval(f"expression_ros.{call}")


def mypy(folder, **files):
    pytest.importorskip("mypy", reason="needs mypy: pip install '.[test]'")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    # As of an installed package: its own errors are not the user's.
    command = ["mypy", "--strict", "--follow-imports=silent", *(f"{name}.py" for name in files)]
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True,
                          text=True, env={**os.environ, "MYPYPATH": str(REPOSITORY)})  # fmt: skip
    return done.stdout + done.stderr


def test_type_checkers_see_the_types_of_a_users_program(tmp_path):
    names = sorted(expression_ros._HOME_OF)
    shown = "\n".join(f"reveal_type({name})" for name in names)
    said = mypy(
        tmp_path,
        **{f"example{k}": code for k, code in enumerate(EXAMPLES.values())},
        names=f"from expression_ros import {', '.join(names)}\n{shown}\n",
        wrong="from expression_ros import ExpressionRecognizer, FaceDetector, read_photo\n"
        "read_photo(1)\n"
        'ExpressionRecognizer(FaceDetector(), "fisherfaces").read(read_photo("a.png"), "now")\n',
    )
    types = re.findall(r'^names\.py:(\d+): note: Revealed type is "(.*)"', said, re.MULTILINE)
    assert [int(line) - 2 for line, _ in types] == list(range(len(names))), said
    assert not [names[int(line) - 2] for line, text in types if text == "Any"]
    errors = re.findall(r"^(\w+)\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    assert errors == [("wrong", line, "arg-type") for line in ("2", "3", "3")], said
