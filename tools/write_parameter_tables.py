"""Writes the parameter tables of README.md from the tables the nodes declare from.

Usage: python tools/write_parameter_tables.py [README.md]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.parameters.nodes import TABLES
from expression_ros.parameters.table import ParameterSpec

BEGIN, END = "<!-- parameters: begin -->", "<!-- parameters: end -->"


def with_tables(text: str) -> str:
    """Return the README's text with the part between the two marks written anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{all_tables()}\n{END}{after}"


def all_tables() -> str:
    """Return one Markdown table per node."""
    parts = []
    for node, table in TABLES.items():
        rows = "\n".join(_row(spec) for spec in table)
        parts.append(
            f"**{node}**\n\n| parameter | default | range | at run time | what it does |\n"
            f"|---|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _row(spec: ParameterSpec) -> str:
    default = str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default)
    range_ = ", ".join(spec.choices)
    if spec.minimum is not None and spec.maximum is not None:
        range_ = f"{spec.minimum:g} to {spec.maximum:g}"
    change = "yes" if spec.run_time else "after cleanup" if spec.lifecycle else "at start"
    shown = f"`{default}`" if default else ""
    description = spec.description.replace("<", "&lt;")
    return f"| `{spec.name}` | {shown} | {range_} | {change} | {description} |"


if __name__ == "__main__":
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md")
    readme.write_text(with_tables(readme.read_text(encoding="utf-8")), encoding="utf-8")
