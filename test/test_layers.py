"""Imports run downwards, as the table in CONTRIBUTING.md says, without exceptions."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "expression_ros"
MOST_LINES = 400
# What package.xml asks of ROS, and messages of any kind.
NEEDED = re.findall(r"<exec_depend>(?!python3|lib)(\w+)<", (REPOSITORY / "package.xml").read_text())
ROS = re.compile("|".join([*NEEDED, r"\w+_(msgs|srvs|interfaces)"]))
ARGPARSE = re.compile("argparse")


class Layers:
    """The table of CONTRIBUTING.md, from the top down.

    Attributes:
        row: of a folder, 0 for the top; a file of the package's own folder is a folder, too.
        chain: of a folder in a ``>`` chain: (its chain, its place there).
        knows: what a row may know beside Python.
    """

    def __init__(self, text: str):
        table = text.partition("| folder | what | may know |")[2].partition("\n\n")[0]
        rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
        self.row: dict[str, int] = {}
        self.chain: dict[str, tuple[str, int]] = {}
        self.knows = [{word.strip() for word in row[2].split(",")} for row in rows]
        for number, (folders, *_) in enumerate(rows):
            for chain in folders.split(","):
                for place, name in enumerate(re.findall(r"`([\w/.]+?)/?`", chain)):
                    assert name not in self.row, f"{name} stands twice in CONTRIBUTING.md"
                    self.row[name] = number
                    self.chain[name] = chain, place

    def broken_rule(self, importer: str, imported: str) -> str:
        """Return which rule a folder breaks that imports from another, empty for none."""
        above, below = self.row[importer], self.row[imported]
        if importer == imported or above < below:
            return ""
        if above > below:
            return f"upward: {importer} stands below {imported}"
        (chain, place), (other, there) = self.chain[importer], self.chain[imported]
        if chain == other and place < there:
            return ""
        return f"sideways: {importer} stands beside {imported}"


LAYERS = Layers((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def folder_of(module: str) -> str:
    folder, _, name = module.rpartition(".")
    return folder.replace(".", "/") or f"{name}.py"


def imports_of(path: Path) -> list[str]:
    """Return the full names of all that a file imports, at its top or later."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def modules_of_ours(path: Path) -> set[str]:
    """Return the modules of this package that a file imports."""
    found = set()
    for name in imports_of(path):
        if not name.startswith("expression_ros."):
            continue
        name = name.removeprefix("expression_ros.")
        if name in FILES or f"{name}.__init__" in FILES:
            found.add(name)
        elif name.rpartition(".")[0] in FILES:
            found.add(name.rpartition(".")[0])
    return found


PLAIN = {module: path for module, path in FILES.items() if module != "__init__"}


@pytest.mark.parametrize("module", PLAIN)
def test_imports_run_downwards(module):
    for imported in modules_of_ours(FILES[module]):
        broken = LAYERS.broken_rule(folder_of(module), folder_of(imported))
        assert not broken, f"{module} imports {imported}; {broken}"


def test_no_files_import_each_other_in_a_circle():
    graph = {module: modules_of_ours(path) - {module} for module, path in FILES.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(("word", "names"), [("ROS", ROS), ("argparse", ARGPARSE)])
def test_only_who_may_knows_of(word, names):
    seen = set()
    for module, path in PLAIN.items():
        folder = folder_of(module)
        allowed = LAYERS.knows[LAYERS.row[folder]]
        known = {top for name in imports_of(path) if names.fullmatch(top := name.split(".")[0])}
        seen |= known
        known = set() if word in allowed else known - allowed
        assert not known, f"{module} imports {known}: {word} is not for {folder}"
    assert seen, f"nobody imports {word}: it is not recognized"


def test_the_table_names_every_folder_and_no_other():
    assert set(LAYERS.row) == {folder_of(module) for module in PLAIN}


def test_no_file_is_longer_than_one_reads():
    long = {m: n for m, path in FILES.items()
            if (n := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES}  # fmt: skip
    assert not long


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
