"""The tool that breaks the code on purpose: what it calls killed, survived and out of date."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from mutate import REPOSITORY, TABLE, TableError, main, mutated, read_table
from mutation_operators import mutants_of

TOY = """\
def larger(a, b):
    return a if a > b else b


def wait(limit=3):
    while limit > 0:
        limit -= 1
    return limit
"""
TOY_TESTS = """\
import pytest
from expression_ros.toy import larger, wait


def test_larger():
    assert larger(1, 2) == 2


def test_wait():
    assert wait() == 0


def test_wrong():
    assert larger(1, 2) == 3


@pytest.mark.skip
def test_left_out():
    assert larger(1, 2) == 3
"""


@pytest.fixture
def toy(tmp_path):
    """Return a repository with one module, tested in part, and a table of faults."""
    for folder in ("expression_ros", "test"):
        (tmp_path / folder).mkdir()
    (tmp_path / "expression_ros" / "__init__.py").touch()
    (tmp_path / "expression_ros" / "toy.py").write_text(TOY)
    (tmp_path / "test" / "test_toy.py").write_text(TOY_TESTS)
    return tmp_path


def entry(name, old, new, tests, file="expression_ros/toy.py"):
    tests = f"test/test_toy.py -k {tests}"
    return f"- {{name: {name}, file: {file}, old: '{old}', new: '{new}', tests: {tests}}}\n"


def tried(toy, capsys, *entries):
    """Return the end code and what became of each entry."""
    table = toy / "mutations.yaml"
    table.write_text("".join(entries))
    code = main(["--repository", str(toy), "--table", str(table)])
    lines = capsys.readouterr().out.splitlines()[:-1:2]
    return code, {line.split()[1]: line.split()[0] for line in lines}


def test_what_tests_notice_is_killed_and_the_code_stays_as_it_is(toy, capsys):
    found = tried(
        toy, capsys,
        entry("smaller", "a > b", "a < b", "larger"),
        entry("unlimited", "limit=3", "limit=4", "wait"),
        entry("no_module", "def larger", "def renamed", "larger"),
    )  # fmt: skip
    assert found == (1, {"smaller": "killed", "unlimited": "SURVIVED", "no_module": "killed"})
    assert (toy / "expression_ros" / "toy.py").read_text() == TOY


def test_a_fault_that_hangs_is_killed(toy, capsys, monkeypatch):
    monkeypatch.setattr("mutate._SLACK_S", 0.0)
    found = tried(toy, capsys, entry("endless", "limit -= 1", "limit -= 0", "wait"))
    assert found == (0, {"endless": "killed"})


def test_what_can_tell_nothing_is_not_called_killed(toy, capsys):
    found = tried(
        toy, capsys,
        entry("gone", "a >= b", "a < b", "larger"),
        entry("twice", "limit", "bound", "larger"),
        entry("elsewhere", "a > b", "a < b", "larger", file="expression_ros/missing.py"),
        entry("nonsense", "a > b", "a >", "larger"),
        entry("untested", "a > b", "a < b", "no_such_test"),
        entry("wrong", "a > b", "a < b", "wrong"),
        entry("left_out", "a > b", "a < b", "left_out"),
    )  # fmt: skip
    stale = ("gone", "twice", "elsewhere", "nonsense", "untested")
    assert found == (1, dict.fromkeys(stale, "STALE") | {"wrong": "BROKEN", "left_out": "skipped"})


def test_small_changes_of_any_kind_are_drawn_and_survivors_told(toy, capsys):
    command = ["--repository", str(toy), "--generic", "expression_ros/toy.py", "--limit", "3"]
    assert main([*command, "--tests", "test/test_toy.py -k larger"]) == 1
    output = capsys.readouterr().out
    lines = [line for line in output.splitlines() if "expression_ros/toy.py:" in line]
    assert len(lines) == 3
    assert any(line.startswith("SURVIVED") for line in lines)  # nobody looks at wait()


@pytest.mark.parametrize(("code", "changes"), [
    ("a < b", {"a <= b", "a >= b"}), ("a == b", {"a != b"}), ("a in b", {"a not in b"}),
    ("a and b", {"a or b"}), ("not a", {"a"}), ("a + b", {"a - b"}),
    ("f(x=True)", {"f(x=False)", "pass"}), ("3", {"4", "2"}), ("0.5", {"1.0", "0.25"}),
    ("a.b = c", {"pass"}), ("a += c", {"pass"}), ("raise a", {"pass"}), ("a = c", set()),
    ("'é' < a", {"'é' <= a", "'é' >= a"}), ("x: int = a", set()), ("f'{a < b}'", set()),
    ("assert a < b", set()), ("def f():\n    return a", {"def f():\n    return None"}),
])  # fmt: skip
def test_changes_of_any_kind(code, changes):
    found = {ast.unparse(ast.parse(mutant.text)) for mutant in mutants_of(code)}
    assert found == changes


def test_every_entry_of_the_table_fits_the_code():
    for mutation in read_table(TABLE):
        source = (REPOSITORY / mutation.file).read_text(encoding="utf-8")
        try:
            mutated(source, mutation)
        except TableError as error:
            pytest.fail(f"tools/mutations.yaml, {mutation.name!r}: {error}; bring it up to date")
        tests = mutation.tests.split()[0].split("::")[0]
        assert (REPOSITORY / tests).is_file(), mutation


@pytest.mark.parametrize(("text", "words"), [
    ("- {name: a}", "entry 1 of t.yaml: give name, file, old, new, tests"),
    ("[{name: a, file: f, old: o, new: n, tests: t}, {name: a, file: f, old: o, new: n, tests: t}]",
     "two entries of t.yaml are called 'a'"),
])  # fmt: skip
def test_a_table_that_is_none_is_refused(tmp_path, text, words):
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(TableError, match=words):
        read_table(tmp_path / "t.yaml")
