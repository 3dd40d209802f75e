"""Misspelt parameters, nodes and sections are named with the nearest; dumps load again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from expression_ros.parameters.files import (
    applies,
    for_all_only,
    misspelt_nodes,
    named_nodes,
    params_files,
    section_problems,
    sections,
    unknown_parameters,
)
from expression_ros.parameters.nodes import TABLES

REPOSITORY = Path(__file__).resolve().parent.parent
KNOWN = ("min_face", "min_confidence", "smoothing", "use_sim_time")


@pytest.mark.parametrize(
    ("section", "node", "wanted"),
    [("/recognizer", "/recognizer", True), ("/**", "/a/b/mirror", True),
     ("/**/recognizer", "/recognizer", True), ("/**/recognizer", "/a/b/recognizer", True),
     ("/*/recognizer", "/a/recognizer", True), ("/*/recognizer", "/recognizer", False),
     ("/recognizer", "/robot/recognizer", False), ("/**/recognizer", "/xrecognizer", False),
     ("/a.b", "/axb", False)],
)  # fmt: skip
def test_sections_apply_as_in_ros(section, node, wanted):
    assert applies(section, node) == wanted


def test_all_ways_to_write_a_section_are_read():
    text = """
recognizer: {ros__parameters: {min_face: 0.1, deep: {er: 1}}}
/robot: {mirror: {ros__parameters: {robot: pal}}}
/**: {ros__parameters: {use_sim_time: true}}
"""
    assert sections(yaml.safe_load(text)) == {
        "/recognizer": ["min_face", "deep.er"], "/robot/mirror": ["robot"],
        "/**": ["use_sim_time"],
    }  # fmt: skip
    assert sections(None) == sections([1]) == sections({"a": 3}) == {}


def test_files_are_found_on_the_command_line():
    words = ["node", "--ros-args", "-p", "a:=1", "--params-file", "x.yaml", "--params-file", "y"]
    assert params_files(words) == [Path("x.yaml"), Path("y")]


@pytest.mark.parametrize(
    ("given", "for_all", "told"),
    [(["min_facee"], [], "no parameter min_facee: it is ignored; did you mean min_face?"),
     (["min_face", "use_sim_time"], [], None),
     (["zzz"], [], "no parameter zzz: it is ignored"),
     (["zzz"], ["zzz"], None),  # another program's
     (["robot"], ["robot"], None), (["min_facee"], ["min_facee"], "did you mean min_face?"),
     (["qos_overrides./image.subscription.depth"], [], None)],
)  # fmt: skip
def test_unknown_parameters_are_told_with_the_nearest(given, for_all, told):
    lines = unknown_parameters(given, KNOWN, for_all, {"robot"})
    assert len(lines) == (told is not None)
    assert told is None or told in lines[0]


@pytest.mark.parametrize(
    ("section", "told"),
    [("/**/recogniser", "no node is called recogniser; did you mean recognizer?"),
     ("/robot/recognizer", "/robot/recognizer is not for /recognizer; write /**/recognizer"),
     ("recognizer", None), ("/**", None), ("mirror", None), ("/navigation/planner", None)],
)  # fmt: skip
def test_sections_that_reach_nobody_are_told(tmp_path, section, told):
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump({section: {"ros__parameters": {"min_face": 0.2}}}))
    problems = section_problems(file, "/recognizer", set(TABLES))
    assert problems == ([f"{file}: {told}"] if told else [])
    assert for_all_only([file], "/recognizer") == ({"min_face"} if section == "/**" else set())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-p", "mirorr:min_hold:=1.0"], ["mirorr"]),
        (["--remap", "mirorr:a:=b", "-r", "x:__ns:=/y"], ["mirorr", "x"]),
        (["-p", "min_hold:=1.0", "-r", "__node:=m", "-r", "/a:=/b"], []),
        (["-p", "robot:='a:b'", "-p", "model:=file://x", "--log-level", "mirorr:=debug"], []),
    ],
)
def test_nodes_that_single_values_are_for_are_found(words, named):
    assert named_nodes(["node", "--ros-args", *words]) == named


def test_a_misspelt_node_before_a_value_is_named():
    told = misspelt_nodes(["mirorr", "mirror", "web", "arm_controller"], "mirror", set(TABLES))
    assert told == ["no node is called mirorr; did you mean mirror?"]


