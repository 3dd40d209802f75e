"""Which module of the package imports which, and the layers of CONTRIBUTING.md that it keeps to.

For test/test_layers.py, which holds the one to the other, and for tools/draw_architecture.py. Reads
source text only: nothing of the package is imported.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

NAME = "expression_ros"
MOST_LINES, FEW_LINES = 400, 30
_BESIDE = ("__init__", "__main__")  # files that Python asks for


class Layers:
    """The table of CONTRIBUTING.md, from the top down.

    Attributes:
        row: of a folder, 0 for the top; a file of the package's own folder is a folder, too.
        chain: of a folder in a ``>`` chain: (its chain, its place there).
        knows: what a row may know beside Python.
        what: what a row is for, as the table says it.
    """

    def __init__(self, text: str):
        table = text.partition("| folder | what | may know |")[2].partition("\n\n")[0]
        rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
        self.row: dict[str, int] = {}
        self.chain: dict[str, tuple[str, int]] = {}
        self.what = [row[1].strip() for row in rows]
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


def folder_of(module: str) -> str:
    """Return the folder of a module, as ``nodes/web``; a file in no folder counts as one."""
    folder, _, name = module.rpartition(".")
    return folder.replace(".", "/") or f"{name}.py"


def imports_in(text: str) -> list[str]:
    """Return the full names of all that a source text imports, at its top or later.

    Raises:
        ValueError: it imports relatively.
    """
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno} imports relatively: use the full name")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


class Package:
    """The modules of the package in a tree; their names are without ``expression_ros.``.

    Attributes:
        files: the file of each module; a folder's own is ``folder.__init__``.
        texts: the source text of each module.
    """

    def __init__(self, tree: Path):
        root = tree / NAME
        self.files = {
            ".".join(path.relative_to(root).with_suffix("").parts): path
            for path in sorted(root.rglob("*.py"))
        }
        self.texts = {m: path.read_text(encoding="utf-8") for m, path in self.files.items()}

    @cached_property
    def public(self) -> dict[str, str]:
        """The module in which each name is defined that users import from the package itself."""
        for node in ast.parse(self.texts["__init__"]).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
                homes: dict[str, tuple[str, ...]] = ast.literal_eval(node.value)
                return {name: home for home, names in homes.items() for name in names}
        return {}

    @cached_property
    def modules(self) -> list[str]:
        """All modules but the package's own file, which loads any of them on demand."""
        return [module for module in self.files if module != "__init__"]

    def module_of(self, name: str) -> str:
        """Return the module in which a full name that is imported is defined.

        What is imported from the package itself is at home in a module of it.

        Raises:
            ValueError: it is in no module.
        """
        name = name.removeprefix(f"{NAME}.")
        name = self.public.get(name, name)
        for module in (name, f"{name}.__init__", name.rpartition(".")[0]):
            if module in self.files:
                return module
        raise ValueError(f"{name} is in no module of {NAME}: import what is used by its full name")

    def imported_by(self, module: str) -> set[str]:
        """Return the modules of this package that one of them imports.

        Raises:
            ValueError: as for module_of and imports_in.
        """
        names = {name for name in imports_in(self.texts[module]) if name.split(".")[0] == NAME}
        return {self.module_of(name) for name in names - {f"{NAME}.__version__"}} - {module}

    @cached_property
    def graph(self) -> dict[str, set[str]]:
        """The modules that each module imports."""
        return {module: self.imported_by(module) for module in self.modules}

    @cached_property
    def between_folders(self) -> Counter[tuple[str, str]]:
        """How many imports lead from one folder into another."""
        pairs = ((folder_of(a), folder_of(b)) for a in self.graph for b in self.graph[a])
        return Counter(pair for pair in pairs if pair[0] != pair[1])


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return modules that import each other in a circle, the first again as the last; or none."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def reachable(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Return where the arrows from each folder lead to, directly or by others."""
    next_to: dict[str, set[str]] = {}
    for a, b in pairs:
        next_to.setdefault(a, set()).add(b)
    found: dict[str, set[str]] = {}
    for start, ahead in next_to.items():
        seen, rest = set(), list(ahead)
        while rest:
            folder = rest.pop()
            if folder not in seen:
                seen.add(folder)
                rest += next_to.get(folder, ())
        found[start] = seen
    return found


def figures(package: Package) -> dict[str, str]:
    """Return what can be counted of a package's order, as texts by name."""
    lines = {m: len(text.splitlines()) for m, text in package.texts.items()}
    written = [m for m in lines if m.rpartition(".")[2] not in _BESIDE]
    pairs = package.between_folders
    to = reachable(pairs)
    circles = {frozenset({a, *(b for b in to[a] if a in to.get(b, ()))}) for a in to if a in to[a]}
    importers = Counter(b for ahead in package.graph.values() for b in ahead)
    return {
        "files": str(len(lines)),
        "of these `__init__` and `__main__`": str(len(lines) - len(written)),
        "lines": f"{sum(lines.values()):,}",
        f"files of more than {MOST_LINES} lines": str(sum(n > MOST_LINES for n in lines.values())),
        f"files of less than {FEW_LINES} lines": str(sum(lines[m] < FEW_LINES for m in written)),
        "files with one importer": str(sum(importers[m] == 1 for m in written)),
        "imports of one module by another": f"{sum(map(len, package.graph.values())):,}",
        "pairs of folders of which one imports the other": str(len({frozenset(p) for p in pairs})),
        "pairs of folders that import each other": str(sum((b, a) in pairs for a, b in pairs) // 2),
        "circles of folders": str(len(circles)),
        "circles of files": "some" if circle(package.graph) else "none",
    }
