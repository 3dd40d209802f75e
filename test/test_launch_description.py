"""What the launch files start, and how, asked without ROS 2's launch (test_launch.py runs it)."""

from __future__ import annotations

import re
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace

import pytest
from launch_stand_in import EmitEvent, Launched, LifecycleNode, LogInfo, ParameterValue
from test_parameters import TABLES

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
SHIPPED = str(REPOSITORY / "config" / "expression.yaml")
EVERYTHING = {
    "camera": "0", "loop": "no", "robot": "qtrobot", "style": "empathic", "classifier": "svm",
    "model": "mine", "detector": "yunet", "detector_model": "y.onnx", "detector_sha256": "0" * 64,
    "person": "ada", "region": "auto", "image_transport": "compressed",
    "face": "true", "web": "true", "autostart": "false", "namespace": "head",
}  # fmt: skip
RANGE, LOCALHOST_ONLY = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"
FASTDDS, FASTRTPS = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"


def launched(file="recognizer.launch.py", environment=None, **arguments):
    return Launched(file, arguments, environment or {})


def names(launch):
    return sorted(node.name for node in launch.nodes)


@pytest.mark.parametrize("file", ["recognizer.launch.py", "demo.launch.py"])
def test_every_argument_is_explained(file):
    declared = launched(file, video="clip.mp4").declared
    assert {"camera", "image_topic", "params_file", "log_level", "required"} <= set(declared)
    for argument in declared.values():
        assert ". " in f"{argument.description} " and len(argument.description) > 15, argument.name


def test_defaults_that_the_explanations_name_are_those_of_the_parameter_tables():
    declared = launched().declared
    named = {name: re.search(r"as in\s+params_file \((.*?)\)", argument.description)
             for name, argument in declared.items()}  # fmt: skip
    named = {name: found.group(1) for name, found in named.items() if found}
    assert len(named) >= 8
    defaults = {name: {spec.default for table in TABLES.values() for spec in table
                       if spec.name == name} for name in named}  # fmt: skip
    said = {"true": True, "shipped": "", "nobody": ""}
    for name, word in named.items():
        assert said.get(word, word) in defaults[name], name
        assert declared[name].default_value == "", name  # so that the params_file counts


def test_the_table_of_the_readme_names_arguments_and_their_defaults():
    declared = launched().declared
    table = README.split("the most used:")[1].split("\n\n")[1]
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*)\|", table, re.M)
    assert len(rows) > 8
    for row in rows:
        in_names, in_defaults = (re.findall("`([^`]*)`", cell) for cell in row)
        for name, default in zip_longest(in_names, in_defaults, fillvalue=""):
            argument = declared[name]
            if default:
                assert default in f"{argument.default_value}; {argument.description}", name
            else:
                assert argument.default_value == "", name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_arguments_that_the_pages_name_are_declared(page):
    declared = {**launched().declared, **launched("demo.launch.py", video="0").declared}
    for name, value in re.findall(r"`(\w+):=([^`\s]*)`", page.read_text(encoding="utf-8")):
        assert name in declared, f"`{name}:={value}`"
        if declared[name].default_value in ("true", "false"):
            assert value in ("true", "false", "never"), f"`{name}:={value}`"


@pytest.mark.parametrize(
    ("file", "arguments", "expected"),
    [
        ("recognizer.launch.py", {}, ["mirror", "recognizer"]),
        ("recognizer.launch.py", {"mirror": "no", "web": "on"}, ["recognizer", "web"]),
        ("recognizer.launch.py", EVERYTHING,
         ["camera", "mirror", "recognizer", "robot_face", "web"]),
        ("recognizer.launch.py", {"cameras": "a, b"},
         ["emotion_selector", "mirror", "recognizer", "recognizer"]),
        ("demo.launch.py", {"video": "0"}, ["camera", "mirror", "recognizer", "robot_face"]),
        ("demo.launch.py", {"video": "0", "face": "off"}, ["camera", "mirror", "recognizer"]),
    ],
)  # fmt: skip
def test_the_arguments_choose_the_nodes(file, arguments, expected):
    assert names(launched(file, **arguments)) == expected


