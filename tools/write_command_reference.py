"""Writes the tables of docs/commands.md from the command line's parsers and the launch file.

Usage: python tools/write_command_reference.py [docs/commands.md]
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.cli import _parser

REPOSITORY = Path(__file__).resolve().parent.parent
LAUNCH_FILE = REPOSITORY / "launch" / "recognizer.launch.py"
PARTS = ("commands", "launch")


def with_reference(text: str) -> str:
    """Return the page's text with the parts between the marks written anew."""
    for name, tables in zip(PARTS, (all_commands(), launch_arguments()), strict=True):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{tables}\n{end}{after}"
    return text


def all_commands() -> str:
    """Return one section per command, with a table of what it takes."""
    return "\n\n".join(_section(parser, told) for parser, told in _commands(_parser()))


def launch_arguments() -> str:
    """Return the table of the launch file's arguments; read, not run: launch may be missing."""
    for node in ast.parse(LAUNCH_FILE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ARGUMENTS":
            rows = [_row(f"`{name}`", f"`{default}`" if default else "", told)
                    for name, default, told in ast.literal_eval(node.value)]  # fmt: skip
            return "\n".join([_row("argument", "default", "what it does"), "|---|---|---|", *rows])
    raise ValueError(f"{LAUNCH_FILE} has no ARGUMENTS")


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Yield the parser of every command below this one, with the line that its list says of it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                yield command, told[name]
                yield from _commands(command)


def _section(parser: argparse.ArgumentParser, told: str) -> str:
    """Return the section of one command.

    A table is made of what the parser knows, not of the text that --help prints: that one differs
    between versions of Python and with the width of the terminal.
    """
    taken = [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]
    inner = [a for a in taken if isinstance(a, argparse._SubParsersAction)]
    taken = [a for a in taken if a not in inner]
    words = [parser.prog, *(_values(a) for a in taken if not a.option_strings)]
    lines = [f"### {parser.prog}", ""]
    if any(action.option_strings for action in taken):
        words.insert(1, "[options]")
    words += [str(a.metavar) if a.required else f"[{a.metavar}]" for a in inner]
    lines += [f"`{' '.join(words)}`: {told}.{_after(parser.description)}"]
    for group in parser._mutually_exclusive_groups:
        names = ", ".join(f"`{action.option_strings[-1]}`" for action in group._group_actions)
        one = "One of" if group.required else "At most one of"
        lines += ["", f"{one} {names} is given." if group.required else f"{one} {names}."]
    if taken:
        lines += ["", _row("", "default", "what it does"), "|---|---|---|"]
        lines += [_row(_name(a), _default(a), _told(a, parser)) for a in taken]
    return "\n".join(lines)


def _after(description: str | None) -> str:
    return f" {description}" if description else ""


def _row(*cells: str) -> str:
    """Return one row of a table; a bar in a cell and a word in <> would not be shown."""
    shown = [cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells]
    return f"| {' | '.join(shown)} |"


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    values = "" if action.nargs == 0 else f" {_values(action)}"
    return ", ".join(f"`{option}{values}`" for option in action.option_strings)


def _values(action: argparse.Action) -> str:
    """Return the placeholder of an action's value, with what may be repeated or left out."""
    name = str(action.metavar or action.dest.upper())
    if action.choices and not action.metavar:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(action.nargs), name)


def _default(action: argparse.Action) -> str:
    value: Any = action.default
    if action.required:
        return "required"
    if value is None or value is False or value in ("", []):
        return ""
    if "(default: " in (action.help or "").replace("(default: %(default)s", ""):
        return ""  # said in words
    if value is True:
        return f"`{action.option_strings[0]}`"
    return f"`{' '.join(map(str, value)) if isinstance(value, list) else value}`"


def _told(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """Return the help text; a default that has a column of its own is not said again."""
    text = (action.help or "").removesuffix("(default: %(default)s)").strip()
    return text % {**vars(action), "prog": parser.prog}


if __name__ == "__main__":
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "commands.md"
    page.write_text(with_reference(page.read_text(encoding="utf-8")), encoding="utf-8")
