"""Breaks copies of the code on purpose and reports which faults the tests do not notice.

By default the faults of tools/mutations.yaml, each with the tests that are to notice it. With
--generic FILE small changes of any kind are made to one file: other comparisons, other numbers,
statements left out; what survives those is either not tested or changes nothing that matters.

The checkout is never changed: the tests run on a copy in a temporary folder. The end code is 1 when
a fault survived, an entry does not fit the code any more, or its tests fail without the fault.

Usage: python tools/mutate.py [--only WORD ...]
       python tools/mutate.py --generic FILE [--limit N] [--seed S] [--tests "test/test_x.py -k y"]
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import yaml
from mutation_operators import mutants_of

REPOSITORY = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).resolve().with_name("mutations.yaml")

KILLED, SURVIVED, STALE, BROKEN, SKIPPED = "killed", "SURVIVED", "STALE", "BROKEN", "skipped"
FAILURES = {SURVIVED, STALE, BROKEN}

_COPIED = ("expression_ros", "test", "tools")  # the rest of the checkout is only linked to
_TIME_LIMIT_S = 300.0  # of tests on sound code
_SLOWER = 4.0  # times as long as on sound code, and
_SLACK_S = 20.0  # this much longer, may tests take before a fault counts as hanging
_NO_TESTS = 5  # end code of pytest


class Mutation(NamedTuple):
    """One fault.

    Attributes:
        name: what is wrong, in words.
        file: path within the repository.
        old: text that occurs exactly once in the file.
        new: what takes its place.
        tests: arguments of pytest that choose the tests which are to notice.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str


class Outcome(NamedTuple):
    """What became of a fault (KILLED ...), and in one line why."""

    kind: str
    reason: str


class TableError(ValueError):
    """The table of mutations is not in its form."""


def read_table(path: Path) -> list[Mutation]:
    """Return the mutations of a YAML file: a list of mappings with the fields of Mutation.

    Raises:
        TableError: an entry lacks a field or has an unknown one, or two have the same name.
    """
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    mutations = []
    for number, row in enumerate(rows or [], 1):
        if not isinstance(row, dict) or set(row) != set(Mutation._fields):
            raise TableError(f"entry {number} of {path.name}: give {', '.join(Mutation._fields)}")
        mutations.append(Mutation(**{key: str(value) for key, value in row.items()}))
    twice = [name for name, count in Counter(m.name for m in mutations).items() if count > 1]
    if twice:
        raise TableError(f"two entries of {path.name} are called {twice[0]!r}")
    return mutations


def mutated(source: str, mutation: Mutation) -> str:
    """Return a file's text with the fault in it.

    Raises:
        TableError: the old text is not there exactly once, or the outcome is not Python.
    """
    found = source.count(mutation.old)
    if found != 1:
        raise TableError(f"the old text occurs {found} times in {mutation.file}, not once")
    text = source.replace(mutation.old, mutation.new)
    if mutation.file.endswith(".py"):
        try:
            compile(text, mutation.file, "exec")
        except SyntaxError as error:
            raise TableError(f"the new text is not Python: {error}") from None
    return text


