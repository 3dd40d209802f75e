"""The SROS2 policy names what the nodes have, no less and no more; and promises of SECURITY.md."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NODES = ("recognizer", "mirror", "emotion_selector", "robot_face", "camera")
POLICY = REPOSITORY / "config" / "sros2_policy.xml"
RIGHTS = {
    ("topics", "publish"): "get_publisher_names_and_types_by_node",
    ("topics", "subscribe"): "get_subscriber_names_and_types_by_node",
    ("services", "reply"): "get_service_names_and_types_by_node",
    ("services", "request"): "get_client_names_and_types_by_node",
}
# The nodes are looked at in a namespace: the graph remembers a killed node of another test by name.
NAMESPACE = "/policy"
# What depends on the installation: the policy may allow it where it is missing.
OPTIONAL = {"/face_emotion/detections", "/humans/faces/*"}
# The folder of ROS's logs, which ROS itself would make; the null device; what only commands and
# the training call.
ALLOWED_TO_WRITE = {
    ("cli.py", "open"),
    ("running.py", "makedirs"),
    ("model_manifest.py", "write_text"),
    ("network_description.py", "write_text"),
    ("whole_files.py", "unlink"),
}
# Of newer distributions than Humble.
NEWER = ("/get_type_description",)


def allowed(node: str) -> dict[tuple[str, str], set[str]]:
    """Return the names that the policy allows a node, by right."""
    (profile,) = ElementTree.parse(POLICY).findall(f".//profile[@node='{node}']")
    assert profile.get("ns") == "/"
    found: dict[tuple[str, str], set[str]] = {right: set() for right in RIGHTS}
    for group in profile:
        for verb, verdict in group.attrib.items():
            assert verdict == "ALLOW", "what is not allowed is denied; no need to say so"
            found[group.tag, verb] |= {entry.text for entry in group}
    return found


def make(ros, name):
    from rclpy.parameter import Parameter
    from ros_bench import node_module

    module = node_module(name)
    kind = getattr(module, "".join(word.capitalize() for word in name.split("_")))
    # The names that the policy's selector reads are an example; so are these.
    given = {"emotion_selector": [Parameter("sources", value="front,left")]}.get(name, [])
    node = ros.add(kind(context=ros.context, namespace=NAMESPACE, parameter_overrides=given))
    if name == "recognizer":
        node.start()
        wait_for_a_face_s_topics(ros, f"{NAMESPACE}/")
    return node


def wait_for_a_face_s_topics(ros, prefix=""):
    """Let the recognizer see somebody, so that it publishes all it can."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    from expression_ros.nodes.common.image_messages import to_image_message

    data = pytest.importorskip("skimage.data", reason="needs scikit-image for its portrait")
    portrait = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    camera = ros.node.create_publisher(
        Image, f"{prefix}image_raw", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    )
    frame = to_image_message(portrait, ros.node.get_clock().now().to_msg(), "camera")
    ros.node.create_timer(0.05, lambda: camera.publish(frame))
    ros.collect(String, f"{prefix or '/'}face_emotion").wait_for(lambda got: len(got) > 3, "labels")


def unmatched(names, patterns):
    return {name for name in names if not any(fnmatchcase(name, one) for one in patterns)}


@pytest.mark.parametrize("name", NODES)
def test_the_policy_names_exactly_what_the_node_has(ros, name):
    pytest.importorskip("rclpy")
    from ros_bench import wait_until

    make(ros, name)
    node_name, rights = name, allowed(name)

    def differences():
        found: dict = {}
        if (node_name, NAMESPACE) not in ros.node.get_node_names_and_namespaces():
            return found
        for right, method in RIGHTS.items():
            entries = getattr(ros.node, method)(node_name, NAMESPACE)
            has = {entry.removeprefix(NAMESPACE) for entry, _ in entries}
            missing = unmatched(has, rights[right])
            needed = {one for one in rights[right] - OPTIONAL if not one.endswith(NEWER)}
            idle = {one for one in needed if not any(fnmatchcase(given, one) for given in has)}
            found[right] = (missing, idle)
        return found

    nothing = {right: (set(), set()) for right in RIGHTS}
    try:
        wait_until(lambda: differences() == nothing, "policy and node to agree")
    except AssertionError:
        assert differences() == nothing  # says what is (missing in the policy, of no use there)


def test_only_the_recognizer_sees_the_camera_and_no_node_calls_services():
    for name in NODES:
        rights = allowed(name)
        assert rights["services", "request"] == set()
        images = {topic for topic in rights["topics", "subscribe"] if "image" in topic}
        assert images == ({"/image_raw"} if name == "recognizer" else set())
    assert allowed("mirror")["topics", "subscribe"] == {"/face_emotion", "/face_emotion/scores"}
    assert not any("image" in topic for topic in allowed("mirror")["topics", "publish"])


def test_each_enclave_is_that_of_its_node():
    enclaves = ElementTree.parse(POLICY).findall(".//enclave")
    assert [enclave.get("path") for enclave in enclaves] == [f"/{name}" for name in NODES]
    for enclave in enclaves:
        (profile,) = enclave.findall(".//profile")
        assert f"/{profile.get('node')}" == enclave.get("path")


