"""EXPRESSION_ROS_NO_SKIPS=1 turns each skip that is not listed into a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from skips import ALLOWED, NEEDS, from_environment, is_allowed

TESTS = {
    "test_ran.py": "def test_a(): pass\ndef test_b(): pass\n",
    "test_part.py": "import pytest\ndef test_c(): pytest.skip('no browser')\ndef test_d(): pass\n",
    "test_file.py": "import pytest\npytest.importorskip('nothing_like_it', reason='needs it')\n",
    "test_security.py": "import pytest\ndef test_e(): pytest.skip('needs SROS2: apt')\n",
    "test_expected.py": "import pytest\n@pytest.mark.xfail\ndef test_f(): assert False\n",
    "test_marked.py": "import pytest\n@pytest.mark.skip(reason='for fun')\ndef test_g(): pass\n",
}


def run(folder, *files, words=(), **variables):
    """Run some of the tests above with the plugin; return the exit code, the output, the report."""
    here = Path(__file__).resolve().parent
    (folder / "conftest.py").write_text(
        "import skips\ndef pytest_configure(config):\n"
        "    plugin = None if hasattr(config, 'workerinput') else skips.from_environment()\n"
        "    plugin and config.pluginmanager.register(plugin)\n",
        encoding="utf-8",
    )
    for name in files:
        (folder / name).write_text(TESTS[name], encoding="utf-8")
    report = folder / "report"
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("EXPRESSION_ROS_", "PYTEST_"))}  # fmt: skip
    environment |= {"PYTHONPATH": str(here), "EXPRESSION_ROS_TEST_REPORT": str(report),
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, str(folder)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, report.read_text() if report.is_file() else ""


@pytest.mark.parametrize("words", [(), ("-p", "xdist", "-n", "2")])
def test_unlisted_skips_fail_a_run_in_which_all_else_passes(tmp_path, words):
    code, output, report = run(tmp_path, *TESTS, words=words, EXPRESSION_ROS_NO_SKIPS="1")
    assert code == 1, output
    for line in ("test_part.py::test_c: skipped", "test_file.py: skipped", "for fun"):
        assert line in output
    assert output.count("test/skips.py does not list why") == 3
    lines = report.splitlines()
    assert lines[0] == "ran 3" and len(lines) == 5
    assert "skipped test_security.py: needs SROS2: apt" in lines


def test_without_the_switch_skips_are_skips(tmp_path):
    code, output, report = run(tmp_path, *TESTS)
    assert code == 0 and "does not list" not in output and not report


def test_a_file_that_is_skipped_whole_fails_although_no_test_was_collected(tmp_path):
    assert run(tmp_path, "test_file.py", EXPRESSION_ROS_NO_SKIPS="1")[0] == 1


def test_listed_skips_and_those_of_an_unprepared_part_pass(tmp_path):
    variables = {"EXPRESSION_ROS_NO_SKIPS": "1"}
    files = ("test_security.py", "test_part.py")
    assert run(tmp_path, *files, **variables, EXPRESSION_ROS_UNPREPARED="x, browser")[0] == 0


def test_the_list_is_short_explained_and_holds_nothing_that_can_be_prepared():
    assert len(ALLOWED) < 10 and all(len(why) > 15 for why in ALLOWED.values())
    for reason in ("test_web_page.py: needs Playwright: pip install '.[browser]'",
                   "test_cnn_training.py: needs PyTorch: pip install torch onnx",
                   "test_viewing_live.py: needs Xvfb: sudo apt install xvfb",
                   "test_landmarks.py: needs dlib: pip install dlib-bin",
                   "test_mirror_node.py: needs rclpy: pip install '.[ros]' or source ROS 2",
                   "test_hri_outputs_node.py: needs hri_msgs: tools/build_test_interfaces.py",
                   "test_demo.py: no clips: python tools/fetch_clips.py x"):  # fmt: skip
        assert not is_allowed(reason), reason
        assert is_allowed(reason, tuple(NEEDS)) != ("rclpy" in reason), reason


def test_the_switch_is_off_by_default():
    assert from_environment({}) is None
    assert {from_environment({"EXPRESSION_ROS_NO_SKIPS": "1"})}  # pytest keeps plugins in sets
    assert from_environment({"EXPRESSION_ROS_NO_SKIPS": "0"}) is None


@pytest.mark.parametrize(("all_there", "expected"), [(True, ""), (False, ",".join(NEEDS))])
def test_what_cannot_be_prepared_is_named_and_is_no_failure(tmp_path, all_there, expected):
    folder = tmp_path / "bin"
    folder.mkdir()
    answer = f"exit {0 if all_there else 1}"
    commands = {"python": answer, "chromium": answer, "Xvfb": "exit 0", "id": "echo 1000",
                "apt-get": "echo never; exit 9"}  # fmt: skip
    for name, text in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    script = Path(__file__).resolve().parent.parent / "tools" / "prepare_tests.sh"
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", str(script), str(tmp_path)], env=environment, timeout=60,
                          capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr
    assert ("not root" in done.stderr) != all_there
    assert done.stderr.count("not prepared") >= len(expected.split(",")) or all_there
