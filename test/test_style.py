"""The code is as ruff and mypy want it, and nothing is unpickled."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "expression_ros"


@pytest.mark.parametrize("arguments", [["ruff", "check", "."], ["mypy"]])
def test_linters_are_content(arguments):
    pytest.importorskip(arguments[0], reason=f"needs {arguments[0]}: pip install '.[test]'")
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


# What mypy looks into: the tools' environment always has it (tools/make_environment.sh).
ALWAYS_THERE = {
    "ament_index_python", "cv2", "matplotlib", "numpy", "rclpy", "scipy", "sklearn", "tornado",
    "yaml", *["builtin", "diagnostic", "lifecycle", "rcl", "sensor", "std", "trajectory"],
}  # fmt: skip
MESSAGES = re.compile("_(msgs|srvs|interfaces)$")


def test_types_are_the_same_with_optional_packages_and_without():
    """Mypy knows nothing of a package that may be missing, also where it is there."""
    settings = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    skipped = re.search(r"module = \[(.*)\]\nfollow_imports = \"skip\"", settings)
    assert skipped
    outside = {
        name.partition(".")[0] for file in PACKAGE.rglob("*.py") for name in imports_of(file)
    }
    outside -= {*sys.stdlib_module_names, PACKAGE.name}
    optional = {name for name in outside if MESSAGES.sub("", name) not in ALWAYS_THERE}
    assert optional == set(re.findall(r"(\w+)\.\*", skipped[1]))


def test_the_types_are_strict(tmp_path):
    """A function without types is an error; held here so that nobody loosens the settings."""
    pytest.importorskip("mypy", reason="needs mypy: pip install '.[test]'")
    (tmp_path / "untyped.py").write_text("def double(number): return 2 * number")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", tmp_path / "untyped.py"],
        cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    assert "[no-untyped-def]" in done.stdout, done.stdout + done.stderr


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