def test_a_section_of_another_robot_is_none_of_ours(tmp_path):
    file = tmp_path / "p.yaml"
    values = {"ros__parameters": {"min_face": 0.2}}
    file.write_text(yaml.safe_dump({"/front/recognizer": values, "/left/recognizer": values}))
    assert section_problems(file, "/left/recognizer", set(TABLES)) == []


def test_a_node_names_what_was_misspelt(tmp_path):
    pytest.importorskip("rclpy")
    file = tmp_path / "p.yaml"
    file.write_text("robot_fase:\n  ros__parameters:\n    width: 100\n")
    words = [
        "--ros-args",
        "-p",
        "idel:=false",
        "-p",
        "robot_fce:width:=9",
        "--params-file",
        str(file),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "expression_ros.nodes.robot_face", *words],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        told = [process.stderr.readline() for _ in range(3)]
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert "there is no parameter idel: it is ignored; did you mean idle?" in told[0]
    assert "no node is called robot_fce; did you mean robot_face?" in told[1]
    assert f"{file}: no node is called robot_fase; did you mean robot_face?" in told[2]


# As ros2 param dump and load do it (ros2cli, ros2param): every parameter by its services, written
# as YAML, sent back with types that are guessed from the text of each value.


def node_of(ros, name, **options):
    from ros_bench import node_module

    module = node_module(name)
    kind = getattr(module, "".join(word.capitalize() for word in name.split("_")))
    return ros.add(kind(context=ros.context, **options))


def dumped(ros, name) -> dict:
    from rcl_interfaces.srv import GetParameters, ListParameters
    from rclpy.parameter import parameter_value_to_python

    listed = ros.call(ListParameters, f"/{name}/list_parameters", ListParameters.Request())
    request = GetParameters.Request(names=sorted(listed.result.names))
    values = ros.call(GetParameters, f"/{name}/get_parameters", request).values
    return dict(zip(request.names, map(parameter_value_to_python, values), strict=True))


def load(ros, name, file):
    """Return the reasons of refusal, by parameter."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import parameter_dict_from_yaml_file

    sent = parameter_dict_from_yaml_file(str(file), True, target_nodes=[f"/{name}"])
    request = SetParameters.Request(parameters=list(sent.values()))
    results = ros.call(SetParameters, f"/{name}/set_parameters", request).results
    return {n: r.reason for n, r in zip(sent, results, strict=True) if not r.successful}


GIVEN = {
    "recognizer": {"label_thresholds": "", "smoothing": 1, "latency_warn": 0.00001},
    "mirror": {"robot": "pal"},
    "camera": {"source": 0, "wait_for_subscriber": True, "retry": True},
    "emotion_selector": {"sources": "front,left"},
    "robot_face": {"frame_id": "1.5"},
}


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"web"}))
def test_a_dump_loaded_again_changes_nothing_and_refuses_nothing(ros, tmp_path, name):
    from rclpy.parameter import Parameter

    overrides = [Parameter(key, value=value) for key, value in GIVEN[name].items()]
    node_of(ros, name, parameter_overrides=overrides)
    before = dumped(ros, name)
    file = tmp_path / "dump.yaml"
    file.write_text(yaml.dump({f"/{name}": {"ros__parameters": before}}))
    assert set(before) > {spec.name for spec in TABLES[name]}
    assert load(ros, name, file) == {}
    after = dumped(ros, name)
    assert after == before and list(map(type, after.values())) == list(map(type, before.values()))
    again = at_start(name, file)
    assert again == before


def at_start(name, file) -> dict:
    """Return the parameters of a node that is started with a parameter file."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context, args=["--ros-args", "--params-file", str(file)])
    from ros_bench import node_module

    module = node_module(name)
    node = getattr(module, "".join(w.capitalize() for w in name.split("_")))(context=context)
    found = {key: value.value for key, value in node.get_parameters_by_prefix("").items()}
    if hasattr(node, "close"):
        node.close()
    node.destroy_node()
    rclpy.try_shutdown(context=context)
    return found


def test_the_shipped_file_loads_at_run_time_and_a_misspelt_name_is_told(ros):
    node_of(ros, "recognizer")
    ros.set_parameter("/recognizer", "min_face", 0.3)
    assert load(ros, "recognizer", REPOSITORY / "config" / "expression.yaml") == {}
    assert dumped(ros, "recognizer")["min_face"] == 0.06
    refused = ros.set_parameter("/recognizer", "min_facee", 0.3)
    assert not refused.successful and "min_facee; did you mean min_face?" in refused.reason
