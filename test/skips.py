"""With EXPRESSION_ROS_NO_SKIPS=1, a test that is skipped fails the run, but for those listed here.

EXPRESSION_ROS_UNPREPARED names, between commas, what tools/prepare_tests.sh could not prepare: what
needs that may be skipped as well. EXPRESSION_ROS_TEST_REPORT names a file to which a run adds what
it ran and skipped, as ``ran 12`` and ``skipped FILE: reason``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

# What is skipped, by a pattern for "FILE: reason", and why no preparation helps.
ALLOWED = {
    r"test_launch\w*\.py: needs ROS 2's launch": "no package index has launch; "
    "test_launch_description.py reads the launch files with a stand-in",
    r"test_security\.py: needs SROS2": "no package index has it",
    r"no labelled faces|needs shared/data|no london\.zip": "their licences forbid to pass them on",
    r"no weights of (yunet|centerface)": "they are the user's own, and no part of this package",
    r"test_faults\.py: needs a machine on which a process may mount": "containers often forbid it",
    r"test_robots_shipped\.py: this hri_msgs was generated": "no package index has the real one",
    r"test_image_properties\.py: the peak of a process's memory": "containers may forbid it",
    r"test_analyze\.py: this OpenCV counts the frames": "a part of one test; depends on the codec",
}
# What needs a part that tools/prepare_tests.sh may fail to prepare.
NEEDS = {
    "clips": r"no clips",
    "interfaces": r"vision_msgs|hri_msgs",
    "screen": r"Xvfb|libX11|tkinter|Pillow",
    "browser": r"Playwright|no browser|axe",
    "networks": r"PyTorch|onnx",
    "landmarks": r"dlib|face_recognition_models|predictor",
}


def skipped_as(report: pytest.CollectReport | pytest.TestReport) -> str | None:
    """Return ``FILE: reason`` of a skipped report, else None; expected failures are no skips."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    file = Path(report.nodeid.split("::")[0]).name
    return f"{file}: {reason.removeprefix('Skipped: ')}"


def is_allowed(skip: str, unprepared: tuple[str, ...] = ()) -> bool:
    """Return whether a test may be skipped like this where these parts could not be prepared."""
    patterns = [*ALLOWED, *(NEEDS[part] for part in unprepared if part in NEEDS)]
    return any(re.search(pattern, skip) for pattern in patterns)


@dataclass(eq=False)  # pytest keeps plugins in sets
class SkipsFail:
    """Plugin that counts the tests that ran, and fails the run for each skip that is not listed."""

    unprepared: tuple[str, ...] = ()
    report_file: str = ""

    def __post_init__(self) -> None:
        self.ran = 0
        self.skips: dict[str, str] = {}  # by test or file

    @property
    def unlisted(self) -> dict[str, str]:
        """Return those skips that fail the run."""
        return {n: s for n, s in self.skips.items() if not is_allowed(s, self.unprepared)}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call" and not report.skipped
        self._note(report)

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        skip = skipped_as(report)
        if skip:
            self.skips[report.nodeid] = skip

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unlisted and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.report_file:
            with open(self.report_file, "a", encoding="utf-8") as file:
                file.write(f"ran {self.ran}\n")
                file.writelines(f"skipped {skip}\n" for skip in self.skips.values())

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for nodeid, skip in self.unlisted.items():
            terminalreporter.write_line(
                f"FAILED {nodeid}: skipped, and test/skips.py does not list why: {skip}", red=True
            )


def from_environment(variables: Mapping[str, str] = os.environ) -> SkipsFail | None:
    """Return the plugin that the environment variables ask for, or None."""
    if variables.get("EXPRESSION_ROS_NO_SKIPS", "0") in ("", "0"):
        return None
    unprepared = variables.get("EXPRESSION_ROS_UNPREPARED", "")
    return SkipsFail(
        tuple(part.strip() for part in unprepared.split(",") if part.strip()),
        variables.get("EXPRESSION_ROS_TEST_REPORT", ""),
    )
