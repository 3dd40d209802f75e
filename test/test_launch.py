"""The launch files: every argument explained, the right processes for it, and a clean end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("launch.actions", reason="needs ROS 2's launch; pip has none")
pytest.importorskip("launch_ros.actions", reason="needs ROS 2's launch_ros; pip has none")

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0
DEMONSTRATION = ("recognizer", "mirror", "robot_face", "camera")
EXECUTABLES = (*DEMONSTRATION, "emotion_selector", "web")
# What the command `ros2 launch` does, for machines that have only its libraries.
SERVICE = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

path, *arguments = sys.argv[1:]
service = LaunchService(noninteractive=True)
file = IncludeLaunchDescription(
    AnyLaunchDescriptionSource(path), launch_arguments=[a.split(":=", 1) for a in arguments]
)
service.include_launch_description(LaunchDescription([file]))
sys.exit(service.run())
"""
ARGUMENTS = """
import json, sys
from launch.launch_description_sources import get_launch_description_from_python_launch_file

description = get_launch_description_from_python_launch_file(sys.argv[1])
declared = description.get_launch_arguments()
print(json.dumps({argument.name: argument.description for argument in declared}))
"""
# Stands in for a node: tells what it was started with, and ends.
STUB = """#!{python}
import json, os, sys

files = [word for word in sys.argv[1:] if word.endswith(".yaml") or "launch_params" in word]
told = {{
    "name": os.path.basename(sys.argv[0]),
    "words": sys.argv[1:],
    "parameters": [open(file, encoding="utf-8").read() for file in files],
    "environment": dict(os.environ),
}}
print("STARTED " + json.dumps(told), flush=True)
"""
NODE = """#!{python}
import sys
from expression_ros.nodes.{name} import main

sys.exit(main())
"""


def install(prefix, executable):
    """Make a package prefix in which this source tree is expression_ros; return the environment.

    Args:
        prefix: an empty folder.
        executable: the text of the executables; ``{name}`` and ``{python}`` are filled in.
    """
    index = prefix / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "expression_ros").touch()
    (prefix / "share" / "expression_ros").symlink_to(REPOSITORY)
    folder = prefix / "lib" / "expression_ros"
    folder.mkdir(parents=True)
    for name in EXECUTABLES:
        path = folder / name
        path.write_text(executable.format(name=name, python=sys.executable), encoding="utf-8")
        path.chmod(0o755)

    def before(variable, first):
        return os.pathsep.join(filter(None, [str(first), os.environ.get(variable)]))

    return {
        **os.environ,
        "AMENT_PREFIX_PATH": before("AMENT_PREFIX_PATH", prefix),
        "PYTHONPATH": before("PYTHONPATH", REPOSITORY),
        "ROS_LOG_DIR": str(prefix / "log"),
        "PYTHONUNBUFFERED": "1",
    }


def command(file, arguments):
    words = [f"{name}:={value}" for name, value in arguments.items()]
    return [sys.executable, "-c", SERVICE, str(REPOSITORY / "launch" / file), *words]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """Return the environment in which every node is a stub."""
    environment = install(tmp_path_factory.mktemp("stubs"), STUB)
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        environment.pop(name, None)
    return environment


def launch_stubs(environment, file, **arguments):
    """Launch a file until all stubs have ended.

    Returns:
        What each started process tells of itself, by the name of its executable; and the output.
    """
    processes, output = launch_all_stubs(environment, file, **arguments)
    told = {process["name"]: process for process in processes}
    assert len(told) == len(processes), "an executable was started twice"
    return told, output


def launch_all_stubs(environment, file, **arguments):
    """Launch a file until all stubs have ended; return what each tells, and the output."""
    arguments = {"respawn": "false", **arguments}  # stubs end at once, and would for ever
    done = subprocess.run(
        command(file, arguments), env=environment, capture_output=True, text=True,
        timeout=PATIENCE_S,
    )  # fmt: skip
    output = done.stdout + done.stderr
    lines = [line.split("STARTED ", 1)[1] for line in output.splitlines() if "STARTED " in line]
    told = [json.loads(line) for line in lines]
    assert (done.returncode == 0) == bool(told), output
    assert "Traceback" not in output
    return told, output


