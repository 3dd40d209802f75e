"""The launch files inside somebody else's launch: what is ours and what is not; and exit codes."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("launch.actions", reason="needs ROS 2's launch; pip has none")
pytest.importorskip("launch_ros.actions", reason="needs ROS 2's launch_ros; pip has none")

from test_launch import PATIENCE_S, REPOSITORY, Launched, install
from virtual_screen import wait_for

# Stands in for a node: ends with the exit codes that STUB_<name> lists, one a run, and after these
# runs until it is told to end.
STUB = """#!{python}
import os, signal, sys

name = os.path.basename(sys.argv[0])
runs = os.path.join(os.environ["STUB_FOLDER"], name)
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
with open(runs, "a") as file:
    file.write(".")
codes = os.environ.get("STUB_" + name, "").split()
run = os.path.getsize(runs)
print("STARTED", name, run, flush=True)
if run <= len(codes):
    sys.exit(int(codes[run - 1]))
while True:
    signal.pause()
"""
# Includes a launch file of ours, and starts a process that fails once ours run; after that another.
BRINGUP = """
import sys
from launch import LaunchDescription
from launch.actions import *
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource

STRANGER = '''
import os, sys, time
print('STRANGER', sorted(n for n in os.environ if n in {names}), flush=True)
while len(os.listdir(os.environ['STUB_FOLDER'])) < 4:
    time.sleep(0.05)
sys.exit(2)
'''


def generate_launch_description():
    ours = IncludeLaunchDescription(
        PythonLaunchDescriptionSource({file!r}), launch_arguments={arguments!r}.items()
    )
    stranger = ExecuteProcess(cmd=[sys.executable, "-c", STRANGER], output="screen")
    last = ExecuteProcess(cmd=[sys.executable, "-c", "print('STILL THERE')"], output="screen")
    return LaunchDescription([
        ours, stranger,
        RegisterEventHandler(OnProcessExit(target_action=stranger, on_exit=[last])),
        RegisterEventHandler(OnProcessExit(
            target_action=last, on_exit=[EmitEvent(event=Shutdown(reason="that was all"))])),
    ])
"""
OURS = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE",
        "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")  # fmt: skip


@pytest.fixture
def launch(tmp_path):
    """Return a function that launches a file with stubs that end as told."""
    environment = install(tmp_path / "prefix", STUB)
    environment = {name: value for name, value in environment.items() if name not in OURS}
    started = []

    def start(file, codes=None, **arguments):
        (tmp_path / "runs").mkdir()
        told = {f"STUB_{name}": ends for name, ends in (codes or {}).items()}
        started.append(
            Launched({**environment, "STUB_FOLDER": str(tmp_path / "runs"), **told}, file,
                     **arguments)
        )  # fmt: skip
        return started[-1]

    yield start
    for one in started:
        one.kill()


def end_of(run):
    """Wait for the end of a launch; return its exit code and its output."""
    code = run.process.wait(PATIENCE_S)
    run._reader.join(PATIENCE_S)
    return code, "".join(run.lines)


def wait_for_line(run, words):
    wait_for(lambda: any(words in line for line in list(run.lines)), words)


@pytest.mark.parametrize(
    ("file", "arguments"),
    [("recognizer.launch.py", {"camera": "0", "web": "true"}), ("demo.launch.py", {"video": "0"})],
)
def test_a_stranger_s_failure_and_environment_are_its_own(launch, tmp_path, file, arguments):
    bringup = tmp_path / "bringup.launch.py"
    bringup.write_text(
        BRINGUP.format(file=os.path.join(REPOSITORY, "launch", file), arguments=arguments,
                       names=OURS),
        encoding="utf-8",
    )  # fmt: skip
    code, output = end_of(launch(str(bringup)))
    assert code == 0 and "STILL THERE" in output, output
    assert "STRANGER []" in output
    assert output.count("has died") == 1, output  # the stranger


def test_who_is_started_again_and_who_may_end_without_the_others(launch):
    run = launch(
        "recognizer.launch.py", {"camera": "0", "mirror": "2", "web": "1 1", "robot_face": "3"},
        camera="clip.mp4", loop="false", web="true", face="true", required="false",
    )  # fmt: skip
    wait_for_line(run, "STARTED web 3")  # four seconds after the others have ended
    wait_for_line(run, "STARTED recognizer 1")
    code, output = run.interrupt()
    assert code == 0, output
    for name, runs in (("camera", 1), ("mirror", 1), ("robot_face", 2), ("recognizer", 1)):
        assert output.count(f"STARTED {name} ") == runs, output
    assert "failed (2) and is not started again; the other nodes go on" in output
    assert "Traceback" not in output and "failed to" not in output, output


def test_a_page_whose_port_is_taken_ends_alone(launch):
    run = launch("recognizer.launch.py", {"web": "2"}, web="true")
    for words in (
        "not started again; the other nodes go on",
        "STARTED mirror",
        "STARTED recognizer",
    ):
        wait_for_line(run, words)
    code, output = run.interrupt()
    assert code == 0 and output.count("STARTED") == 3, output


@pytest.mark.parametrize(
    ("name", "ends", "respawn"), [("mirror", "2", "true"), ("recognizer", "1", "false")]
)
def test_a_launch_that_failed_returns_a_failing_code(launch, name, ends, respawn):
    code, output = end_of(launch("recognizer.launch.py", {name: ends}, respawn=respawn))
    assert code == 1, output
    assert f"failed ({ends}) and is not started again; with required:=false" in output
    assert output.count(f"STARTED {name}") == 1, output
