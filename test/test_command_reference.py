"""docs/commands.md names every command, option, launch argument, target and tool there is."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "commands.md"
if not PAGE.is_file():
    pytest.skip("the documentation is not installed", allow_module_level=True)
sys.path.insert(0, str(REPOSITORY / "tools"))

import write_command_reference as reference  # noqa: E402


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def test_the_page_is_up_to_date(page):
    command = "python tools/write_command_reference.py"
    assert page == reference.with_reference(page), f"run: {command}"


def test_a_page_that_is_out_of_date_is_mended(page):
    outdated = page.replace("| `--min-face", "| `--old-name").replace("| `web` | `false` |", "| ")
    assert outdated != page
    assert reference.with_reference(outdated) == page


def test_help_tells_nothing_that_the_page_does_not(page):
    """What --help prints is held against the page, which is not made of it."""
    for parser in parsers(reference._parser()):
        if parser.prog == "expression-ros":
            continue
        assert f"### {parser.prog}\n" in page
        section = page.split(f"### {parser.prog}\n")[1].split("\n### ")[0]
        options = set(re.findall(r"--[a-z][a-z-]+", parser.format_usage()))
        missing = [option for option in options if f"`{option}" not in section]
        assert not missing, f"{parser.prog}: {missing}"


def test_the_text_does_not_depend_on_the_terminal(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert reference.with_reference(page) == page


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a|b", "| a\\|b |"), ("reads <name>/image", "| reads &lt;name>/image |")],
)
def test_what_markdown_would_swallow_is_escaped(value, shown):
    assert reference._row(value) == shown


def test_options_of_every_kind_are_told():
    parser = argparse.ArgumentParser(prog="tool")
    parser.add_argument("files", nargs="+", metavar="FILE", help="what is read")
    parser.add_argument("--size", type=int, default=3, help="in px (default: %(default)s)")
    parser.add_argument("--late", type=float, default=0.0, help="seconds (default: for ever)")
    parser.add_argument("--flip", action=argparse.BooleanOptionalAction, default=True, help="flip")
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--kind", choices=("a", "b"), help="of 100 %%")
    one.add_argument("--other", action="store_true", help="the other")
    lines = reference._section(parser, "try").splitlines()
    assert lines[2] == "`tool [options] FILE ...`: try."
    assert "One of `--kind`, `--other` is given." in lines
    assert lines[-6:] == [
        "| `FILE` | required | what is read |",
        "| `--size SIZE` | `3` | in px |",
        "| `--late LATE` |  | seconds (default: for ever) |",
        "| `--flip`, `--no-flip` | `--flip` | flip |",
        "| `--kind {a,b}` |  | of 100 % |",
        "| `--other` |  | the other |",
    ]


def test_targets_tools_and_nodes_are_named(page):
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.M).group(1).split()
    assert [target for target in targets if f"| `make {target}` |" not in page] == []
    tools = [p.name for p in (REPOSITORY / "tools").iterdir() if p.suffix in (".py", ".sh")]
    assert [tool for tool in sorted(tools) if f"`{tool}`" not in page] == []
    setup = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    nodes = re.findall(r'"(\w+) = expression_ros\.nodes\.', setup)
    assert len(nodes) > 5
    assert [node for node in nodes if f"| `{node}` |" not in page] == []
