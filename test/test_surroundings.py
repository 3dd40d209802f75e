"""Every command and every node in poor surroundings: it works, or ends with one line and a code.

No home, a home that is a file, a current folder that was deleted, an output that is closed or full,
a terminal of few letters, an output folder that cannot be made. The commands are those of the
parser, the nodes those of setup.py, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from expression_ros import cli

REPOSITORY = Path(__file__).resolve().parent.parent

# Of each command one call; {file} is a text file, so that no output can be made below it.
CALLS = {
    "predict": "predict {image} --output {file}/out",
    "live": "live --video {missing}",
    "web": "web --video {missing} --port 0",
    "analyze": "analyze {images} --output {file}/out",
    "demo": "demo --video {image} --output {file}/out",
    "robots": "robots",
    "robots show": "robots show {file}",
    "calibrate": "calibrate ada --faces {missing}",
    "prepare": "prepare --data {missing} --output {file}/out",
    "train fisherfaces": "train fisherfaces --data {missing} --output {file}/out",
    "train svm": "train svm --data {missing} --output {file}/out",
    "train knn": "train knn --data {missing} --output {file}/out",
    "train mlp": "train mlp --data {missing} --output {file}/out",
    "train landmarks": "train landmarks --data {missing} --output {file}/out",
    "train cnn": "train cnn --data {missing} --output {file}/out",
    "train mouth-cover": "train mouth-cover --data {missing} --output {file}/out",
    "evaluate": "evaluate --data {missing} --report {file}/out",
}
NODES = re.findall(
    r'"(\w+) = expression_ros\.nodes\.', (REPOSITORY / "setup.py").read_text(encoding="utf-8")
)


def leaves(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()):
    """Yield the words of each command of a parser that does something."""
    if parser.get_default("func"):
        yield " ".join(words)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, part in action.choices.items():
                yield from leaves(part, (*words, name))


def test_every_command_is_called_here():
    assert sorted(CALLS) == sorted(leaves(cli._parser()))


@pytest.fixture
def files(tmp_path):
    from skimage.io import imsave

    noise = __import__("numpy").zeros((40, 40, 3), "uint8")
    (tmp_path / "pictures").mkdir()
    imsave(tmp_path / "pictures" / "grün.png", noise, check_contrast=False)
    (tmp_path / "file").write_text("no folder")
    return {"image": tmp_path / "pictures" / "grün.png", "images": tmp_path / "pictures",
            "file": tmp_path / "file", "missing": tmp_path / "mißing ☺"}  # fmt: skip


def terminal(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")


def ascii_terminal(monkeypatch, files):
    monkeypatch.setattr(sys, "stdout", terminal("ascii"))


def latin_terminal(monkeypatch, files):
    monkeypatch.setattr(sys, "stdout", terminal("latin-1"))


def closed_output(monkeypatch, files):
    monkeypatch.setattr(sys, "stdout", None)


def full_output(monkeypatch, files):
    full = io.BufferedWriter(io.FileIO("/dev/full", "w"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, encoding="utf-8"))


def no_home(monkeypatch, files):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])  # a number without an account


def home_that_is_a_file(monkeypatch, files):
    monkeypatch.setenv("HOME", str(files["file"]))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def deleted_folder(monkeypatch, files):
    gone = files["file"].parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()


SURROUNDINGS = (ascii_terminal, latin_terminal, closed_output, full_output, no_home,
                home_that_is_a_file, deleted_folder)  # fmt: skip


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=lambda one: one.__name__)
def test_commands(files, monkeypatch, surroundings):
    for command, call in CALLS.items():
        words = [word.format(**files) for word in call.split()]
        with monkeypatch.context() as patch:
            errors = terminal("ascii")
            errors.reconfigure(errors="backslashreplace")
            patch.setattr(sys, "stderr", errors)
            surroundings(patch, files)
            try:
                code = cli.main(words)
            except SystemExit as end:  # argparse
                code = end.code
            errors.flush()
            told = errors.buffer.getvalue().decode()
            patch.undo()
        assert code in (0, 2), (command, code, told)
        # Nothing below a file can be written, nothing missing read: only the list is good.
        if command != "robots":
            assert code == 2, (command, told)
        if code:
            assert "Traceback" not in told and told.strip(), command
            assert "usage:" not in told, (command, told)  # what was called is a command
            assert told.strip().splitlines()[-1].startswith("expression-ros"), (command, told)


@pytest.mark.parametrize("command", ["predict", "analyze", "demo"])
def test_an_output_that_cannot_be_made_is_told_with_the_remedy(files, capsys, command):
    if command == "demo":
        pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
    assert cli.main([word.format(**files) for word in CALLS[command].split()]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(files["file"]) in told and "--output" in told, told


def test_letters_that_a_terminal_lacks_are_shown_as_question_marks(files, monkeypatch):
    out = terminal("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.chdir(files["file"].parent)  # where predict puts its image
    assert cli.main(["predict", str(files["image"])]) in (0, 1)
    out.flush()
    assert "gr?n.png" in out.buffer.getvalue().decode("ascii")


@pytest.mark.parametrize("words", [["--help"], *([*one.split(), "--help"] for one in CALLS)],
                         ids=" ".join)  # fmt: skip
def test_help_is_shown_on_an_ascii_terminal(monkeypatch, words):
    monkeypatch.setattr(sys, "stdout", terminal("ascii"))
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 0


def test_a_misspelt_option_is_named_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["analyze", "x.mp4", "--outptu", "y"])
    assert end.value.code == 2
    assert "--outptu; did you mean --output?" in capsys.readouterr().err


def test_a_robot_table_in_capitals_is_a_path(capsys, files):
    table = files["file"].with_name("ROBOT.YAML")
    table.write_bytes((REPOSITORY / "config" / "robots" / "pal.yaml").read_bytes())
    assert cli.main(["robots", "show", str(table)]) == 0
    assert cli.main(["robots", "show", "ROBOT.YAML"]) == 2
    assert "no robot" not in capsys.readouterr().err


def test_without_ros_the_list_of_robots_says_so_once(capsys, monkeypatch):
    from expression_ros.commands import robots as robot_commands

    monkeypatch.setattr(
        robot_commands, "missing_types", lambda robot: {"a/msg/B": f"a/msg/B of {robot.name} ..."}
    )
    found = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == "rclpy" else found(n))
    assert cli.main(["robots"]) == 0
    out = capsys.readouterr().out
    assert out.count("ROS 2 is not here") == 1 and "a/msg/B of" not in out


START = """
import os, sys
os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])
os.close(1)
os.execvp(sys.executable, [sys.executable, "-m", *sys.argv[2:]])
"""


@pytest.mark.parametrize("node", NODES)
def test_nodes_start_where_all_is_poor_and_end_with_one_line(tmp_path, node):
    """No home, no letters but ASCII, no output, no current folder; then a wrong parameter."""
    pytest.importorskip("rclpy")
    gone = tmp_path / "gone"
    gone.mkdir()
    (tmp_path / "file").write_text("")
    environment = {k: v for k, v in os.environ.items() if k not in ("ROS_LOG_DIR", "ROS_HOME")}
    environment |= {"HOME": str(tmp_path / "file"), "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0",
                    "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(REPOSITORY)}  # fmt: skip
    wrong = {"recognizer": "min_face:=9.0", "mirror": "robot:=größe", "web": "port:=-1",
             "emotion_selector": "switch_margin:=9.0", "robot_face": "width:=-1",
             "camera": "frame_rate:=-1.0"}[node]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", START, gone, f"expression_ros.nodes.{node}", "--ros-args",
         "-p", wrong],
        env=environment, stderr=subprocess.PIPE, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "[ERROR]" in done.stderr.strip().splitlines()[-1], done.stderr


def test_a_misspelt_ros_option_is_named_with_the_nearest():
    pytest.importorskip("rclpy")
    words = [
        sys.executable,
        "-m",
        "expression_ros.nodes.mirror",
        "--ros-args",
        "--params_file",
        "x",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert line == "[ERROR] unknown ROS arguments: --params_file x; did you mean --params-file?"


@pytest.mark.parametrize("node", NODES)
def test_a_node_without_ros_is_one_line(node):
    """Run without the environment's packages: ``-S`` leaves out site-packages, and so rclpy."""
    command = [sys.executable, "-S", "-m", f"expression_ros.nodes.{node}"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith("rclpy is missing: source your ROS 2 installation")
    assert len(done.stderr.strip().splitlines()) == 1
