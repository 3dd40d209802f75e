"""Parameter tables: what they accept, how they refuse, and that the shipped files fit them."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import yaml

from expression_ros.parameters.nodes import TABLES
from expression_ros.parameters.table import ParameterSpec, check_value

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tools"))

SHARE = ParameterSpec("share", 0.5, "A share.", 0.0, 1.0)
COUNT = ParameterSpec("count", 3, "A count.", 1, 9)
FLAG = ParameterSpec("flag", True, "A flag.")
WORD = ParameterSpec("word", "a", "A word.", choices=("a", "b"))


@pytest.mark.parametrize("spec", [spec for table in TABLES.values() for spec in table])
def test_every_default_is_acceptable_and_described(spec):
    assert check_value(spec, spec.default) == ""
    assert spec.description.endswith(".")


@pytest.mark.parametrize(
    ("spec", "value"), [(SHARE, 0.0), (SHARE, 1), (COUNT, 9), (FLAG, False), (WORD, "b")]
)
def test_good_values_are_accepted(spec, value):
    assert check_value(spec, value) == ""


@pytest.mark.parametrize(
    ("spec", "value", "words"),
    [
        (SHARE, 1.5, "share must be from 0 to 1, not 1.5"),
        (SHARE, math.nan, "from 0 to 1"),
        (SHARE, "much", "share must be a number"),
        (SHARE, True, "share must be a number"),
        (COUNT, 0, "count must be from 1 to 9, not 0"),
        (COUNT, 2.5, "count must be a whole number"),
        (FLAG, 1, "flag must be true or false"),
        (WORD, "c", "word must be one of a, b, not 'c'"),
        (WORD, None, "word must be a text"),
    ],
)
def test_bad_values_are_refused_with_what_would_do(spec, value, words):
    assert words in check_value(spec, value)


def test_shipped_parameter_files_fit_the_tables():
    files = sorted((REPOSITORY / "config").glob("*.yaml"))
    assert files
    for file in files:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for node, entry in content.items():
            # /** is for the recognizer: ros2 param load knows no /**/name.
            of = "recognizer" if node == "/**" else node.split("/")[-1]
            table = {spec.name: spec for spec in TABLES[of]}
            for name, value in entry["ros__parameters"].items():
                assert name in table, f"{file.name}: {node} has no parameter {name}"
                assert check_value(table[name], value) == "", file.name


def test_readme_describes_every_parameter():
    from write_parameter_tables import with_tables

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert text == with_tables(text), "run: python tools/write_parameter_tables.py"