@pytest.mark.parametrize("file", ["recognizer.launch.py", "demo.launch.py"])
def test_every_argument_is_explained(stubs, file):
    done = subprocess.run(
        [sys.executable, "-c", ARGUMENTS, str(REPOSITORY / "launch" / file)],
        env=stubs, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert {"camera", "image_topic", "params_file", "log_level"} <= set(described)
    for name, text in described.items():
        assert ". " in f"{text} " and text != "no description given", name


@pytest.mark.parametrize(
    ("file", "arguments", "expected"),
    [
        ("recognizer.launch.py", {}, {"recognizer", "mirror"}),
        ("recognizer.launch.py", {"mirror": "false"}, {"recognizer"}),
        ("recognizer.launch.py", {"face": "true"}, {"recognizer", "mirror", "robot_face"}),
        ("recognizer.launch.py", {"camera": "0"}, {"recognizer", "mirror", "camera"}),
        ("recognizer.launch.py", {"web": "true"}, {"recognizer", "mirror", "web"}),
        ("demo.launch.py", {"video": "clip.mp4"}, set(DEMONSTRATION)),
        ("demo.launch.py", {"video": "0", "face": "off"}, {"recognizer", "mirror", "camera"}),
    ],
)
def test_the_arguments_choose_the_processes(stubs, file, arguments, expected):
    assert set(launch_stubs(stubs, file, **arguments)[0]) == expected


def test_the_arguments_reach_the_processes(stubs):
    told, _ = launch_stubs(
        stubs, "recognizer.launch.py", camera="0", loop="false", image_topic="/cam/image",
        robot="ros2_control_head", style="empathic", classifier="fisherfaces", model="mine",
        image_transport="compressed", web="true",
        autostart="no", namespace="left", log_level="warn",
    )  # fmt: skip
    assert "image:=/cam/image" in told["recognizer"]["words"]
    assert "image:=/cam/image" in told["web"]["words"]  # for a calibration on the page
    assert "image_raw:=/cam/image" in told["camera"]["words"]
    for process in told.values():
        assert "__ns:=/left" in process["words"]
        assert process["words"][:3] == ["--ros-args", "--log-level", "warn"]
    parameters = {name: "\n".join(told[name]["parameters"]) for name in told}
    assert "source: '0'" in parameters["camera"]  # a text, although it looks like a number
    assert "loop: false" in parameters["camera"]
    assert "robot: ros2_control_head" in parameters["mirror"]
    assert "style: empathic" in parameters["mirror"]
    for line in ("autostart: false", "classifier: fisherfaces", "model: mine",
                 "image_transport: compressed"):  # fmt: skip
        assert line in parameters["recognizer"]
    for line in ("model: mine", "image_transport: compressed"):
        assert line in parameters["web"]


def test_several_cameras_have_a_recognizer_each_and_one_mirror(stubs):
    told, _ = launch_all_stubs(
        stubs, "recognizer.launch.py", cameras="front, left", image_topic="color/image",
        namespace="robot", classifier="svm", web="true",
    )  # fmt: skip
    by_name = {}
    for process in told:
        by_name.setdefault(process["name"], []).append(process)
    assert {name: len(found) for name, found in by_name.items()} == {
        "recognizer": 2, "emotion_selector": 1, "mirror": 1, "web": 1,
    }  # fmt: skip
    assert "image:=front/color/image" in by_name["web"][0]["words"]
    recognizers = by_name["recognizer"]
    namespaces = [w for p in recognizers for w in p["words"] if w.startswith("__ns:=")]
    assert sorted(namespaces) == ["__ns:=/robot/front", "__ns:=/robot/left"]
    for process in recognizers:  # relative, so that each reads that of its namespace
        assert "image:=color/image" in process["words"]
        assert "classifier: svm" in "\n".join(process["parameters"])
    (selector,), (mirror,) = by_name["emotion_selector"], by_name["mirror"]
    assert "__ns:=/robot" in selector["words"] and "__ns:=/robot" in mirror["words"]
    assert "sources: front,left" in "\n".join(selector["parameters"])


def test_arguments_that_are_not_given_leave_the_params_file_alone(stubs, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("/**/camera:\n  ros__parameters:\n    loop: false\n", encoding="utf-8")
    told, _ = launch_stubs(stubs, "recognizer.launch.py", camera="0", params_file=str(own))
    assert told["recognizer"]["parameters"] == [own.read_text(encoding="utf-8")]
    assert told["mirror"]["parameters"] == [own.read_text(encoding="utf-8")]
    first, *others = told["camera"]["parameters"]
    assert first == own.read_text(encoding="utf-8")
    assert not any("loop" in text for text in others)


def test_the_shipped_parameters_are_the_default(stubs):
    shipped = (REPOSITORY / "config" / "expression.yaml").read_text(encoding="utf-8")
    assert launch_stubs(stubs, "recognizer.launch.py")[0]["mirror"]["parameters"] == [shipped]


def test_large_images_and_a_demonstration_that_stays_at_home(stubs):
    told, _ = launch_stubs(stubs, "demo.launch.py", video="clip.mp4")
    humble = stubs.get("ROS_DISTRO") == "humble"
    profile = "FASTRTPS_DEFAULT_PROFILES_FILE" if humble else "FASTDDS_DEFAULT_PROFILES_FILE"
    for process in told.values():
        assert Path(process["environment"][profile]).name == "fastdds_large_images.xml"
        if humble:
            assert process["environment"]["ROS_LOCALHOST_ONLY"] == "1"
        else:
            assert process["environment"]["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"


@pytest.mark.parametrize(
    ("given", "arguments", "expected"),
    [
        ({}, {}, "LOCALHOST"),
        ({}, {"network": "true"}, None),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, {}, "SUBNET"),
        ({"ROS_LOCALHOST_ONLY": "0"}, {}, None),
    ],
)
def test_the_nodes_stay_on_this_machine_unless_told_otherwise(stubs, given, arguments, expected):
    names = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY", "ROS_DISTRO")
    environment = {name: value for name, value in stubs.items() if name not in names} | given
    told, _ = launch_stubs(environment, "recognizer.launch.py", **arguments)
    for process in told.values():
        found = process["environment"].get("ROS_AUTOMATIC_DISCOVERY_RANGE")
        assert found == expected, process["name"]


def test_in_humble_they_stay_by_its_own_variable(stubs):
    names = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")
    environment = {name: value for name, value in stubs.items() if name not in names}
    told, _ = launch_stubs({**environment, "ROS_DISTRO": "humble"}, "recognizer.launch.py")
    assert {process["environment"]["ROS_LOCALHOST_ONLY"] for process in told.values()} == {"1"}


def test_a_profile_of_the_user_is_kept(stubs):
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    told, _ = launch_stubs(
        {**stubs, **dict.fromkeys(names, "/own.xml")}, "recognizer.launch.py", mirror="false"
    )
    for name in names:
        assert told["recognizer"]["environment"][name] == "/own.xml"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mirror": "maybe"}, "mirror must be true or false, not 'maybe'"),
        ({"autostart": "later"}, "autostart must be true or false, not 'later'"),
        ({"log_level": "loud"}, "\"loud\" is not valid. Valid options are: ['debug'"),
        ({"params_file": "/nowhere.yaml"}, "params_file: no such file: /nowhere.yaml"),
        ({"cameras": "front,1st"}, "as in front,left; not 'front,1st'"),
        ({"cameras": "front,front"}, "must be different names"),
        ({"cameras": "front", "camera": "0"}, "start each driver in its namespace"),
        ({"cameras": "front", "image_topic": "/eye/image"}, "as in color/image_raw; not '/eye"),
    ],
)
def test_a_wrong_argument_starts_nothing_and_says_why(stubs, arguments, words):
    told, output = launch_stubs(stubs, "recognizer.launch.py", **arguments)
    assert not told and words in output