@pytest.mark.parametrize("arguments", [EVERYTHING, {"cameras": "left,right", "web": "true"}])
def test_each_node_is_installed_and_knows_its_parameters(arguments):
    installed = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    for node in launched(**arguments).nodes:
        assert node.package == "expression_ros" and node.executable == node.name
        assert re.search(rf"\b{node.executable}\b", installed)
        assert find_spec(f"expression_ros.nodes.{node.executable}")
        assert isinstance(node, LifecycleNode) == (node.name == "recognizer")
        table = {spec.name: spec for spec in TABLES[node.name]}
        assert node.parameters[0] == SHIPPED
        for name, value in (pair for given in node.parameters[1:] for pair in given.items()):
            kind = value.value_type if isinstance(value, ParameterValue) else type(value)
            assert name in table, f"{node.name} has no parameter {name}"
            assert not isinstance(value, str), f"{node.name}: launch may take {name} for a number"
            assert kind is type(table[name].default), f"{node.name}: {name}"


def test_the_arguments_reach_the_nodes():
    launch = launched(**EVERYTHING, image_topic="/cam/image", log_level="warn")
    given = {node.name: {name: getattr(value, "value", value) for values in node.parameters[1:]
                         for name, value in values.items()} for node in launch.nodes}  # fmt: skip
    assert given == {
        "camera": {"source": "0", "loop": False},
        "mirror": {"robot": "qtrobot", "style": "empathic"},
        "robot_face": {},
        "recognizer": {"classifier": "svm", "model": "mine", "detector": "yunet",
                       "detector_model": "y.onnx", "detector_sha256": "0" * 64,
                       "person": "ada", "region": "auto",
                       "image_transport": "compressed", "autostart": False},
        "web": {"model": "mine", "image_transport": "compressed"},
    }  # fmt: skip
    assert launch.node("camera").remappings == [("image_raw", "/cam/image")]
    assert launch.node("web").remappings == launch.node("recognizer").remappings
    assert launch.node("recognizer").remappings == [("image", "/cam/image")]
    for node in launch.nodes:
        assert node.namespace == "head" and node.arguments[-1] == "warn"


def test_several_cameras_have_a_recognizer_each_in_a_namespace():
    launch = launched(cameras="left, right", namespace="robot", image_topic="color", web="true")
    recognizers = [node for node in launch.nodes if node.name == "recognizer"]
    assert [node.namespace for node in recognizers] == ["robot/left", "robot/right"]
    assert {node.remappings[0] for node in recognizers} == {("image", "color")}
    assert launch.node("web").remappings == [
        ("image", "left/color"),
        ("face_emotion/image/compressed", "left/face_emotion/image/compressed"),
    ]
    assert launch.node("emotion_selector").parameters[1]["sources"].value == "left,right"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"required": "perhaps"}, "required must be true or false"),
        ({"respawn": "perhaps"}, "respawn must be true or false"),
        ({"network": "ever"}, "network must be true or false"),
        ({"params_file": "/nowhere.yaml"}, "no such file: /nowhere.yaml"),
        ({"cameras": "a,a"}, "different names"),
    ],
)
def test_a_wrong_argument_says_why(arguments, words):
    with pytest.raises((ValueError, OSError), match=words):
        launched(**arguments)


# ---- in somebody else's bringup ----