class Bench:
    """A copy of a repository in which faults are made and tests run.

    Args:
        repository: what to copy.
        folder: where to; empty.
    """

    def __init__(self, repository: Path, folder: Path):
        self.folder = folder
        self._sound: dict[str, tuple[Outcome | None, float]] = {}  # tests to what they say
        for path in repository.iterdir():
            if path.name in _COPIED:
                shutil.copytree(
                    path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__")
                )
            elif path.name not in (".git", ".hypothesis", ".pytest_cache"):
                (folder / path.name).symlink_to(path.resolve())

    def try_out(self, mutation: Mutation) -> Outcome:
        """Return what becomes of one fault; the copy is as before after it."""
        path = self.folder / mutation.file
        try:
            source = path.read_text(encoding="utf-8")
            text = mutated(source, mutation)
        except (OSError, TableError) as error:
            return Outcome(STALE, str(error))
        problem, seconds = self._on_sound_code(mutation.tests)
        if problem is not None:
            return problem
        path.write_text(text, encoding="utf-8")
        try:
            code, output = self._run(mutation.tests, _SLOWER * seconds + _SLACK_S)
        finally:
            path.write_text(source, encoding="utf-8")
        if code is None:
            return Outcome(KILLED, "hung")
        if code == 0:
            return Outcome(SURVIVED, mutation.tests)
        return Outcome(KILLED, _first_failure(output))

    def _on_sound_code(self, tests: str) -> tuple[Outcome | None, float]:
        """Return why tests can tell nothing (None if they can), and how long they take, s."""
        if tests not in self._sound:
            begin = time.monotonic()
            code, output = self._run(tests, _TIME_LIMIT_S)
            problem = None
            if code == _NO_TESTS:
                problem = Outcome(STALE, f"no tests are chosen by: {tests}")
            elif code != 0:
                problem = Outcome(BROKEN, f"fails without the fault: {_first_failure(output)}")
            elif not re.search(r"\b[1-9]\d* passed", output):
                problem = Outcome(SKIPPED, f"nothing runs on this machine of: {tests}")
            self._sound[tests] = problem, time.monotonic() - begin
        return self._sound[tests]

    def _run(self, tests: str, limit_s: float) -> tuple[int | None, str]:
        """Return the end code of pytest (None if it had to be ended) and what it wrote."""
        paths = [str(self.folder), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            # Within one second a changed file of the same size would be taken for the old one.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # no test needs one, and loading takes longest
        }
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [*command, *shlex.split(tests)], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return process.returncode, output


def _first_failure(output: str) -> str:
    found = re.search(r"^(FAILED|ERROR) (.*)$", output, re.MULTILINE)
    lines = output.strip().splitlines()
    return (found.group(2) if found else lines[-1] if lines else "no output")[:150]


def generic(file: str, source: str, tests: str, limit: int, seed: int) -> list[Mutation]:
    """Return at most ``limit`` small changes of a file, drawn at random but in their order."""
    mutants = mutants_of(source)
    chosen = sorted(random.Random(seed).sample(range(len(mutants)), min(limit, len(mutants))))
    return [
        Mutation(f"{file}:{one.line}: {one.what}", file, source, one.text, tests)
        for one in (mutants[k] for k in chosen)
    ]


def run(repository: Path, mutations: list[Mutation]) -> int:
    """Try out all mutations, print a line each, and return the end code."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutations_") as folder:
        bench = Bench(repository, Path(folder))
        for mutation in mutations:
            outcome = bench.try_out(mutation)
            counts[outcome.kind] += 1
            print(f"{outcome.kind:<9} {mutation.name}\n{'':<9} {outcome.reason}", flush=True)
    print(", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)) or "no mutations")
    return 1 if FAILURES & set(counts) else 0


def main(arguments: list[str] | None = None) -> int:
    """Try out what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="WORD", help="entries whose name or file "
                        "contains one of these")  # fmt: skip
    parser.add_argument(
        "--table", type=Path, default=TABLE, help="of faults, by default %(default)s"
    )
    parser.add_argument("--generic", metavar="FILE", help="make small changes of any kind to FILE")
    parser.add_argument("--tests", help="for --generic: what to run; by default the test file "
                        "of the same name")  # fmt: skip
    parser.add_argument("--limit", type=int, default=20, help="changes made by --generic")
    parser.add_argument("--seed", type=int, default=0, help="which ones are drawn")
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the tests and clears up
    try:
        if options.generic:
            file = str(Path(options.generic))
            source = (options.repository / file).read_text(encoding="utf-8")
            tests = options.tests or f"test/test_{Path(file).stem}.py"
            mutations = generic(file, source, tests, options.limit, options.seed)
        else:
            mutations = read_table(options.table)
            if options.only:
                mutations = [
                    mutation
                    for mutation in mutations
                    if any(word in mutation.name or word in mutation.file for word in options.only)
                ]
    except (OSError, SyntaxError, TableError) as error:
        parser.error(str(error))
    return run(options.repository, mutations)


if __name__ == "__main__":
    sys.exit(main())
