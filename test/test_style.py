"""The code is as ruff and mypy want it, and nothing is unpickled."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "expression_ros"


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


def test_nothing_is_unpickled_or_evaluated():
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not {"pickle", "joblib", "shelve", "marshal"} & set(imports_of(file)), file
        calls = [n.func.id for n in ast.walk(tree)
                 if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]  # fmt: skip
        assert not {"eval", "exec"} & set(calls), file