@pytest.mark.parametrize(
    ("environment", "arguments", "expected"),
    [
        ({}, {}, {RANGE: "LOCALHOST", FASTDDS: "ours"}),
        ({}, {"network": "true"}, {FASTDDS: "ours"}),
        ({RANGE: "SUBNET"}, {}, {FASTDDS: "ours"}),
        ({RANGE: "SUBNET"}, {"network": "never"}, {RANGE: "LOCALHOST", FASTDDS: "ours"}),
        ({LOCALHOST_ONLY: "0", FASTDDS: "/own.xml"}, {}, {}),
        ({"ROS_DISTRO": "humble"}, {}, {LOCALHOST_ONLY: "1", FASTRTPS: "ours"}),
        ({"ROS_DISTRO": "humble", FASTRTPS: "/own.xml"}, {"network": "yes"}, {}),
    ],
)
@pytest.mark.parametrize("base", [{}, EVERYTHING, {"cameras": "left,right"}])
def test_only_our_nodes_get_our_environment(base, environment, arguments, expected):
    launch = launched(environment=environment, **{**base, **arguments})
    assert launch.context.environment == environment  # that of whatever is started after us
    for node in launch.nodes:
        ours = {name: "ours" if value.endswith("config/fastdds_large_images.xml") else value
                for name, value in node.additional_env.items()}  # fmt: skip
        assert ours == expected, node.name


@pytest.mark.parametrize("environment", [{}, {RANGE: "SUBNET"}, {LOCALHOST_ONLY: "0"}])
def test_the_demonstration_stays_on_this_machine_and_its_environment_to_itself(environment):
    launch = launched("demo.launch.py", environment, video="0")
    assert launch.context.environment == environment
    assert {node.additional_env[RANGE] for node in launch.nodes} == {"LOCALHOST"}
    launch = launched("demo.launch.py", environment, video="0", network="true")
    assert not any(RANGE in node.additional_env for node in launch.nodes)


@pytest.mark.parametrize("arguments", [EVERYTHING, {"cameras": "left,right", "web": "true"}])
def test_only_the_ends_of_our_nodes_are_looked_at_each_once(arguments):
    launch = launched(**arguments)
    targets = [handler.target_action for handler in launch.handlers]
    assert None not in targets  # that would be the processes of the whole launch
    assert sorted(map(id, targets)) == sorted(map(id, launch.nodes))


def outcome(launch, name, code):
    """Return what comes of a node that ends with this exit code."""
    node = launch.node(name)
    (handler,) = [one for one in launch.handlers if one.target_action is node]
    event = SimpleNamespace(returncode=code, process_name=f"{name}-1", action=node)
    try:
        answer = handler.on_exit(event, launch.context)
    except RuntimeError as error:
        assert f"{name}-1 failed ({code})" in str(error) and "required:=false" in str(error)
        return "the launch fails"
    if answer is None:
        return "started again" if node.respawn and not launch.context.is_shutdown else "nothing"
    told, *stop = answer
    assert isinstance(told, LogInfo) and name in told.msg
    assert len(stop) == node.respawn  # or launch would start it again
    for action in stop:
        assert isinstance(action, EmitEvent) and action.event.process_matcher(node)
        assert not any(action.event.process_matcher(x) for x in launch.nodes if x is not node)
    return "stays ended"


@pytest.mark.parametrize("name", ["camera", "mirror", "recognizer", "robot_face", "web"])
@pytest.mark.parametrize(
    ("code", "respawn", "required", "expected"),
    [
        (0, "true", "true", "stays ended"),
        (0, "false", "true", "stays ended"),
        (1, "true", "true", "started again"),
        (-9, "true", "false", "started again"),
        (-9, "false", "true", "the launch fails"),
        (-9, "false", "false", "stays ended"),
        (2, "true", "true", "the launch fails"),
        (2, "true", "false", "stays ended"),
    ],
)
def test_what_the_end_of_a_node_means(name, code, respawn, required, expected):
    if name == "web" and expected == "the launch fails":
        expected = "stays ended"
    launch = launched(**EVERYTHING, respawn=respawn, required=required)
    assert outcome(launch, name, code) == expected
    launch.context.is_shutdown = True
    assert outcome(launch, name, code) == "nothing"