class Launched:
    """A launch in a session of its own, whose output a thread reads."""

    def __init__(self, environment, file, **arguments):
        self.process = subprocess.Popen(
            command(file, arguments), env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def interrupt(self):
        """Send SIGINT as Ctrl-C does, wait for the end, and return the exit code and the output."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code, "".join(self.lines)

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def launched(tmp_path):
    """Return a function that launches a file with the real nodes; they end with the test."""
    environment = install(tmp_path / "prefix", NODE)
    started = []

    def start(file, **arguments):
        started.append(Launched(environment, file, **arguments))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_the_demonstration_sees_the_smile_and_ends_cleanly(ros, clips, launched):
    from std_msgs.msg import String

    labels = ros.collect(String, "/face_emotion")
    expressions = ros.collect(String, "/robot_expression")
    demo = launched("demo.launch.py", video=clips / "single_face.mp4")
    labels.wait_for(lambda got: any(message.data == "happiness" for message in got), "happiness")
    expressions.wait_for(lambda got: any(message.data == "smile" for message in got), "a smile")
    code, output = demo.interrupt()
    assert code == 0, output
    assert "Traceback" not in output and "has died" not in output, output
    assert output.count("process has finished cleanly") == len(DEMONSTRATION), output


def test_the_surest_of_several_cameras_is_mirrored(ros, astronaut, launched):
    import numpy as np
    from diagnostic_msgs.msg import DiagnosticArray
    from std_msgs.msg import String
    from test_recognizer_node import Feed

    left = ros.collect(String, "/left/face_emotion")
    front = ros.collect(String, "/front/face_emotion")
    labels = ros.collect(String, "/face_emotion")
    expressions = ros.collect(String, "/robot_expression")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    cameras = launched("recognizer.launch.py", cameras="front,left")
    Feed(ros, np.full((480, 640, 3), 128, np.uint8), topic="/front/image_raw")
    Feed(ros, astronaut[:480], topic="/left/image_raw")
    left.wait_for(len, "a label of left")
    labels.wait_for(lambda got: any(one.data == "happiness" for one in got), "its label")
    expressions.wait_for(lambda got: any(one.data == "smile" for one in got), "a smile")
    names = {"front/recognizer: input", "left/recognizer: input", "emotion_selector: source"}
    diagnostics.wait_for(
        lambda got: names <= {one.name for message in got for one in message.status},
        "the diagnostics of all",
    )
    assert front.messages == []
    code, output = cameras.interrupt()
    assert code == 0, output
    assert "Traceback" not in output and "has died" not in output, output
    assert output.count("process has finished cleanly") == 4, output


def test_with_autostart_off_the_recognizer_waits(ros, clips, launched):
    from lifecycle_msgs.srv import ChangeState, GetState
    from std_msgs.msg import String

    labels = ros.collect(String, "/face_emotion")
    launched("recognizer.launch.py", camera=clips / "single_face.mp4", autostart="false")
    # Made first: once the recognizer answers the one, it knows where to answer the other.
    ros.client(ChangeState, "/recognizer/change_state")
    state = ros.ask(GetState, "/recognizer/get_state").current_state
    assert state.label == "unconfigured"
    for label in ("configure", "activate"):
        request = ChangeState.Request()
        request.transition.label = label
        assert ros.call(ChangeState, "/recognizer/change_state", request).success
    labels.wait_for(len, "a label")


def pid_of(prefix, name):
    """Return the process that runs an executable of a package prefix."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue  # it has just ended
            if str(prefix / "lib" / "expression_ros" / name) in words[:2]:
                return int(folder.name)
    return None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_killed_recognizer_is_respawned_and_the_robot_neutral_meanwhile(
    ros, clips, astronaut, launched, tmp_path
):
    import numpy as np
    from std_msgs.msg import String
    from test_recognizer_node import Feed

    shown = ros.collect(String, "/robot_expression")
    Feed(ros, np.ascontiguousarray(astronaut[:480]))
    run = launched("recognizer.launch.py")
    shown.wait_for(lambda got: got and got[-1].data == "smile", "a smile")
    os.kill(pid_of(tmp_path / "prefix", "recognizer"), signal.SIGKILL)
    shown.wait_for(lambda got: got[-1].data == "neutral", "a neutral robot")
    shown.wait_for(lambda got: got[-1].data == "smile", "a smile again")
    code, output = run.interrupt()
    assert code == 0 and output.count("process has died") == 1, output


def test_a_robot_that_does_not_exist_ends_the_launch_instead_of_respawning(launched):
    run = launched("recognizer.launch.py", robot="nonsense")
    run.process.wait(PATIENCE_S)
    output = "".join(run.lines)
    assert output.count("no robot 'nonsense'") == 1, output
    assert run.process.returncode == 1, output
