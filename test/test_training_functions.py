"""Each kind of training is a function of faces and a configuration; commands parse and call."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "expression_ros"
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for folder in ("training", "commands")
    for path in sorted((PACKAGE / folder).rglob("*.py"))
}
TRAINING = [name for name in FILES if name.startswith("training.")]
TRAIN_COMMANDS = [name for name in FILES if name.startswith("commands.train_")]


def parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> list[str]:
    """Return the full names of all that a module imports, at its top or later."""
    found = []
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def trained_by(command: str) -> tuple[str, ast.FunctionDef]:
    """Return the one module of training whose ``train`` a command calls, and that function."""
    (module,) = {
        name.removeprefix("expression_ros.").removesuffix(".train")
        for name in imports_of(command)
        if re.fullmatch(r"expression_ros\.training\..*\.train", name)
    }
    (function,) = (
        node
        for node in parsed(module).body
        if isinstance(node, ast.FunctionDef) and node.name == "train"
    )
    return module, function


@pytest.mark.parametrize("command", TRAIN_COMMANDS)
def test_a_training_command_calls_a_function_of_faces_and_a_frozen_configuration(command):
    module, function = trained_by(command)
    arguments = {a.arg: ast.unparse(a.annotation) for a in function.args.args}
    assert "Face" in arguments[function.args.args[0].arg], f"{module}.train takes no faces first"
    classes = {
        node.name: [ast.unparse(decorator) for decorator in node.decorator_list]
        for name in TRAINING
        for node in parsed(name).body
        if isinstance(node, ast.ClassDef)
    }
    assert classes[arguments["config"]] == ["dataclass(frozen=True)"]


@pytest.mark.parametrize("command", [*TRAIN_COMMANDS, "commands.evaluate", "commands.prepare"])
def test_a_command_of_training_works_on_no_arrays_itself(command):
    known = {name.split(".")[0] for name in imports_of(command)}
    assert not known & {"numpy", "cv2", "scipy", "sklearn", "torch", "onnx", "tempfile"}


@pytest.mark.parametrize("module", TRAINING)
def test_training_takes_no_parsed_options(module):
    tree = parsed(module)
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    named |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    assert not named & {"Namespace", "ArgumentParser", "add_argument", "arguments", "options"}
