"""Imports run downwards, as the table in CONTRIBUTING.md says, without exceptions."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tools"))

from import_graph import (  # noqa: E402
    MOST_LINES,
    Layers,
    Package,
    circle,
    figures,
    folder_of,
    imports_in,
)

import expression_ros  # noqa: E402

# What package.xml asks of ROS, and messages of any kind.
NEEDED = re.findall(r"<exec_depend>(?!python3|lib)(\w+)<", (REPOSITORY / "package.xml").read_text())
ROS = re.compile("|".join([*NEEDED, r"\w+_(msgs|srvs|interfaces)"]))
ARGPARSE = re.compile("argparse")
LAYERS = Layers((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
PACKAGE = Package(REPOSITORY)


@pytest.mark.parametrize("module", PACKAGE.modules)
def test_imports_run_downwards(module):
    for imported in PACKAGE.imported_by(module):
        broken = LAYERS.broken_rule(folder_of(module), folder_of(imported))
        assert not broken, f"{module} imports {imported}; {broken}"


def test_no_files_import_each_other_in_a_circle():
    assert not circle(PACKAGE.graph)


@pytest.mark.parametrize(("word", "names"), [("ROS", ROS), ("argparse", ARGPARSE)])
def test_only_who_may_knows_of(word, names):
    seen = set()
    for module in PACKAGE.modules:
        folder = folder_of(module)
        allowed = LAYERS.knows[LAYERS.row[folder]]
        tops = {name.split(".")[0] for name in imports_in(PACKAGE.texts[module])}
        known = {top for top in tops if names.fullmatch(top)}
        seen |= known
        known = set() if word in allowed else known - allowed
        assert not known, f"{module} imports {known}: {word} is not for {folder}"
    assert seen, f"nobody imports {word}: it is not recognized"


def test_only_who_may_know_ros_imports_by_names_made_at_run_time():
    """No test of imports sees these; it is how the packages of a robot's messages are imported."""
    seen = set()
    for module in PACKAGE.modules:
        nodes = ast.walk(ast.parse(PACKAGE.texts[module]))
        names = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}
        if names & {"import_module", "__import__", "exec_module", "run_module"}:
            seen.add(module)
    assert seen, "nobody does: it is not recognized"
    wrong = {module for module in seen if "ROS" not in LAYERS.knows[LAYERS.row[folder_of(module)]]}
    assert not wrong, f"{wrong} import by names that nobody can check"


def test_the_table_names_every_folder_and_no_other():
    assert set(LAYERS.row) == {folder_of(module) for module in PACKAGE.modules}


def test_no_file_is_longer_than_one_reads():
    lines = {module: len(text.splitlines()) for module, text in PACKAGE.texts.items()}
    assert not {module: n for module, n in lines.items() if n > MOST_LINES}


@pytest.mark.parametrize(
    ("importer", "imported", "rule"),
    [
        ("recognition", "nodes/common", "upward"),
        ("vocabulary.py", "images", "upward"),
        ("recognition", "mirroring", "sideways"),
        ("training/data", "training/networks", "sideways"),
        ("resources.py", "vocabulary.py", "sideways"),
        ("training/networks", "training/data", ""),
        ("nodes/mirror", "nodes/common", ""),
        ("web", "personal", ""),
    ],
)
def test_the_rule_that_is_broken_is_named(importer, imported, rule):
    assert LAYERS.broken_rule(importer, imported).partition(":")[0] == rule


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("from expression_ros.recognition.models import load_classifier", "recognition.models"),
        ("from expression_ros.recognition import models", "recognition.models"),
        ("import expression_ros.recognition.models as m", "recognition.models"),
        ("def late():\n    from expression_ros.nodes.camera import main", "nodes.camera"),
        ("from expression_ros import web", "web.__init__"),
        ("from expression_ros import load_classifier", "recognition.models"),
        ("from expression_ros import MirrorBehaviour as M", "mirroring.behaviour"),
    ],
)
def test_every_way_to_import_is_seen(line, module):
    (name,) = imports_in(line)
    assert PACKAGE.module_of(name) == module


@pytest.mark.parametrize(
    "line",
    [
        "import expression_ros",
        "from expression_ros import *",
        "from expression_ros import recognise",
        "from . import models",
        "from ..web import state",
    ],
)
def test_imports_that_do_not_say_of_what_are_refused(line):
    with pytest.raises(ValueError, match="full name"):
        PACKAGE.module_of(*imports_in(line))


def test_public_names_are_read_as_they_are_loaded():
    assert PACKAGE.public == expression_ros._HOME_OF


def test_figures_are_counted(tmp_path):
    """A small package with two folders in a circle, and a third that is fine."""
    texts = {
        "__init__": "",
        "web.__init__": "",
        "web.page": "import expression_ros.nodes.web\nfrom expression_ros.words import hello\n",
        "nodes.web": "def late():\n    from expression_ros.web import page\n" + "\n" * 400,
        "words": "hello = 1\n" * 30,
    }
    for module, text in texts.items():
        path = tmp_path / "expression_ros" / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    package = Package(tmp_path)
    assert list(figures(package).values()) == [
        "5", "2", "434", "1", "1", "3", "3", "2", "1", "1", "some",
    ]  # fmt: skip
    assert circle(package.graph)[0] in ("web.page", "nodes.web")