def test_sros2_makes_permissions_of_the_policy(tmp_path):
    """SROS2's own check of the file against its schema, its keystore, its permissions."""
    pytest.importorskip("sros2", reason="needs SROS2: sudo apt install ros-$ROS_DISTRO-sros2")
    from sros2 import keystore
    from sros2.keystore._permission import create_permission

    keystore.create_keystore(tmp_path / "keystore")
    for name in NODES:
        keystore.create_enclave(tmp_path / "keystore", f"/{name}")
        create_permission(tmp_path / "keystore", f"/{name}", POLICY)
        made = tmp_path / "keystore" / "enclaves" / name / "permissions.xml"
        (grant,) = ElementTree.parse(made).findall(".//grant")
        topics = {
            f"rt{topic}" for verb in ("publish", "subscribe")
            for topic in allowed(name)["topics", verb]
        }  # fmt: skip
        granted = {one.text for one in grant.findall(".//topic")}
        assert {one for one in granted if one.startswith("rt/")} == topics
        assert grant.find("default").text == "DENY"


def test_no_right_is_a_blank_cheque():
    for name in NODES:
        stars = {one for names in allowed(name).values() for one in names if "*" in one}
        assert stars <= {"/humans/faces/*"}


def package_calls(*names):
    """Yield (file, call) of every call of a function by one of these names in the package."""
    for file in sorted((REPOSITORY / "expression_ros").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                name = getattr(called, "attr", getattr(called, "id", ""))
                if name in names:
                    yield file, node, ast.unparse(called)


# What the nodes are made of: their folders, and all below that they run.
LOOKED_AT = ("nodes", "recognition", "mirroring", "session", "images", "frames", "parameters", "")


def folder_of(file):
    """Return the folder of the package in which a file lies, empty for the package's own."""
    return "/".join(file.relative_to(REPOSITORY / "expression_ros").parts[:-1][:1])


def test_no_node_writes_a_frame_anywhere():
    writers = ("imwrite", "imwritemulti", "VideoWriter", "tofile")
    files = {folder_of(file) for file, *_ in package_calls(*writers)}
    assert not files & set(LOOKED_AT)


def test_nodes_write_no_file_so_none_that_a_parameter_names():
    """By their source: nothing that the nodes call writes, but ROS its log."""
    ways = ("open", "write_text", "write_bytes", "mkdir", "makedirs", "unlink", "remove", "rename",
            "replace", "rmtree", "copyfile", "copy2", "move", "touch", "symlink_to", "mkdtemp",
            "NamedTemporaryFile", "TemporaryDirectory", "system", "Popen")  # fmt: skip
    writing = set()
    for file, call, name in package_calls(*ways):
        if folder_of(file) not in LOOKED_AT:
            continue
        owner, _, way = name.rpartition(".")
        if way == "open" and not _writes(call):
            continue
        if way in ("replace", "remove") and owner not in ("os", "shutil"):
            continue  # of texts, dataclasses and lists
        writing.add((file.name, way))
    assert writing <= ALLOWED_TO_WRITE, writing - ALLOWED_TO_WRITE


def _writes(call):
    """Return whether a call of open may write: a mode that is not plainly for reading."""
    given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "mode")]
    if isinstance(call.func, ast.Attribute) and not call.keywords:
        given = call.args[:1]  # Path.open
    modes = [one.value for one in given if isinstance(one, ast.Constant)]
    return len(modes) != len(given) or any(set("wax+") & set(str(mode)) for mode in modes)


@pytest.mark.parametrize(
    ("text", "writes"),
    [("open(p)", False), ("open(p, 'rb')", False), ("open(p, 'w')", True), ("open(p, m)", True),
     ("open(p, mode='a')", True), ("p.open()", False), ("p.open('wb')", True)],
)  # fmt: skip
def test_the_search_for_writers_finds_them(text, writes):
    assert _writes(ast.parse(text, mode="eval").body) == writes


def test_arrays_are_loaded_without_pickles_and_yaml_without_objects():
    found = list(package_calls("load", "full_load", "unsafe_load", "load_all"))
    arrays = [(file, call) for file, call, name in found if name in ("np.load", "numpy.load")]
    assert arrays
    for file, call in arrays:
        given = {one.arg: ast.unparse(one.value) for one in call.keywords}
        assert given.get("allow_pickle") == "False", file
    for file, call, name in found:
        if name.startswith("yaml"):
            loaders = [ast.unparse(one.value) for one in call.keywords if one.arg == "Loader"]
            assert name == "yaml.load" and loaders == ["_UniqueKeyLoader"], file
    from expression_ros.mirroring.yaml_tables import _UniqueKeyLoader

    yaml = pytest.importorskip("yaml")
    assert issubclass(_UniqueKeyLoader, yaml.SafeLoader)


def test_the_recognizer_writes_no_file_but_its_log(ros, tmp_path):
    """A real process with its whole home elsewhere, which sees a face."""
    pytest.importorskip("rclpy")
    log, home = tmp_path / "log", tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "expression_ros.nodes.recognizer"],
        cwd=home,
        env={**os.environ, "HOME": str(home), "ROS_LOG_DIR": str(log), "TMPDIR": str(home),
             "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_a_face_s_topics(ros)
        assert [path for path in home.rglob("*") if path.is_file()] == []
        assert all(path.suffix == ".log" for path in log.rglob("*") if path.is_file())
    finally:
        process.kill()
        process.wait()
